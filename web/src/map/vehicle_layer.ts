// The custom layer of all vehicles: one buffer, of which only changed blocks are uploaded, and one point a vehicle.

import type { CustomLayerInterface, CustomRenderMethodInput, Map as MapLibre } from "maplibre-gl";

import { KINDS, LEVELS } from "../api/types";
import { BLOCK_SLOTS, GLYPH_BYTES, GLYPH_FLOATS, type FleetTable } from "../fleet/table";
import { anchored, WORLD_M } from "./mercator";
import { KIND_COLOURS, LEVEL_COLOURS, OFFLINE_COLOUR, rgb, SELECTED_COLOUR } from "./palette";
import { FRAGMENT_SHADER, VERTEX_SHADER } from "./vehicle_shaders";

const PASSES_UNDER_SELECTION = 3; // offline below, then the rest, alarmed on top
const DOT_ZOOM_MAX = 8.2;
const FAST_MS = 30; // metres a second of a fast vehicle, which sets how often a glide needs a new picture
const FRAME_MS_MIN = 33;
const FRAME_MS_MAX = 1000;
const GLIDE_MS = 8000;

/** Seconds since the page began: the clock that glides are counted in. */
export function mapClockS(): number {
  return performance.now() / 1000;
}

export class VehicleLayer implements CustomLayerInterface {
  readonly id = "vehicles";
  readonly type = "custom";
  readonly renderingMode = "2d";
  selectedSlot = -1;
  private map: MapLibre | null = null;
  private program: WebGLProgram | null = null;
  private buffer: WebGLBuffer | null = null;
  private arrays: WebGLVertexArrayObject | null = null;
  private bytesAllocated = 0;
  private uniforms: Record<string, WebGLUniformLocation | null> = {};
  private movingUntilMs = 0;
  private timer = 0;

  constructor(private readonly table: FleetTable) {}

  onAdd(map: MapLibre, gl: WebGL2RenderingContext): void {
    this.map = map;
    this.program = linked(gl);
    const names = ["matrix", "now", "size", "bearing", "pass", "kinds", "offline", "dots", "levels"];
    this.uniforms = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(this.program!, `u_${name}`)]));
    this.buffer = gl.createBuffer();
    this.arrays = attributes(gl, this.buffer);
    this.bytesAllocated = 0;
    gl.useProgram(this.program);
    const other = rgb(KIND_COLOURS.other);
    gl.uniform3fv(this.uniforms.kinds!, [...other, ...KINDS.flatMap((kind) => rgb(KIND_COLOURS[kind]))]);
    const levels = LEVELS.flatMap((level) => rgb(LEVEL_COLOURS[level]));
    gl.uniform3fv(this.uniforms.levels!, [0, 0, 0, ...levels, ...rgb(SELECTED_COLOUR)]);
    gl.uniform3fv(this.uniforms.offline!, rgb(OFFLINE_COLOUR));
  }

  onRemove(_map: MapLibre, gl: WebGL2RenderingContext): void {
    window.clearTimeout(this.timer);
    gl.deleteVertexArray(this.arrays);
    gl.deleteBuffer(this.buffer);
    gl.deleteProgram(this.program);
    this.map = null;
  }

  /** Something changed: draw, and keep drawing while vehicles glide. */
  changed(): void {
    this.movingUntilMs = performance.now() + GLIDE_MS;
    this.map?.triggerRepaint();
  }

  render(gl: WebGL2RenderingContext, input: CustomRenderMethodInput): void {
    if (!this.map || !this.table.count) return;
    const zoom = this.map.getZoom();
    gl.bindVertexArray(this.arrays);
    this.upload(gl);
    gl.useProgram(this.program);
    gl.uniformMatrix4fv(this.uniforms.matrix!, false, anchored(input.defaultProjectionData.mainMatrix));
    gl.uniform1f(this.uniforms.now!, mapClockS());
    gl.uniform1f(this.uniforms.size!, glyphPixels(zoom) * crowd(this.table.count) * Math.min(window.devicePixelRatio || 1, 2));
    gl.uniform1f(this.uniforms.bearing!, (this.map.getBearing() * Math.PI) / 180);
    gl.uniform1f(this.uniforms.dots!, zoom < DOT_ZOOM_MAX ? 1 : 0);
    gl.disable(gl.DEPTH_TEST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    for (let pass = 0; pass < PASSES_UNDER_SELECTION; pass++) {
      gl.uniform1i(this.uniforms.pass!, pass);
      gl.drawArrays(gl.POINTS, 0, this.table.count);
    }
    if (this.selectedSlot >= 0) {
      gl.uniform1i(this.uniforms.pass!, PASSES_UNDER_SELECTION);
      gl.drawArrays(gl.POINTS, this.selectedSlot, 1);
    }
    gl.bindVertexArray(null);
    this.scheduleNext(zoom);
  }

  /** Changed blocks only; runs of them in one call. */
  private upload(gl: WebGL2RenderingContext): void {
    const { glyphs, dirty } = this.table;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    if (this.bytesAllocated !== glyphs.byteLength) {
      gl.bufferData(gl.ARRAY_BUFFER, glyphs, gl.DYNAMIC_DRAW);
      this.bytesAllocated = glyphs.byteLength;
      dirty.fill(0);
      return;
    }
    for (let first = 0; first < dirty.length; first++) {
      if (!dirty[first]) continue;
      let last = first;
      while (last + 1 < dirty.length && dirty[last + 1]) last++;
      dirty.fill(0, first, last + 1);
      const from = first * BLOCK_SLOTS * GLYPH_FLOATS;
      gl.bufferSubData(gl.ARRAY_BUFFER, from * 4, glyphs, from, (last + 1) * BLOCK_SLOTS * GLYPH_FLOATS - from);
      first = last;
    }
  }

  /** A new picture once a fast vehicle has moved half a pixel, so that a province at a glance costs next to nothing. */
  private scheduleNext(zoom: number): void {
    if (this.timer || performance.now() > this.movingUntilMs) return;
    const pixelsASecond = (FAST_MS * 512 * 2 ** zoom) / (WORLD_M * 0.88); // 0.88: cosine of Hunan's latitude
    const waitMs = Math.min(FRAME_MS_MAX, Math.max(FRAME_MS_MIN, 500 / pixelsASecond));
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.map?.triggerRepaint();
    }, waitMs);
  }
}

/** A small fleet is drawn larger: there is room. */
function crowd(count: number): number {
  return count < 1000 ? 1.25 : count < 5000 ? 1.1 : 1;
}

/** How wide a glyph is on the screen, CSS pixels. */
export function glyphPixels(zoom: number): number {
  const steps: [number, number][] = [[5, 4], [8, 7.5], [10, 15], [13, 24], [17, 34]];
  const after = steps.findIndex(([at]) => zoom < at);
  if (after === 0) return steps[0]![1];
  if (after < 0) return steps.at(-1)![1];
  const [[z0, p0], [z1, p1]] = [steps[after - 1]!, steps[after]!];
  return p0 + ((p1 - p0) * (zoom - z0)) / (z1 - z0);
}

function attributes(gl: WebGL2RenderingContext, buffer: WebGLBuffer | null): WebGLVertexArrayObject | null {
  const arrays = gl.createVertexArray();
  gl.bindVertexArray(arrays);
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  for (const location of [0, 1, 2, 3]) gl.enableVertexAttribArray(location);
  gl.vertexAttribPointer(0, 4, gl.FLOAT, false, GLYPH_BYTES, 0);
  gl.vertexAttribPointer(1, 2, gl.FLOAT, false, GLYPH_BYTES, 16);
  gl.vertexAttribPointer(2, 1, gl.FLOAT, false, GLYPH_BYTES, 24);
  gl.vertexAttribIPointer(3, 4, gl.UNSIGNED_BYTE, GLYPH_BYTES, 28);
  gl.bindVertexArray(null);
  return arrays;
}

function linked(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]] as const) {
    const shader = gl.createShader(type)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "shader");
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "program");
  return program;
}

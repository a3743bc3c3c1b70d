// Drawing and editing one shape with mouse, finger or keyboard. What is drawn is WGS-84; what is seen is the map's datum.

import type { Feature } from "geojson";
import type { GeoJSONSource, Map as MapLibre, MapMouseEvent, MapTouchEvent } from "maplibre-gl";

import type { Datum, Fence, Point, Shape } from "../api/types";
import { fromWgs84, toWgs84 } from "./datum";
import { complete, distanceM, dragged, handles, held, without, type Handle } from "./fence_shapes";
import { addFenceLayers, featureOf } from "./fence_layers";

export type DrawMode = "idle" | "drawing" | "editing";
const SOURCE = "draft";
const HANDLES = "draft-handles";
const REACH_PX = 14;
const CORRIDOR_WIDTH_M = 400;

export interface DrawEvents {
  changed(shape: Shape | null): void;
  mode(mode: DrawMode): void;
}

export class DrawTool {
  mode: DrawMode = "idle";
  private shape: Shape | null = null;
  private kind: Shape["type"] = "polygon";
  private points: Point[] = [];
  private drag: Handle | null = null;
  private selected: Handle | null = null;
  private fence: Pick<Fence, "level" | "enabled"> = { level: "medium", enabled: true };

  constructor(
    private readonly map: MapLibre,
    private readonly datum: () => Datum,
    private readonly events: DrawEvents,
  ) {
    map.on("click", (event) => this.clicked(event));
    map.on("dblclick", (event) => this.doubleClicked(event));
    map.on("mousemove", (event) => this.moved(event));
    map.on("mousedown", (event) => this.pressed(event));
    map.on("touchstart", (event) => this.pressed(event));
    map.on("touchmove", (event) => this.moved(event));
    map.on("mouseup", () => this.released());
    map.on("touchend", () => this.released());
    map.on("contextmenu", (event) => this.removeAt(event));
  }

  /** Puts the layers into a style that was just loaded. */
  addLayers(): void {
    addFenceLayers(this.map, SOURCE);
    this.map.addSource(HANDLES, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    this.map.addLayer({
      id: HANDLES,
      type: "circle",
      source: HANDLES,
      paint: {
        "circle-radius": ["match", ["get", "kind"], "middle", 4, 6.5],
        "circle-color": ["case", ["get", "selected"], "#d3182d", "#ffffff"],
        "circle-stroke-color": "#0f2f5c",
        "circle-stroke-width": ["match", ["get", "kind"], "middle", 1.2, 2],
        "circle-opacity": ["match", ["get", "kind"], "middle", 0.75, 1],
      },
    });
    this.draw();
  }

  start(kind: Shape["type"]): void {
    [this.kind, this.points, this.shape, this.selected] = [kind, [], null, null];
    this.enter("drawing");
    this.events.changed(null);
  }

  edit(shape: Shape, fence: Pick<Fence, "level" | "enabled">): void {
    [this.shape, this.fence, this.selected] = [shape, fence, null];
    this.enter("editing");
  }

  stop(): void {
    [this.shape, this.points, this.drag, this.selected] = [null, [], null, null];
    this.enter("idle");
  }

  /** Width, level or another attribute that shows was changed in the form. */
  restyle(shape: Shape, fence: Pick<Fence, "level" | "enabled">): void {
    [this.shape, this.fence] = [shape, fence];
    this.draw();
  }

  /** Enter finishes, Backspace takes back a point or a vertex, Escape is the form's. Returns whether the key was used. */
  key(key: string): boolean {
    if (this.mode === "drawing" && key === "Enter") return this.finish();
    if (this.mode === "drawing" && key === "Backspace") {
      this.points = this.points.slice(0, -1);
      this.preview(this.points.at(-1));
      return true;
    }
    if (this.mode === "editing" && (key === "Delete" || key === "Backspace") && this.selected && this.shape) {
      this.change(without(this.shape, this.selected));
      this.selected = null;
      return true;
    }
    return false;
  }

  /** Ends drawing when there are enough points. */
  finish(): boolean {
    const shape = shapeOf(this.kind, this.points);
    if (!shape || !complete(shape)) return false;
    this.shape = shape;
    this.enter("editing");
    this.events.changed(shape);
    return true;
  }

  private clicked(event: MapMouseEvent): void {
    if (this.mode !== "drawing") return;
    const point = this.pointAt(event);
    const first = this.points[0];
    const closes = this.kind === "polygon" && this.points.length > 2 && first && this.near(event, first);
    if (closes) {
      this.finish();
      return;
    }
    if (this.points.length && this.near(event, this.points.at(-1)!, 3)) return; // the second click of a double click
    this.points = [...this.points, point];
    if (this.kind === "circle" && this.points.length === 2) this.finish();
    else this.preview(point);
  }

  private doubleClicked(event: MapMouseEvent): void {
    if (this.mode === "idle") return;
    event.preventDefault();
    if (this.mode === "drawing") this.finish();
  }

  private pressed(event: MapMouseEvent | MapTouchEvent): void {
    if (this.mode !== "editing" || !this.shape) return;
    const handle = this.handleAt(event);
    this.selected = handle?.kind === "vertex" ? handle : null;
    if (handle) {
      event.preventDefault();
      this.drag = handle;
    }
    this.draw();
  }

  private moved(event: MapMouseEvent | MapTouchEvent): void {
    if (this.mode === "drawing") this.preview(this.pointAt(event));
    if (this.mode !== "editing" || !this.shape) return;
    if (this.drag) {
      this.change(dragged(this.shape, this.drag, this.pointAt(event)));
      this.drag = held(this.drag);
      if (this.drag.kind === "vertex") this.selected = this.drag;
    }
    this.map.getCanvas().style.cursor = this.drag ? "grabbing" : this.handleAt(event) ? "grab" : "";
  }

  private released(): void {
    if (this.drag && this.shape) this.events.changed(this.shape);
    this.drag = null;
  }

  private removeAt(event: MapMouseEvent): void {
    const handle = this.mode === "editing" ? this.handleAt(event) : null;
    if (!handle || !this.shape) return;
    event.preventDefault();
    this.change(without(this.shape, handle));
  }

  private change(shape: Shape): void {
    this.shape = shape;
    this.draw();
    this.events.changed(shape);
  }

  private preview(cursor?: Point): void {
    this.shape = cursor ? shapeOf(this.kind, [...this.points, cursor]) : null;
    this.draw();
  }

  private enter(mode: DrawMode): void {
    this.mode = mode;
    this.map.getCanvas().style.cursor = mode === "drawing" ? "crosshair" : "";
    this.map.doubleClickZoom[mode === "idle" ? "enable" : "disable"]();
    this.draw();
    this.events.mode(mode);
  }

  private draw(): void {
    const source = this.map.getSource(SOURCE) as GeoJSONSource | undefined;
    const points = this.map.getSource(HANDLES) as GeoJSONSource | undefined;
    const fence = { fence_id: 0, name: "", shape: this.shape, ...this.fence } as Fence;
    const drawable = this.shape && drawn(this.shape);
    source?.setData({ type: "FeatureCollection", features: drawable ? [featureOf(fence, true, this.datum())] : [] });
    points?.setData({ type: "FeatureCollection", features: this.handleFeatures() });
  }

  private handleFeatures(): Feature[] {
    const shown: Handle[] =
      this.mode === "editing" && this.shape
        ? handles(this.shape)
        : this.points.map((point, index) => ({ kind: "vertex", ring: 0, index, point }));
    return shown.map((handle) => ({
      type: "Feature",
      properties: { kind: handle.kind, selected: this.isSelected(handle) },
      geometry: { type: "Point", coordinates: fromWgs84(handle.point, this.datum()) },
    }));
  }

  private isSelected(handle: Handle): boolean {
    const { selected } = this;
    return handle.kind === "vertex" && selected?.ring === handle.ring && selected.index === handle.index;
  }

  private handleAt(event: MapMouseEvent | MapTouchEvent): Handle | null {
    if (!this.shape) return null;
    const reach = "touches" in event.originalEvent ? REACH_PX * 2 : REACH_PX;
    const near = handles(this.shape).filter((handle) => this.near(event, handle.point, reach));
    return near.find((handle) => handle.kind !== "middle") ?? near[0] ?? null;
  }

  private near(event: MapMouseEvent | MapTouchEvent, point: Point, reach = REACH_PX): boolean {
    const at = this.map.project(fromWgs84(point, this.datum()));
    return Math.hypot(at.x - event.point.x, at.y - event.point.y) <= reach;
  }

  private pointAt(event: MapMouseEvent | MapTouchEvent): Point {
    return toWgs84([event.lngLat.lng, event.lngLat.lat], this.datum());
  }
}

/** The shape that clicked points make. */
export function shapeOf(kind: Shape["type"], points: Point[]): Shape | null {
  const [first, second] = points;
  if (!first || !second) return null;
  if (kind === "circle") return { type: "circle", centre: first, radius_m: Math.max(1, Math.round(distanceM(first, second))) };
  if (kind === "corridor") return { type: "corridor", line: points, width_m: CORRIDOR_WIDTH_M };
  return { type: "polygon", rings: [points] };
}

function drawn(shape: Shape): boolean {
  return shape.type === "circle" || (shape.type === "corridor" ? shape.line.length > 1 : (shape.rings[0]?.length ?? 0) > 1);
}

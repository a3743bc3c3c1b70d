// Number plates beside vehicles at high zoom, painted on a canvas over the map: only what is in sight, nothing kept.

import type { Map as MapLibre } from "maplibre-gl";

import type { FleetTable } from "../fleet/table";
import { plateColours } from "../text/plates";
import { ANCHOR_X, ANCHOR_Y, latitudeOf, longitudeOf, mercatorX, mercatorY } from "./mercator";
import { glyphPixels, mapClockS } from "./vehicle_layer";

const ZOOM_MIN = 12;
const PLATES_MAX = 160;
const FONT = '600 11px "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif';

export class PlateOverlay {
  private readonly canvas = document.createElement("canvas");
  private painted = false;
  private readonly paint = () => this.repaint();

  constructor(
    private readonly map: MapLibre,
    private readonly table: FleetTable,
  ) {
    this.canvas.className = "plate-overlay";
    this.canvas.setAttribute("aria-hidden", "true");
    map.getCanvasContainer().append(this.canvas);
    map.on("render", this.paint);
  }

  remove(): void {
    this.map.off("render", this.paint);
    this.canvas.remove();
  }

  private repaint(): void {
    const visible = this.map.getZoom() >= ZOOM_MIN;
    if (!visible && !this.painted) return;
    const pen = this.cleared();
    this.painted = visible;
    if (!visible) return;
    const nowS = mapClockS();
    const taken: [number, number][] = [];
    const bounds = this.map.getBounds();
    const [west, east] = [mercatorX(bounds.getWest()) - ANCHOR_X, mercatorX(bounds.getEast()) - ANCHOR_X];
    const [north, south] = [mercatorY(bounds.getNorth()) - ANCHOR_Y, mercatorY(bounds.getSouth()) - ANCHOR_Y];
    const reach = glyphPixels(this.map.getZoom()) * 0.75;
    for (let slot = 0; slot < this.table.count && taken.length < PLATES_MAX; slot++) {
      if (!this.table.shown[slot]) continue;
      const [x, y] = this.table.glyphAt(slot, nowS);
      if (x < west || x > east || y < north || y > south) continue;
      const at = this.map.project([longitudeOf(x + ANCHOR_X), latitudeOf(y + ANCHOR_Y)]);
      if (taken.some(([left, top]) => Math.abs(left - at.x) < 74 && Math.abs(top - at.y) < 18)) continue;
      taken.push([at.x, at.y]);
      const ringed = this.table.alarmLevels[slot] ? 1.6 : 1;
      this.plate(pen, slot, at.x + reach * ringed, at.y);
    }
  }

  private cleared(): CanvasRenderingContext2D {
    const { clientWidth: width, clientHeight: height } = this.map.getContainer();
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    if (this.canvas.width !== width * ratio || this.canvas.height !== height * ratio) {
      [this.canvas.width, this.canvas.height] = [width * ratio, height * ratio];
    }
    const pen = this.canvas.getContext("2d")!;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = FONT;
    pen.textBaseline = "middle";
    return pen;
  }

  private plate(pen: CanvasRenderingContext2D, slot: number, x: number, y: number): void {
    const text = this.table.plates[slot] ?? "";
    if (!text) return;
    const { fill, ink } = plateColours(this.table.colours[slot]!);
    const width = pen.measureText(text).width + 8;
    pen.fillStyle = "#ffffff";
    pen.beginPath();
    pen.roundRect(x - 1, y - 9, width + 2, 18, 4);
    pen.fill();
    pen.fillStyle = fill;
    pen.beginPath();
    pen.roundRect(x, y - 8, width, 16, 3);
    pen.fill();
    pen.fillStyle = ink;
    pen.fillText(text, x + 4, y + 0.5);
  }
}

// The map with everything on it, behind the few verbs that panels use.

import { Map as MapLibre, ScaleControl, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";

import type { Datum, Fence, Language, MapConfig, Point, Shape } from "../api/types";
import type { Picker } from "../fleet/picking";
import type { FleetTable } from "../fleet/table";
import { baseStyle, LOCAL_FONTS, shieldImage, type Shapes } from "./base_style";
import { fromWgs84 } from "./datum";
import { DrawTool, type DrawEvents } from "./draw_tool";
import { addFenceLayers, showFences } from "./fence_layers";
import { boundsOf } from "./fence_shapes";
import { ANCHOR_X, ANCHOR_Y, mercatorX, mercatorY } from "./mercator";
import { PlateOverlay } from "./plates";
import { TrackLayer } from "./track_layer";
import { glyphPixels, mapClockS, VehicleLayer } from "./vehicle_layer";

const PROVINCE: [number, number, number, number] = [108.7, 24.55, 114.35, 30.2];
const FENCES = "fences";
const WORLD_PIXELS = 512;

export interface MapEvents extends DrawEvents {
  vehicleClicked(vehicleId: number): void;
  fenceClicked(fenceId: number): void;
  emptyClicked(): void;
  moved(): void;
}

export interface Padding {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

setWorkerUrl(workerUrl);

export class MapParts {
  readonly map: MapLibre;
  readonly vehicles: VehicleLayer;
  readonly draw: DrawTool;
  readonly track: TrackLayer;
  private readonly plates: PlateOverlay;
  private fences: readonly Fence[] = [];
  private selectedFenceId = 0;
  private styled = false;

  constructor(
    container: HTMLElement,
    private readonly shapes: Shapes,
    private readonly config: MapConfig,
    language: Language,
    private readonly table: FleetTable,
    private readonly picker: Picker,
    private readonly events: MapEvents,
    private readonly padding: () => Padding,
  ) {
    this.map = new MapLibre({
      container,
      style: baseStyle(shapes, config, language),
      bounds: PROVINCE,
      fitBoundsOptions: { padding: padding() },
      minZoom: 4,
      maxZoom: 19,
      localIdeographFontFamily: LOCAL_FONTS,
      attributionControl: config.attribution ? { compact: true } : false,
      canvasContextAttributes: { antialias: true },
      pitchWithRotate: false,
      fadeDuration: 0,
    });
    this.map.touchPitch.disable();
    this.map.addControl(new ScaleControl({ maxWidth: 110 }), "bottom-left");
    this.vehicles = new VehicleLayer(table);
    this.track = new TrackLayer(this.map, () => this.datum);
    this.draw = new DrawTool(this.map, () => this.datum, events);
    this.plates = new PlateOverlay(this.map, table);
    table.setDatum(this.datum);
    this.map.on("style.load", () => this.fill());
    this.map.on("click", (event) => this.clicked(event.point, event.lngLat.toArray() as Point));
    this.map.on("mousemove", (event) => this.hovered(event.lngLat.toArray() as Point));
    this.map.on("dragstart", () => this.events.moved());
  }

  get datum(): Datum {
    return this.config.datum === "GCJ02" ? "GCJ02" : "WGS84";
  }

  remove(): void {
    this.plates.remove();
    this.map.remove();
  }

  setLanguage(language: Language): void {
    this.map.setStyle(baseStyle(this.shapes, this.config, language), { diff: false });
  }

  select(vehicleId: number): void {
    this.vehicles.selectedSlot = vehicleId ? this.table.slotOf(vehicleId) : -1;
    this.map.triggerRepaint();
  }

  showFences(fences: readonly Fence[], selectedId: number): void {
    [this.fences, this.selectedFenceId] = [fences, selectedId];
    if (this.styled) showFences(this.map, FENCES, fences, selectedId, this.datum);
  }

  flyTo(point: Point): void {
    const center = fromWgs84(point, this.datum);
    this.map.easeTo({ center, zoom: Math.max(this.map.getZoom(), 12.5), offset: this.offset(), duration: 600 });
  }

  /** Keeps a moving vehicle in the middle. */
  follow(point: Point): void {
    this.map.easeTo({ center: fromWgs84(point, this.datum), offset: this.offset(), duration: 900, easing: (part) => part });
  }

  fitShape(shape: Shape): void {
    const [west, south, east, north] = boundsOf(shape);
    const corners = [fromWgs84([west, south], this.datum), fromWgs84([east, north], this.datum)] as [Point, Point];
    const { top, bottom, left, right } = this.padding();
    const padding = { top: top + 40, bottom: bottom + 40, left: left + 40, right: right + 40 };
    this.map.fitBounds(corners, { padding, maxZoom: 15, duration: 600 });
  }

  home(): void {
    this.map.fitBounds(PROVINCE, { padding: this.padding(), duration: 600, bearing: 0 });
  }

  /** Where the middle of what panels leave free is, from the middle of the map. Padding of a move would stay for later ones. */
  private offset(): [number, number] {
    const { top, bottom, left, right } = this.padding();
    return [(left - right) / 2, (top - bottom) / 2];
  }

  /** Puts our layers into a style that was just loaded. */
  private fill(): void {
    this.map.addImage("shield-g", shieldImage("#15803d"), SHIELD);
    this.map.addImage("shield-s", shieldImage("#a16207"), SHIELD);
    const labels = this.map.getLayer("road-shield") ? "road-shield" : undefined;
    addFenceLayers(this.map, FENCES, labels);
    this.track.addLayers(labels);
    this.map.addLayer(this.vehicles, this.map.getLayer("city-label") ? "city-label" : undefined); // towns stay readable
    this.draw.addLayers();
    this.styled = true;
    this.showFences(this.fences, this.selectedFenceId);
  }

  private clicked(at: { x: number; y: number }, point: Point): void {
    if (this.draw.mode !== "idle") return;
    const slot = this.vehicleAt(point);
    if (slot >= 0) {
      this.events.vehicleClicked(this.table.ids[slot]!);
      return;
    }
    const layers = [`${FENCES}-fill`, `${FENCES}-width`];
    const fence = this.styled ? this.map.queryRenderedFeatures([at.x, at.y], { layers })[0] : undefined;
    if (fence) this.events.fenceClicked(Number(fence.properties.fence_id));
    else this.events.emptyClicked();
  }

  private hovered(point: Point): void {
    if (this.draw.mode !== "idle") return;
    this.map.getCanvas().style.cursor = this.vehicleAt(point) >= 0 ? "pointer" : "";
  }

  private vehicleAt(point: Point): number {
    const zoom = this.map.getZoom();
    const reach = Math.max(9, glyphPixels(zoom) * 0.7) / (WORLD_PIXELS * 2 ** zoom);
    return this.picker.find(mercatorX(point[0]) - ANCHOR_X, mercatorY(point[1]) - ANCHOR_Y, reach, mapClockS());
  }
}

const SHIELD = {
  stretchX: [[8, 16]] as [number, number][],
  stretchY: [[8, 16]] as [number, number][],
  content: [4, 3, 20, 21] as [number, number, number, number],
};

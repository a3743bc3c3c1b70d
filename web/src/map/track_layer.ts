// One vehicle's track: a line coloured by speed, its ends, and an arrow that plays it.

import { Marker, type GeoJSONSource, type Map as MapLibre } from "maplibre-gl";

import type { Datum, Track } from "../api/types";
import { momentAt, pointOf, stretches } from "../track/playback";
import { fromWgs84 } from "./datum";
import { SPEED_CLASSES } from "./palette";

const SOURCE = "track";

export class TrackLayer {
  private track: Track | null = null;
  private arrow: Marker | null = null;

  constructor(
    private readonly map: MapLibre,
    private readonly datum: () => Datum,
  ) {}

  /** Puts the layers into a style that was just loaded. */
  addLayers(before?: string): void {
    const round = { "line-cap": "round", "line-join": "round" } as const;
    const colours = SPEED_CLASSES.flatMap(({ colour }, i) => [i, colour]);
    this.map.addSource(SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] }, tolerance: 0.3 });
    const lines = ["==", ["geometry-type"], "LineString"] as never;
    this.map.addLayer({ id: "track-casing", type: "line", source: SOURCE, filter: lines, layout: round, paint: { "line-color": "#ffffff", "line-width": 7 } }, before);
    this.map.addLayer({ id: "track-line", type: "line", source: SOURCE, filter: lines, layout: round, paint: { "line-color": ["match", ["get", "speedClass"], ...colours, "#1763d6"] as never, "line-width": 4 } }, before);
    this.map.addLayer({ id: "track-ends", type: "circle", source: SOURCE, filter: ["!", lines] as never, paint: { "circle-radius": 6, "circle-color": ["match", ["get", "end"], "start", "#1f9d55", "#0f2f5c"], "circle-stroke-color": "#ffffff", "circle-stroke-width": 2.5 } }, before);
    this.draw();
  }

  show(track: Track | null): void {
    this.track = track;
    this.draw();
    if (!track?.fix_times_ms.length) {
      this.arrow?.remove();
      this.arrow = null;
    }
  }

  /** Moves the arrow to an instant. */
  seek(timeMs: number): void {
    const moment = this.track && momentAt(this.track, timeMs);
    if (!moment) return;
    const at = fromWgs84(moment.point, this.datum());
    this.arrow ??= new Marker({ element: arrowElement(), rotationAlignment: "map" }).setLngLat(at).addTo(this.map);
    this.arrow.setLngLat(at).setRotation(moment.headingDeg);
  }

  /** The whole track into sight. */
  fit(padding: { top: number; bottom: number; left: number; right: number }): void {
    if (!this.track?.fix_times_ms.length) return;
    const points = this.track.fix_times_ms.map((_, i) => fromWgs84(pointOf(this.track!, i), this.datum()));
    const [x, y] = [points.map((p) => p[0]), points.map((p) => p[1])];
    const least = (all: number[]) => all.reduce((a, b) => Math.min(a, b));
    const most = (all: number[]) => all.reduce((a, b) => Math.max(a, b));
    this.map.fitBounds([least(x), least(y), most(x), most(y)], { padding, maxZoom: 14, duration: 500 });
  }

  private draw(): void {
    const source = this.map.getSource(SOURCE) as GeoJSONSource | undefined;
    const drawn = (points: [number, number][]) => points.map((point) => fromWgs84(point, this.datum()));
    const track = this.track;
    const lines = track ? stretches(track) : [];
    const last = (track?.fix_times_ms.length ?? 0) - 1;
    const ends = track && last >= 0 ? ([["start", 0], ["end", last]] as const) : [];
    source?.setData({
      type: "FeatureCollection",
      features: [
        ...lines.map(({ speedClass, points }) => ({ type: "Feature" as const, properties: { speedClass }, geometry: { type: "LineString" as const, coordinates: drawn(points) } })),
        ...ends.map(([end, i]) => ({ type: "Feature" as const, properties: { end }, geometry: { type: "Point" as const, coordinates: drawn([pointOf(track!, i)])[0]! } })),
      ],
    });
  }
}

function arrowElement(): HTMLElement {
  const element = document.createElement("div");
  element.className = "track-arrow";
  element.innerHTML = '<svg viewBox="0 0 32 32" width="34" height="34" aria-hidden="true"><circle cx="16" cy="16" r="14.5" fill="#0f2f5c" stroke="#fff" stroke-width="2.5"/><path d="M16 7l6.4 16L16 19.4 9.6 23z" fill="#fff"/></svg>';
  return element;
}

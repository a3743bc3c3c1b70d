// Fences on the map: areas as fills, corridors as lines as wide as they are on the ground.

import type { Feature } from "geojson";
import type { ExpressionSpecification, GeoJSONSource, Map as MapLibre } from "maplibre-gl";

import type { Datum, Fence, Point, Shape } from "../api/types";
import { fromWgs84 } from "./datum";
import { circleRing } from "./fence_shapes";
import { WORLD_M } from "./mercator";
import { LEVEL_COLOURS, OFFLINE_COLOUR } from "./palette";

const ZOOM_TOP = 22;
const OWN_COLOUR: ExpressionSpecification = ["get", "colour"];
const SELECTED: ExpressionSpecification = ["boolean", ["get", "selected"], false];
/** Pixels of a width on the ground: doubles with every zoom. */
const GROUND_WIDTH: ExpressionSpecification = [
  "interpolate", ["exponential", 2], ["zoom"],
  0, ["get", "pixels0"],
  ZOOM_TOP, ["*", ["get", "pixels0"], 2 ** ZOOM_TOP],
];

/** At a glance over the province a hundred outlines would hide the vehicles. */
const FADE: ExpressionSpecification = ["interpolate", ["linear"], ["zoom"], 7, ["case", SELECTED, 1, 0.3], 9.5, 1];

/** Adds the layers of one source; fences and the draft that is being drawn each have their own. */
export function addFenceLayers(map: MapLibre, source: string, before?: string): void {
  map.addSource(source, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
  const corridor: ExpressionSpecification = ["==", ["geometry-type"], "LineString"];
  const round = { "line-cap": "round", "line-join": "round" } as const;
  map.addLayer({ id: `${source}-fill`, type: "fill", source, filter: ["!", corridor], paint: { "fill-color": OWN_COLOUR, "fill-opacity": ["case", SELECTED, 0.22, 0.1] } }, before);
  map.addLayer({ id: `${source}-width`, type: "line", source, filter: corridor, layout: round, paint: { "line-color": OWN_COLOUR, "line-opacity": ["case", SELECTED, 0.3, 0.16], "line-width": GROUND_WIDTH } }, before);
  map.addLayer({ id: `${source}-line`, type: "line", source, layout: round, paint: { "line-color": OWN_COLOUR, "line-opacity": FADE, "line-width": ["case", SELECTED, 3, 1.6], "line-dasharray": ["case", ["get", "enabled"], ["literal", [1, 0]], ["literal", [3, 3]]] } }, before);
  map.addLayer({
    id: `${source}-label`, type: "symbol", source, minzoom: 8.5,
    layout: { "text-field": ["get", "name"], "text-font": ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"], "text-size": 12, "symbol-placement": "point" },
    paint: { "text-color": OWN_COLOUR, "text-halo-color": "#ffffff", "text-halo-width": 1.6 },
  }, before);
}

export function showFences(map: MapLibre, source: string, fences: readonly Fence[], selectedId: number, datum: Datum): void {
  const features = fences.map((fence) => featureOf(fence, fence.fence_id === selectedId, datum));
  (map.getSource(source) as GeoJSONSource | undefined)?.setData({ type: "FeatureCollection", features });
}

/** One fence as drawn in `datum`. */
export function featureOf(fence: Fence, selected: boolean, datum: Datum): Feature {
  const colour = fence.enabled ? LEVEL_COLOURS[fence.level] : OFFLINE_COLOUR;
  const properties = { fence_id: fence.fence_id, name: fence.name, colour, selected, enabled: fence.enabled, pixels0: pixels0(fence.shape) };
  return { type: "Feature", id: fence.fence_id, properties, geometry: geometryOf(fence.shape, datum) };
}

function geometryOf(shape: Shape, datum: Datum): Feature["geometry"] {
  const drawn = (points: Point[]): Point[] => points.map((point) => fromWgs84(point, datum));
  if (shape.type === "corridor") return { type: "LineString", coordinates: drawn(shape.line) };
  if (shape.type === "circle") return { type: "Polygon", coordinates: [drawn(circleRing(shape.centre, shape.radius_m))] };
  const closed = shape.rings.map((ring) => drawn([...ring, ring[0]!]));
  return { type: "Polygon", coordinates: closed };
}

/** Width of a corridor in pixels at zoom 0. */
function pixels0(shape: Shape): number {
  if (shape.type !== "corridor") return 0;
  const latitude = shape.line[0]?.[1] ?? 0;
  return (shape.width_m * 512) / (WORLD_M * Math.cos((latitude * Math.PI) / 180));
}

// Geometry of fences in the browser: rings to draw, handles to drag. Pure; degrees WGS-84 and metres.

import type { Point, Shape } from "../api/types";
import { EARTH_RADIUS_M } from "./mercator";

const CIRCLE_POINTS = 72;
const RADIANS = Math.PI / 180;
const RADIUS_M_MAX = 200_000;

export interface Handle {
  kind: "vertex" | "middle" | "centre" | "radius";
  ring: number;
  index: number;
  point: Point;
}

/** Great-circle distance in metres. */
export function distanceM(a: Point, b: Point): number {
  const dLat = (b[1] - a[1]) * RADIANS;
  const dLon = (b[0] - a[0]) * RADIANS;
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a[1] * RADIANS) * Math.cos(b[1] * RADIANS) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(h));
}

/** Where one comes to from `from`, going `metres` towards `bearing` (radians clockwise from north). */
export function destination(from: Point, metres: number, bearing: number): Point {
  const d = metres / EARTH_RADIUS_M;
  const lat1 = from[1] * RADIANS;
  const lat2 = Math.asin(Math.sin(lat1) * Math.cos(d) + Math.cos(lat1) * Math.sin(d) * Math.cos(bearing));
  const east = Math.sin(bearing) * Math.sin(d) * Math.cos(lat1);
  const dLon = Math.atan2(east, Math.cos(d) - Math.sin(lat1) * Math.sin(lat2));
  return [from[0] + dLon / RADIANS, lat2 / RADIANS];
}

/** A closed ring around a circle. */
export function circleRing(centre: Point, radiusM: number): Point[] {
  const ring = Array.from({ length: CIRCLE_POINTS }, (_, i) => destination(centre, radiusM, (2 * Math.PI * i) / CIRCLE_POINTS));
  return [...ring, ring[0]!];
}

/** What can be dragged. */
export function handles(shape: Shape): Handle[] {
  if (shape.type === "circle") {
    const edge = destination(shape.centre, shape.radius_m, Math.PI / 2);
    return [
      { kind: "centre", ring: 0, index: 0, point: shape.centre },
      { kind: "radius", ring: 0, index: 0, point: edge },
    ];
  }
  const closed = shape.type === "polygon";
  return lines(shape).flatMap((line, ring) => [
    ...line.map((point, index): Handle => ({ kind: "vertex", ring, index, point })),
    ...line.slice(0, closed ? undefined : -1).map((point, index): Handle => {
      const next = line[(index + 1) % line.length]!;
      return { kind: "middle", ring, index, point: [(point[0] + next[0]) / 2, (point[1] + next[1]) / 2] };
    }),
  ]);
}

/** The shape after a handle was dragged to `to`. A middle becomes a vertex. */
export function dragged(shape: Shape, handle: Handle, to: Point): Shape {
  if (shape.type === "circle") {
    if (handle.kind === "centre") return { ...shape, centre: to };
    return { ...shape, radius_m: Math.round(Math.min(RADIUS_M_MAX, Math.max(1, distanceM(shape.centre, to)))) };
  }
  const changed = lines(shape).map((line, ring) => {
    if (ring !== handle.ring) return line;
    if (handle.kind === "middle") return [...line.slice(0, handle.index + 1), to, ...line.slice(handle.index + 1)];
    return line.map((point, index) => (index === handle.index ? to : point));
  });
  return withLines(shape, changed);
}

/** The handle that is held after `handle` was first dragged. */
export function held(handle: Handle): Handle {
  return handle.kind === "middle" ? { ...handle, kind: "vertex", index: handle.index + 1 } : handle;
}

/** The shape without a vertex; the same shape when it could not do without it. */
export function without(shape: Shape, handle: Handle): Shape {
  if (shape.type === "circle" || handle.kind !== "vertex") return shape;
  const least = shape.type === "polygon" ? 3 : 2;
  const line = lines(shape)[handle.ring]!;
  if (line.length <= least) {
    if (shape.type === "polygon" && handle.ring > 0) return { ...shape, rings: shape.rings.filter((_, i) => i !== handle.ring) };
    return shape;
  }
  return withLines(
    shape,
    lines(shape).map((one, ring) => (ring === handle.ring ? one.filter((_, index) => index !== handle.index) : one)),
  );
}

/** West, south, east, north of a shape. */
export function boundsOf(shape: Shape): [number, number, number, number] {
  const points = shape.type === "circle" ? circleRing(shape.centre, shape.radius_m) : lines(shape).flat();
  const [x, y] = [points.map((p) => p[0]), points.map((p) => p[1])];
  return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
}

/** Whether a shape has all the points it needs. */
export function complete(shape: Shape): boolean {
  if (shape.type === "circle") return shape.radius_m >= 1;
  return shape.type === "polygon" ? shape.rings.every((ring) => ring.length >= 3) : shape.line.length >= 2;
}

/** Square kilometres of a polygon or circle, kilometres of a corridor: what an operator wants to read off. */
export function measure(shape: Shape): { area_km2: number; length_km: number } {
  if (shape.type === "circle") return { area_km2: (Math.PI * shape.radius_m ** 2) / 1e6, length_km: 0 };
  if (shape.type === "corridor") {
    const length = shape.line.slice(1).reduce((sum, point, i) => sum + distanceM(shape.line[i]!, point), 0);
    return { area_km2: 0, length_km: length / 1000 };
  }
  const [outer, ...holes] = shape.rings.map(ringKm2);
  return { area_km2: Math.max(0, (outer ?? 0) - holes.reduce((sum, hole) => sum + hole, 0)), length_km: 0 };
}

function ringKm2(ring: Point[]): number {
  const middle = ring.reduce((sum, point) => sum + point[1], 0) / Math.max(1, ring.length);
  const [kmX, kmY] = [111.195 * Math.cos(middle * RADIANS), 111.195];
  const doubled = ring.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = ring[(i + 1) % ring.length]!;
    return sum + x * nextY - nextX * y;
  }, 0);
  return (Math.abs(doubled) / 2) * kmX * kmY;
}

function lines(shape: Exclude<Shape, { type: "circle" }>): Point[][] {
  if (shape.type === "corridor") return [shape.line];
  return shape.rings.map(open);
}

function withLines(shape: Exclude<Shape, { type: "circle" }>, changed: Point[][]): Shape {
  return shape.type === "corridor" ? { ...shape, line: changed[0]! } : { ...shape, rings: changed };
}

/** Without the last point when it repeats the first. */
function open(ring: Point[]): Point[] {
  const [first, last] = [ring[0], ring.at(-1)];
  return ring.length > 1 && first && last && first[0] === last[0] && first[1] === last[1] ? ring.slice(0, -1) : ring;
}

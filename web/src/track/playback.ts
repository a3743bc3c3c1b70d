// Where a vehicle was at an instant of its track. Pure.

import type { Point, Track } from "../api/types";
import { distanceM } from "../map/fence_shapes";
import { speedClass } from "../map/palette";

export const GAP_MS = 300_000; // nothing is drawn or glided over a longer silence

export interface Moment {
  index: number;
  point: Point;
  headingDeg: number;
  speedKmh: number;
  timeMs: number;
}

export interface Stretch {
  speedClass: number;
  points: Point[];
}

export function pointOf(track: Track, index: number): Point {
  return [track.longitudes_e7[index]! / 1e7, track.latitudes_e7[index]! / 1e7];
}

/** The last fix at or before `timeMs`, glided towards the next one; the first fix for an earlier time. */
export function momentAt(track: Track, timeMs: number): Moment | null {
  const times = track.fix_times_ms;
  if (!times.length) return null;
  const index = Math.max(0, lastAtOrBefore(times, timeMs));
  const [from, to] = [pointOf(track, index), pointOf(track, Math.min(index + 1, times.length - 1))];
  const span = (times[index + 1] ?? 0) - times[index]!;
  const part = span > 0 && span <= GAP_MS ? Math.min(1, Math.max(0, (timeMs - times[index]!) / span)) : 0;
  return {
    index,
    point: [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part],
    headingDeg: track.headings_deg[index]!,
    speedKmh: track.speeds_01kmh[index]! / 10,
    timeMs: times[index]!,
  };
}

/** The line in pieces of one speed class each; gaps are left out. */
export function stretches(track: Track): Stretch[] {
  const found: Stretch[] = [];
  for (let i = 1; i < track.fix_times_ms.length; i++) {
    const kind = speedClass(Math.max(track.speeds_01kmh[i - 1]!, track.speeds_01kmh[i]!) / 10);
    const gap = track.fix_times_ms[i]! - track.fix_times_ms[i - 1]! > GAP_MS;
    const last = found.at(-1);
    if (gap) found.push({ speedClass: kind, points: [] });
    else if (last?.points.length && last.speedClass === kind) last.points.push(pointOf(track, i));
    else found.push({ speedClass: kind, points: [pointOf(track, i - 1), pointOf(track, i)] });
  }
  return found.filter((stretch) => stretch.points.length > 1);
}

export interface Summary {
  distance_km: number;
  speed_kmh_max: number;
  moving_ms: number;
  fixes: number;
}

/** What the head of the track panel says. */
export function summary(track: Track): Summary {
  const found = { distance_km: 0, speed_kmh_max: 0, moving_ms: 0, fixes: track.fix_times_ms.length };
  for (let i = 0; i < found.fixes; i++) {
    found.speed_kmh_max = Math.max(found.speed_kmh_max, track.speeds_01kmh[i]! / 10);
    if (i === 0) continue;
    const span = track.fix_times_ms[i]! - track.fix_times_ms[i - 1]!;
    if (span > GAP_MS) continue;
    found.distance_km += distanceM(pointOf(track, i - 1), pointOf(track, i)) / 1000;
    if (track.speeds_01kmh[i - 1]! > 50) found.moving_ms += span;
  }
  return found;
}

/** Pages of one track, one after the other. */
export function joined(pages: Track[]): Track {
  const [first] = pages;
  const column = (name: Exclude<keyof Track, "vehicle_id" | "next_page_token">): number[] => pages.flatMap((page) => page[name]);
  return {
    vehicle_id: first?.vehicle_id ?? 0,
    fix_times_ms: column("fix_times_ms"),
    longitudes_e7: column("longitudes_e7"),
    latitudes_e7: column("latitudes_e7"),
    speeds_01kmh: column("speeds_01kmh"),
    headings_deg: column("headings_deg"),
    alarm_words: column("alarm_words"),
    status_words: column("status_words"),
    quality_flags: column("quality_flags"),
    next_page_token: "",
  };
}

function lastAtOrBefore(times: readonly number[], timeMs: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

import { expect, test } from "vitest";

import type { Track } from "../src/api/types";
import { GAP_MS, joined, momentAt, stretches, summary } from "../src/track/playback";

function track(...fixes: [timeS: number, lon: number, kmh: number][]): Track {
  return {
    vehicle_id: 1,
    fix_times_ms: fixes.map(([s]) => s * 1000),
    longitudes_e7: fixes.map(([, lon]) => Math.round(lon * 1e7)),
    latitudes_e7: fixes.map(() => 280_000_000),
    speeds_01kmh: fixes.map(([, , kmh]) => kmh * 10),
    headings_deg: fixes.map(() => 90),
    alarm_words: fixes.map(() => 0),
    status_words: fixes.map(() => 3),
    quality_flags: fixes.map(() => 0),
    next_page_token: "",
  };
}

test("between two fixes the vehicle is between them", () => {
  const given = track([0, 112, 60], [10, 112.01, 60]);
  expect(momentAt(given, 5000)!.point[0]).toBeCloseTo(112.005, 9);
  expect(momentAt(given, -1)!.point[0]).toBe(112);
  expect(momentAt(given, 99_000)!.point[0]).toBe(112.01);
  expect(momentAt(track(), 0)).toBeNull();
});

test("over a silence the vehicle waits where it was last seen", () => {
  const given = track([0, 112, 60], [GAP_MS / 1000 + 1, 112.5, 60]);
  expect(momentAt(given, 200_000)!.point[0]).toBe(112);
  expect(stretches(given)).toEqual([]);
});

test("the line changes colour with the speed and stays joined", () => {
  const found = stretches(track([0, 112, 60], [10, 112.01, 60], [20, 112.02, 110], [30, 112.03, 110]));
  expect(found.map((stretch) => stretch.speedClass)).toEqual([2, 4]);
  expect(found[0]!.points.at(-1)).toEqual(found[1]!.points[0]);
});

test("the summary counts what lies between fixes", () => {
  const found = summary(track([0, 112, 60], [60, 112.01, 72], [120, 112.01, 0]));
  expect(found).toMatchObject({ fixes: 3, speed_kmh_max: 72, moving_ms: 120_000 });
  expect(found.distance_km).toBeCloseTo(0.982, 2);
});

test("pages are joined in order", () => {
  expect(joined([track([0, 112, 1]), track([10, 113, 2])]).longitudes_e7).toEqual([1_120_000_000, 1_130_000_000]);
  expect(joined([]).fix_times_ms).toEqual([]);
});

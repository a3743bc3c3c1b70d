import { expect, test } from "vitest";

import type { Point } from "../src/api/types";
import { fromWgs84, toWgs84 } from "../src/map/datum";
import { latitudeOf, longitudeOf, mercatorX, mercatorY } from "../src/map/mercator";

// Values of common/datums.py, which is the reference.
const CASES: [Point, Point][] = [
  [[112.9388, 28.2282], [112.94424977544385, 28.224692417302222]],
  [[116.404, 39.915], [116.41024449916938, 39.91640428150164]],
  [[110.0016, 27.5696], [110.0062903509871, 27.566291954877418]],
  [[2.35, 48.85], [2.35, 48.85]],
];

test.each(CASES)("%s is drawn on GCJ-02 tiles where the platform says", (wgs84, gcj02) => {
  const drawn = fromWgs84(wgs84, "GCJ02");
  expect(drawn[0]).toBeCloseTo(gcj02[0], 10);
  expect(drawn[1]).toBeCloseTo(gcj02[1], 10);
});

test.each(CASES)("what is drawn comes back to %s", (wgs84, gcj02) => {
  const back = toWgs84(gcj02, "GCJ02");
  expect(back[0]).toBeCloseTo(wgs84[0], 9);
  expect(back[1]).toBeCloseTo(wgs84[1], 9);
});

test("without a shifted datum nothing moves", () => {
  expect(fromWgs84([112, 28], "WGS84")).toEqual([112, 28]);
  expect(toWgs84([112, 28], "WGS84")).toEqual([112, 28]);
});

test("mercator goes there and back", () => {
  expect(longitudeOf(mercatorX(112.3))).toBeCloseTo(112.3, 10);
  expect(latitudeOf(mercatorY(27.7))).toBeCloseTo(27.7, 10);
});

// WGS-84 → GCJ-02 for display on tiles of that datum, and back for what is drawn on them. Agrees with common/datums.py.

import type { Datum, Point } from "../api/types";

const SEMI_MAJOR_AXIS_M = 6_378_245; // Krasovsky 1940, which GCJ-02 computes with
const ECCENTRICITY_SQUARED = 0.00669342162296594323;
const ITERATIONS_MAX = 20;
const ERROR_DEG_MAX = 1e-11;

/** A WGS-84 point as drawn in `datum`. */
export function fromWgs84(point: Point, datum: Datum): Point {
  return datum === "GCJ02" && inBox(point) ? gcj02(point) : [point[0], point[1]];
}

/** The WGS-84 point of one drawn in `datum`. */
export function toWgs84(point: Point, datum: Datum): Point {
  if (datum !== "GCJ02") return [point[0], point[1]];
  let guess: Point = [point[0], point[1]];
  for (let i = 0; i < ITERATIONS_MAX; i++) {
    const shifted = gcj02(guess);
    const [errorX, errorY] = [point[0] - shifted[0], point[1] - shifted[1]];
    guess = [guess[0] + errorX, guess[1] + errorY];
    if (Math.max(Math.abs(errorX), Math.abs(errorY)) <= ERROR_DEG_MAX) break;
  }
  return inBox(guess) ? guess : [point[0], point[1]];
}

function inBox([longitude, latitude]: Point): boolean {
  return longitude >= 72.004 && longitude <= 137.8347 && latitude >= 0.8293 && latitude <= 55.8271;
}

function gcj02([longitude, latitude]: Point): Point {
  const [x, y] = [longitude - 105, latitude - 35];
  const { sin, PI } = Math;
  const root = Math.sqrt(Math.abs(x));
  const shared = ((20 * sin(6 * x * PI) + 20 * sin(2 * x * PI)) * 2) / 3;
  const northM =
    -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + shared +
    ((20 * sin(y * PI) + 40 * sin((y / 3) * PI)) * 2) / 3 +
    ((160 * sin((y / 12) * PI) + 320 * sin((y / 30) * PI)) * 2) / 3;
  const eastM =
    300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + shared +
    ((20 * sin(x * PI) + 40 * sin((x / 3) * PI)) * 2) / 3 +
    ((150 * sin((x / 12) * PI) + 300 * sin((x / 30) * PI)) * 2) / 3;
  const radians = (latitude * PI) / 180;
  const curvature = 1 - ECCENTRICITY_SQUARED * sin(radians) ** 2;
  const meridianM = (SEMI_MAJOR_AXIS_M * (1 - ECCENTRICITY_SQUARED)) / curvature ** 1.5;
  const parallelM = (SEMI_MAJOR_AXIS_M / Math.sqrt(curvature)) * Math.cos(radians);
  return [longitude + ((eastM / parallelM) * 180) / PI, latitude + ((northM / meridianM) * 180) / PI];
}

import { expect, test } from "vitest";

import type { Shape } from "../src/api/types";
import { shapeOf } from "../src/map/draw_tool";
import { boundsOf, circleRing, complete, destination, distanceM, dragged, handles, held, measure, without } from "../src/map/fence_shapes";

const SQUARE: Shape = { type: "polygon", rings: [[[112, 28], [112.1, 28], [112.1, 28.1], [112, 28.1]]] };
const LINE: Shape = { type: "corridor", line: [[112, 28], [112.1, 28]], width_m: 400 };
const CIRCLE: Shape = { type: "circle", centre: [112, 28], radius_m: 5000 };

test("every point of a circle's ring is a radius away", () => {
  for (const point of circleRing([112, 28], 5000)) expect(distanceM([112, 28], point)).toBeCloseTo(5000, 1);
});

test("a destination is as far as was asked", () => {
  expect(distanceM([113, 27], destination([113, 27], 12_345, 1.2))).toBeCloseTo(12_345, 2);
});

test.each([
  [SQUARE, 8],
  [LINE, 3],
  [CIRCLE, 2],
])("a shape has a handle for each vertex and between them", (shape, count) => {
  expect(handles(shape)).toHaveLength(count);
});

test("dragging a middle adds a vertex, which is then held", () => {
  const middle = handles(SQUARE).find((handle) => handle.kind === "middle")!;
  const bent = dragged(SQUARE, middle, [112.05, 27.9]);
  expect(bent).toMatchObject({ rings: [[[112, 28], [112.05, 27.9], [112.1, 28], [112.1, 28.1], [112, 28.1]]] });
  expect(dragged(bent, held(middle), [112.05, 27.8])).toMatchObject({ rings: [[[112, 28], [112.05, 27.8], [112.1, 28], [112.1, 28.1], [112, 28.1]]] });
});

test("dragging the edge of a circle changes its radius only", () => {
  const [centre, edge] = handles(CIRCLE);
  expect(dragged(CIRCLE, edge!, destination([112, 28], 7000, 0))).toEqual({ ...CIRCLE, radius_m: 7000 });
  expect(dragged(CIRCLE, centre!, [113, 27])).toEqual({ ...CIRCLE, centre: [113, 27] });
});

test("a vertex goes, unless the shape could not do without it", () => {
  const [first] = handles(SQUARE);
  const triangle = without(SQUARE, first!);
  expect(triangle).toMatchObject({ rings: [[[112.1, 28], [112.1, 28.1], [112, 28.1]]] });
  expect(without(triangle, handles(triangle)[0]!)).toBe(triangle);
  expect(without(LINE, handles(LINE)[0]!)).toBe(LINE);
});

test("a closed ring is handled like an open one", () => {
  const closed: Shape = { type: "polygon", rings: [[...(SQUARE as { rings: [number, number][][] }).rings[0]!, [112, 28]]] };
  expect(handles(closed)).toHaveLength(8);
});

test("sizes are those of the ground", () => {
  expect(measure(SQUARE).area_km2).toBeCloseTo(11.1195 * 11.1195 * Math.cos((28.05 * Math.PI) / 180), 0);
  expect(measure(LINE).length_km).toBeCloseTo(9.82, 1);
  expect(measure(CIRCLE).area_km2).toBeCloseTo(78.5, 1);
});

test("bounds hold the whole shape", () => {
  expect(boundsOf(SQUARE)).toEqual([112, 28, 112.1, 28.1]);
  expect(boundsOf(CIRCLE)[3]).toBeCloseTo(28.045, 3);
});

test("clicked points make shapes, and a shape knows when it is complete", () => {
  expect(shapeOf("polygon", [[112, 28]])).toBeNull();
  expect(complete(shapeOf("polygon", [[112, 28], [113, 28]])!)).toBe(false);
  expect(complete(shapeOf("corridor", [[112, 28], [113, 28]])!)).toBe(true);
  expect(shapeOf("circle", [[112, 28], destination([112, 28], 900, 0)])).toMatchObject({ radius_m: 900 });
});

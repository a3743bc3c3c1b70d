import { expect, test } from "vitest";

import { frame } from "../src/api/frames";
import { counts, PlateOrder } from "../src/fleet/lists";
import { Picker } from "../src/fleet/picking";
import { FleetTable, GLYPH_FLOATS, NO_FILTER, STATE_MOVING, STATE_OFFLINE, STATE_STOPPED } from "../src/fleet/table";
import { ANCHOR_X, ANCHOR_Y, mercatorX, mercatorY } from "../src/map/mercator";
import { frameBytes, rows } from "./builders";

function twoVehicles(): FleetTable {
  const table = new FleetTable();
  table.tell(rows([1, "湘A00002", 1], [2, "湘A00001", 4, "430600"]));
  table.apply(frame(frameBytes({ kind: 1, positions: [{ id: 1, lon: 112, lat: 28 }, { id: 2, lon: 113, lat: 27, speed: 0 }] })), 10);
  return table;
}

test("state follows the online flag and the speed", () => {
  const table = twoVehicles();
  table.apply(frame(frameBytes({ positions: [{ id: 3, lon: 112, lat: 28, flags: 4 }] })), 10);
  expect([...table.states.slice(0, 3)]).toEqual([STATE_MOVING, STATE_STOPPED, STATE_OFFLINE]);
  expect(counts(table)).toEqual({ all: 3, moving: 1, stopped: 1, offline: 1, alarmed: 0 });
});

test("a glyph glides from where it is seen to its new fix", () => {
  const table = twoVehicles();
  const next = frameBytes({ baseTimeMs: 1e12 + 4000, positions: [{ id: 1, lon: 112.01, lat: 28 }] });
  table.apply(frame(next), 20);
  const half = table.glyphAt(0, 22)[0] + ANCHOR_X;
  expect(half).toBeCloseTo(mercatorX(112.005), 8);
  expect(table.glyphAt(0, 99)[0] + ANCHOR_X).toBeCloseTo(mercatorX(112.01), 8);
  expect(table.glyphAt(0, 99)[1] + ANCHOR_Y).toBeCloseTo(mercatorY(28), 8);
});

test("only the blocks that changed are dirty", () => {
  const table = new FleetTable();
  table.apply(frame(frameBytes({ positions: Array.from({ length: 600 }, (_, i) => ({ id: i + 1, lon: 112, lat: 28 })) })), 1);
  table.dirty.fill(0);
  table.apply(frame(frameBytes({ positions: [{ id: 300, lon: 112.5, lat: 28 }] })), 2);
  expect([...table.dirty]).toEqual([0, 1, 0, 0]);
});

test("growing keeps every column", () => {
  const table = new FleetTable();
  const positions = Array.from({ length: 5000 }, (_, i) => ({ id: i + 1, lon: 110 + i / 5000, lat: 28 }));
  table.apply(frame(frameBytes({ positions })), 1);
  expect(table.count).toBe(5000);
  expect(table.longitudesE7[4000]).toBe(1_108_000_000);
  expect(table.glyphs.length).toBeGreaterThanOrEqual(5000 * GLYPH_FLOATS);
});

test("a new snapshot forgets vehicles that are not in it, and so does gone", () => {
  const table = twoVehicles();
  table.apply(frame(frameBytes({ gone: [1] })), 11);
  expect(counts(table).all).toBe(1);
  table.apply(frame(frameBytes({ kind: 1, positions: [{ id: 1, lon: 112, lat: 28 }] })), 12);
  expect(counts(table)).toMatchObject({ all: 1, moving: 1 });
});

test.each([
  ["text", { text: "00001" }, [1]],
  ["kind", { kinds: new Set([1]) }, [0]],
  ["state", { states: new Set(["stopped" as const]) }, [1]],
  ["region", { region: "430600" }, [1]],
  ["alarms", { alarmedOnly: true }, []],
  ["nothing", {}, [1, 0]],
])("the filter by %s keeps the right vehicles, by plate", (_, filter, slots) => {
  const table = twoVehicles();
  table.setFilter({ ...NO_FILTER, ...filter });
  expect(new PlateOrder(table).shown()).toEqual(slots);
});

test("alarmed vehicles come first", () => {
  const table = twoVehicles();
  table.setAlarmLevel(1, 3);
  expect(new PlateOrder(table).shown()).toEqual([0, 1]);
  expect(counts(table).alarmed).toBe(1);
});

test("the picker finds the nearest shown vehicle within reach", () => {
  const table = twoVehicles();
  const picker = new Picker(table);
  const [x, y] = [mercatorX(112.001) - ANCHOR_X, mercatorY(28) - ANCHOR_Y];
  expect(picker.find(x, y, 1e-5, 50)).toBe(0);
  expect(picker.find(x, y, 1e-7, 50)).toBe(-1);
  table.setFilter({ ...NO_FILTER, text: "00001" });
  expect(picker.find(x, y, 1e-5, 60)).toBe(-1);
});

test("a display datum moves the glyphs and not the coordinates", () => {
  const table = twoVehicles();
  table.setDatum("GCJ02");
  expect(table.longitudesE7[0]).toBe(1_120_000_000);
  expect(table.glyphAt(0, 99)[0] + ANCHOR_X).toBeGreaterThan(mercatorX(112.004));
});

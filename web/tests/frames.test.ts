import { expect, test } from "vitest";

import { fixTimeMs, frame, headingDeg } from "../src/api/frames";
import { frameBytes } from "./builders";

test("a frame decodes to the columns that were encoded", () => {
  const decoded = frame(
    frameBytes({
      number: 7,
      baseTimeMs: 1_764_000_000_000,
      positions: [
        { id: 4_000_000_000, lon: 112.9388, lat: 28.2282, speed: 805, age: 3, heading: 271, flags: 5 },
        { id: 2, lon: -1.5, lat: -20, speed: 0, age: 65_535, heading: 0, flags: 0 },
      ],
      gone: [9],
    }),
  );
  expect(decoded).toMatchObject({ kind: 3, count: 2, number: 7, epoch: 11, baseTimeMs: 1_764_000_000_000 });
  expect([...decoded.vehicleIds]).toEqual([4_000_000_000, 2]);
  expect([...decoded.longitudesE7]).toEqual([1_129_388_000, -15_000_000]);
  expect([...decoded.latitudesE7]).toEqual([282_282_000, -200_000_000]);
  expect([...decoded.speeds01kmh]).toEqual([805, 0]);
  expect([...decoded.flags]).toEqual([5, 0]);
  expect([...decoded.goneIds]).toEqual([9]);
  expect(headingDeg(decoded.headings[0]!)).toBe(270);
});

test("a position costs 18 bytes", () => {
  const one = frameBytes({ positions: [{ id: 1, lon: 1, lat: 1 }] });
  const two = frameBytes({ positions: [{ id: 1, lon: 1, lat: 1 }, { id: 2, lon: 1, lat: 1 }] });
  expect(two.byteLength - one.byteLength).toBe(18);
});

test("a frame of another version or length is refused", () => {
  const bytes = frameBytes({ positions: [{ id: 1, lon: 1, lat: 1 }] });
  expect(() => frame(bytes.slice(0, -1))).toThrow(/expected 50/);
  expect(() => frame(new ArrayBuffer(3))).toThrow(/no header/);
  new DataView(bytes).setUint8(0, 2);
  expect(() => frame(bytes)).toThrow(/version 2/);
});

test("a fix older than a column can say has no time", () => {
  expect(fixTimeMs(100_000, 5)).toBe(95_000);
  expect(fixTimeMs(100_000, 65_535)).toBe(0);
});

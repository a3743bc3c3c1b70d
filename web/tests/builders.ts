import type { VehicleRows } from "../src/api/types";

export interface Given {
  id: number;
  lon: number;
  lat: number;
  speed?: number;
  age?: number;
  heading?: number;
  flags?: number;
}

interface FrameOf {
  kind?: number;
  number?: number;
  baseTimeMs?: number;
  positions?: Given[];
  gone?: number[];
}

/** The bytes of a frame as the gateway writes them. */
export function frameBytes({ kind = 3, number = 1, baseTimeMs = 1e12, positions = [], gone = [] }: FrameOf): ArrayBuffer {
  const n = positions.length;
  const view = new DataView(new ArrayBuffer(32 + 18 * n + 4 * gone.length));
  view.setUint8(0, 1);
  view.setUint8(1, kind);
  view.setUint32(4, n, true);
  view.setUint32(8, gone.length, true);
  view.setUint32(12, 11, true);
  view.setFloat64(16, baseTimeMs, true);
  view.setFloat64(24, number, true);
  positions.forEach((one, i) => {
    view.setUint32(32 + 4 * i, one.id, true);
    view.setInt32(32 + 4 * (n + i), Math.round(one.lon * 1e7), true);
    view.setInt32(32 + 4 * (2 * n + i), Math.round(one.lat * 1e7), true);
    const rest = 32 + 12 * n + 4 * gone.length;
    view.setUint16(rest + 2 * i, one.speed ?? 600, true);
    view.setUint16(rest + 2 * (n + i), one.age ?? 0, true);
    view.setUint8(rest + 4 * n + i, Math.floor((one.heading ?? 0) / 2));
    view.setUint8(rest + 5 * n + i, one.flags ?? 5);
  });
  gone.forEach((id, i) => view.setUint32(32 + 12 * n + 4 * i, id, true));
  return view.buffer as ArrayBuffer;
}

export function rows(...given: [id: number, plate: string, kind?: number, region?: string][]): VehicleRows {
  return {
    type: "vehicles",
    vehicle_ids: given.map(([id]) => id),
    plates: given.map(([, plate]) => plate),
    plate_colours: given.map(() => 2),
    kinds: given.map(([, , kind]) => kind ?? 1),
    enterprise_ids: given.map(() => 1),
    region_codes: given.map(([, , , region]) => region ?? "430100"),
  };
}

// The binary frame of the live stream: typed arrays laid over what arrived, nothing is copied.

export const FRAME_SNAPSHOT_FIRST = 1;
export const FRAME_HEARTBEAT = 4;
export const FLAG_ONLINE = 1;
export const FLAG_IGNITION = 2;
export const FLAG_POSITIONED = 4;
export const FLAG_ALARM = 8;
const VERSION = 1;
const HEADER_BYTES = 32;
const POSITION_BYTES = 18;
const GONE_BYTES = 4;
const HEADING_DEG = 2;
const AGE_UNKNOWN_S = 65_535;

export interface Frame {
  kind: number;
  epoch: number;
  number: number;
  baseTimeMs: number;
  count: number;
  vehicleIds: Uint32Array;
  longitudesE7: Int32Array;
  latitudesE7: Int32Array;
  goneIds: Uint32Array;
  speeds01kmh: Uint16Array;
  agesS: Uint16Array;
  headings: Uint8Array;
  flags: Uint8Array;
}

/** The frame in `bytes`. Throws when its version or its length is not what the contract says. */
export function frame(bytes: ArrayBuffer): Frame {
  if (bytes.byteLength < HEADER_BYTES) throw new Error(`a frame of ${bytes.byteLength} bytes has no header`);
  const view = new DataView(bytes);
  if (view.getUint8(0) !== VERSION) throw new Error(`frame version ${view.getUint8(0)}, expected ${VERSION}`);
  const n = view.getUint32(4, true);
  const gone = view.getUint32(8, true);
  const expected = HEADER_BYTES + n * POSITION_BYTES + gone * GONE_BYTES;
  if (bytes.byteLength !== expected) throw new Error(`a frame of ${bytes.byteLength} bytes, expected ${expected}`);
  const longitudes = HEADER_BYTES + 4 * n;
  const goneIds = longitudes + 8 * n;
  const speeds = goneIds + 4 * gone;
  return {
    kind: view.getUint8(1),
    epoch: view.getUint32(12, true),
    number: view.getFloat64(24, true),
    baseTimeMs: view.getFloat64(16, true),
    count: n,
    vehicleIds: new Uint32Array(bytes, HEADER_BYTES, n),
    longitudesE7: new Int32Array(bytes, longitudes, n),
    latitudesE7: new Int32Array(bytes, longitudes + 4 * n, n),
    goneIds: new Uint32Array(bytes, goneIds, gone),
    speeds01kmh: new Uint16Array(bytes, speeds, n),
    agesS: new Uint16Array(bytes, speeds + 2 * n, n),
    headings: new Uint8Array(bytes, speeds + 4 * n, n),
    flags: new Uint8Array(bytes, speeds + 5 * n, n),
  };
}

/** When the fix was taken; 0 when the frame only says that it is old. */
export function fixTimeMs(baseTimeMs: number, ageS: number): number {
  return ageS === AGE_UNKNOWN_S ? 0 : baseTimeMs - ageS * 1000;
}

/** Degrees clockwise from north. */
export function headingDeg(column: number): number {
  return column * HEADING_DEG;
}

// Every vehicle in columns: what panels read, and the bytes that the map's buffer holds, side by side by slot.

import { FLAG_ONLINE, FRAME_SNAPSHOT_FIRST, fixTimeMs, headingDeg, type Frame } from "../api/frames";
import type { Datum, VehicleRows } from "../api/types";
import { fromWgs84 } from "../map/datum";
import { ANCHOR_X, ANCHOR_Y, mercatorX, mercatorYFast } from "../map/mercator";

export const GLYPH_FLOATS = 8; // from x, y; to x, y; start s; duration s; heading; style bytes
export const GLYPH_BYTES = GLYPH_FLOATS * 4;
export const BLOCK_SLOTS = 256; // what is uploaded together: 8 kB
const CAPACITY_MIN = 1024;
const MOVING_01KMH = 50; // as the offline rule counts a vehicle as moving
const GLIDE_S_MIN = 0.3;
const GLIDE_S_MAX = 8; // a longer glide would show where it was, not where it is

export const STATE_ABSENT = 0;
export const STATE_OFFLINE = 1;
export const STATE_STOPPED = 2;
export const STATE_MOVING = 3;
export const STATES = ["moving", "stopped", "offline"] as const;
export type VehicleState = (typeof STATES)[number];
const STATE_NUMBERS: Record<VehicleState, number> = {
  offline: STATE_OFFLINE,
  stopped: STATE_STOPPED,
  moving: STATE_MOVING,
};

export interface Filter {
  text: string;
  kinds: ReadonlySet<number>;
  states: ReadonlySet<VehicleState>;
  region: string;
  alarmedOnly: boolean;
}

export const NO_FILTER: Filter = { text: "", kinds: new Set(), states: new Set(), region: "", alarmedOnly: false };

export class FleetTable {
  count = 0;
  ids = new Uint32Array(CAPACITY_MIN);
  longitudesE7 = new Int32Array(CAPACITY_MIN);
  latitudesE7 = new Int32Array(CAPACITY_MIN);
  speeds01kmh = new Uint16Array(CAPACITY_MIN);
  fixTimesMs = new Float64Array(CAPACITY_MIN);
  headings = new Uint8Array(CAPACITY_MIN);
  flags = new Uint8Array(CAPACITY_MIN);
  states = new Uint8Array(CAPACITY_MIN);
  kinds = new Uint8Array(CAPACITY_MIN);
  colours = new Uint8Array(CAPACITY_MIN);
  alarmLevels = new Uint8Array(CAPACITY_MIN);
  shown = new Uint8Array(CAPACITY_MIN);
  enterprises = new Float64Array(CAPACITY_MIN);
  plates: string[] = [];
  regions: string[] = [];
  glyphs = new Float32Array(CAPACITY_MIN * GLYPH_FLOATS);
  dirty = new Uint8Array(CAPACITY_MIN / BLOCK_SLOTS);
  /** Grows with every change of the register's rows, so that sorted lists know when to sort again. */
  rowsVersion = 0;
  datum: Datum = "WGS84";
  private filter: Filter = NO_FILTER;
  private readonly slots = new Map<number, number>();
  private styles = new Uint8Array(this.glyphs.buffer);

  slotOf(vehicleId: number): number {
    return this.slots.get(vehicleId) ?? -1;
  }

  /** Rows of the register. They come before the first position of each vehicle. */
  tell(rows: VehicleRows): void {
    for (let i = 0; i < rows.vehicle_ids.length; i++) {
      const slot = this.ensureSlot(rows.vehicle_ids[i]!);
      this.plates[slot] = rows.plates[i]!;
      this.regions[slot] = rows.region_codes[i]!;
      this.kinds[slot] = rows.kinds[i]!;
      this.colours[slot] = rows.plate_colours[i]!;
      this.enterprises[slot] = rows.enterprise_ids[i]!;
      this.restyle(slot);
    }
    this.rowsVersion++;
  }

  /** Positions of one frame; `nowS` is the map's clock, from which the shader glides. */
  apply(frame: Frame, nowS: number): void {
    if (frame.kind === FRAME_SNAPSHOT_FIRST) this.forget();
    let slot = -1;
    for (let i = 0; i < frame.count; i++) {
      const id = frame.vehicleIds[i]!;
      slot = this.ids[slot + 1] === id && slot + 1 < this.count ? slot + 1 : this.ensureSlot(id); // mostly in order
      this.move(slot, frame, i, nowS);
    }
    for (let i = 0; i < frame.goneIds.length; i++) {
      const slot = this.slotOf(frame.goneIds[i]!);
      if (slot >= 0) this.setState(slot, STATE_ABSENT);
    }
  }

  /** Gravest open alarm of a vehicle: 0 none, 1 low, 2 medium, 3 high. */
  setAlarmLevel(vehicleId: number, level: number): void {
    const slot = level ? this.ensureSlot(vehicleId) : this.slotOf(vehicleId); // its row may come after the alarm
    if (slot < 0 || this.alarmLevels[slot] === level) return;
    this.alarmLevels[slot] = level;
    this.restyle(slot);
  }

  setFilter(filter: Filter): void {
    this.filter = filter;
    for (let slot = 0; slot < this.count; slot++) this.restyle(slot);
  }

  /** Draws everything again in another datum. */
  setDatum(datum: Datum): void {
    this.datum = datum;
    for (let slot = 0; slot < this.count; slot++) if (this.states[slot]) this.place(slot, 0, 0);
  }

  /** Where the glyph of a slot is at `nowS`, relative to the anchor. */
  glyphAt(slot: number, nowS: number): [number, number] {
    const at = slot * GLYPH_FLOATS;
    const g = this.glyphs;
    const part = Math.min(1, Math.max(0, (nowS - g[at + 4]!) / Math.max(g[at + 5]!, 1e-6)));
    return [g[at]! + (g[at + 2]! - g[at]!) * part, g[at + 1]! + (g[at + 3]! - g[at + 1]!) * part];
  }

  /** Whether a vehicle is among those that the filter keeps. */
  matches(slot: number): boolean {
    const { text, kinds, states, region, alarmedOnly } = this.filter;
    const state = this.states[slot]!;
    if (state === STATE_ABSENT) return false;
    if (kinds.size && !kinds.has(this.kinds[slot]!)) return false;
    if (states.size && !states.has(stateName(state))) return false;
    if (region && this.regions[slot] !== region) return false;
    if (alarmedOnly && !this.alarmLevels[slot]) return false;
    return !text || (this.plates[slot] ?? "").includes(text);
  }

  private move(slot: number, frame: Frame, i: number, nowS: number): void {
    const before = this.states[slot];
    const longitude = frame.longitudesE7[i]!;
    const latitude = frame.latitudesE7[i]!;
    const moved = longitude !== this.longitudesE7[slot] || latitude !== this.latitudesE7[slot];
    const fixMs = fixTimeMs(frame.baseTimeMs, frame.agesS[i]!);
    const glideS = before ? (fixMs - this.fixTimesMs[slot]!) / 1000 : 0;
    this.longitudesE7[slot] = longitude;
    this.latitudesE7[slot] = latitude;
    this.speeds01kmh[slot] = frame.speeds01kmh[i]!;
    this.fixTimesMs[slot] = fixMs;
    this.headings[slot] = frame.headings[i]!;
    this.flags[slot] = frame.flags[i]!;
    if (moved || !before) this.place(slot, nowS, glideS);
    this.glyphs[slot * GLYPH_FLOATS + 6] = (headingDeg(frame.headings[i]!) * Math.PI) / 180;
    this.dirty[(slot / BLOCK_SLOTS) | 0] = 1;
    const state = stateOf(frame.flags[i]!, frame.speeds01kmh[i]!);
    if (state !== before) this.setState(slot, state);
  }

  private place(slot: number, nowS: number, glideS: number): void {
    const at = slot * GLYPH_FLOATS;
    const g = this.glyphs;
    let longitude = this.longitudesE7[slot]! / 1e7;
    let latitude = this.latitudesE7[slot]! / 1e7;
    if (this.datum === "GCJ02") [longitude, latitude] = fromWgs84([longitude, latitude], this.datum);
    const x = mercatorX(longitude) - ANCHOR_X;
    const y = mercatorYFast(latitude) - ANCHOR_Y;
    if (glideS > 0 && glideS < 120) {
      const part = Math.min(1, Math.max(0, (nowS - g[at + 4]!) / Math.max(g[at + 5]!, 1e-6)));
      g[at] = g[at]! + (g[at + 2]! - g[at]!) * part;
      g[at + 1] = g[at + 1]! + (g[at + 3]! - g[at + 1]!) * part;
    } else {
      g[at] = x;
      g[at + 1] = y;
    }
    g[at + 2] = x;
    g[at + 3] = y;
    g[at + 4] = nowS;
    g[at + 5] = Math.min(GLIDE_S_MAX, Math.max(GLIDE_S_MIN, glideS));
    this.dirty[(slot / BLOCK_SLOTS) | 0] = 1;
  }

  private setState(slot: number, state: number): void {
    this.states[slot] = state;
    this.restyle(slot);
  }

  private restyle(slot: number): void {
    const at = slot * GLYPH_BYTES + 28;
    const matches = this.matches(slot) ? 1 : 0;
    this.shown[slot] = matches;
    this.styles[at] = this.kinds[slot]!;
    this.styles[at + 1] = this.states[slot]!;
    this.styles[at + 2] = this.alarmLevels[slot]!;
    this.styles[at + 3] = matches;
    this.dirty[(slot / BLOCK_SLOTS) | 0] = 1;
  }

  private forget(): void {
    for (let slot = 0; slot < this.count; slot++) if (this.states[slot]) this.setState(slot, STATE_ABSENT);
  }

  private ensureSlot(vehicleId: number): number {
    const found = this.slots.get(vehicleId);
    if (found !== undefined) return found;
    if (this.count === this.ids.length) this.grow();
    const slot = this.count++;
    this.slots.set(vehicleId, slot);
    this.ids[slot] = vehicleId;
    this.plates[slot] = "";
    this.regions[slot] = "";
    return slot;
  }

  private grow(): void {
    const capacity = this.ids.length * 2;
    const copy = <A extends { set(old: A): void }>(made: A, old: A): A => (made.set(old), made);
    this.ids = copy(new Uint32Array(capacity), this.ids);
    this.longitudesE7 = copy(new Int32Array(capacity), this.longitudesE7);
    this.latitudesE7 = copy(new Int32Array(capacity), this.latitudesE7);
    this.speeds01kmh = copy(new Uint16Array(capacity), this.speeds01kmh);
    this.fixTimesMs = copy(new Float64Array(capacity), this.fixTimesMs);
    this.headings = copy(new Uint8Array(capacity), this.headings);
    this.flags = copy(new Uint8Array(capacity), this.flags);
    this.states = copy(new Uint8Array(capacity), this.states);
    this.kinds = copy(new Uint8Array(capacity), this.kinds);
    this.colours = copy(new Uint8Array(capacity), this.colours);
    this.alarmLevels = copy(new Uint8Array(capacity), this.alarmLevels);
    this.shown = copy(new Uint8Array(capacity), this.shown);
    this.enterprises = copy(new Float64Array(capacity), this.enterprises);
    this.glyphs = copy(new Float32Array(capacity * GLYPH_FLOATS), this.glyphs);
    this.styles = new Uint8Array(this.glyphs.buffer);
    this.dirty = new Uint8Array(capacity / BLOCK_SLOTS).fill(1);
  }
}

/** What a vehicle is doing, by its flags and speed. */
export function stateOf(flags: number, speed01kmh: number): number {
  if (!(flags & FLAG_ONLINE)) return STATE_OFFLINE;
  return speed01kmh > MOVING_01KMH ? STATE_MOVING : STATE_STOPPED;
}

export function stateName(state: number): VehicleState {
  return STATES.find((name) => STATE_NUMBERS[name] === state) ?? "offline";
}

// The live stream and what it fills: the table of vehicles, and figures that panels read once a second.

import { markRaw, ref, shallowRef } from "vue";

import { LiveLink, type LinkState } from "../api/live";
import type { Frame } from "../api/frames";
import { counts, PlateOrder, type Counts } from "../fleet/lists";
import { Picker } from "../fleet/picking";
import { FleetTable, NO_FILTER, type Filter } from "../fleet/table";
import { mapClockS } from "../map/vehicle_layer";
import { forgetAlarms, newsOfAlarms } from "./alarms";
import { loadSession, me } from "./session";

const PANEL_MS = 1000;
const TIMINGS_KEPT = 512;

export const table = markRaw(new FleetTable());
export const plateOrder = markRaw(new PlateOrder(table));
export const picker = markRaw(new Picker(table));
export const linkState = ref<LinkState>("connecting");
export const retryAtMs = ref(0);
/** False while the gateway itself gets no positions. */
export const sourceLive = ref(true);
/** Grows once a second while positions come; what panels watch instead of 20,000 rows. */
export const tick = ref(0);
export const nowMs = ref(Date.now());
export const totals = shallowRef<Counts>({ all: 0, moving: 0, stopped: 0, offline: 0, alarmed: 0 });
export const filter = shallowRef<Filter>(NO_FILTER);
export const snapshotCame = ref(false);

/** What the stream costs, for the figure in the corner and for measuring: rings of the newest frames. */
export const statistics = markRaw({
  frames: 0,
  changes: 0,
  bytes: 0,
  scriptMs: new Float64Array(TIMINGS_KEPT),
  changesOf: new Float64Array(TIMINGS_KEPT),
});
export const rate = shallowRef({ changes: 0, bytes: 0, scriptMs: 0 });

let link: LiveLink | null = null;
let timer = 0;
let redraw: () => void = () => undefined;
let before = { changes: 0, bytes: 0 };

/** What to do with the map after the table has changed. */
export function whenTableChanges(effect: () => void): void {
  redraw = effect;
}

export function openLive(): void {
  closeLive();
  const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`;
  Object.assign(window, { xiangtongStatistics: statistics });
  const view = { bounding_box: null, kinds: [], region_codes: [], enterprise_ids: [] };
  link = new LiveLink(url, view, { state: linkChanged, vehicles: (rows) => table.tell(rows), positions, alarms: newsOfAlarms, source: (live) => (sourceLive.value = live) });
  link.open();
  timer = window.setInterval(refresh, PANEL_MS);
}

export function closeLive(): void {
  link?.end();
  link = null;
  window.clearInterval(timer);
  snapshotCame.value = false;
  forgetAlarms();
}

export function reconnect(): void {
  link?.open();
}

export function setFilter(changed: Partial<Filter>): void {
  filter.value = { ...filter.value, ...changed };
  table.setFilter(filter.value);
  redraw();
  tick.value++;
}

/** An alarm began or ended for a vehicle. */
export function setAlarmLevel(vehicleId: number, level: number): void {
  table.setAlarmLevel(vehicleId, level);
  redraw();
}

export function refresh(): void {
  nowMs.value = Date.now();
  totals.value = counts(table);
  rate.value = {
    changes: statistics.changes - before.changes,
    bytes: statistics.bytes - before.bytes,
    scriptMs: statistics.scriptMs[(statistics.frames + TIMINGS_KEPT - 1) % TIMINGS_KEPT] ?? 0,
  };
  before = { changes: statistics.changes, bytes: statistics.bytes };
  tick.value++;
}

function positions(frame: Frame, byteCount: number, startedMs: number): void {
  table.apply(frame, mapClockS());
  redraw();
  const at = statistics.frames % TIMINGS_KEPT;
  statistics.scriptMs[at] = performance.now() - startedMs;
  statistics.changesOf[at] = frame.count;
  statistics.frames++;
  statistics.changes += frame.count;
  statistics.bytes += byteCount;
  if (!snapshotCame.value) {
    snapshotCame.value = true;
    refresh();
  }
}

/** The stream's session is over. A changed password ends it too, but then this page has a new one. */
async function checkSession(): Promise<void> {
  await loadSession();
  if (me.value) openLive();
}

function linkChanged(state: LinkState, retryMs: number): void {
  linkState.value = state;
  retryAtMs.value = retryMs ? Date.now() + retryMs : 0;
  if (state === "open") sourceLive.value = true; // it says so if not
  if (state === "ended") void checkSession();
}

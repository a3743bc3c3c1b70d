// Open alarms as they come, and acknowledging them. No sound: a new one is highlighted for some seconds.

import { computed, ref, shallowRef } from "vue";

import { get, post } from "../api/http";
import { LEVELS, type Alarm, type AlarmNews, type Level } from "../api/types";
import { setAlarmLevel } from "./fleet";

const OPEN_MAX = 2000;
const FRESH_MS = 8000;
const TELL_MS = 250; // a storm of alarms redraws the list four times a second, not a thousand times

const open = new Map<string, Alarm>();
const levels = new Map<number, number>();
/** Open alarms, newest first. */
export const openAlarms = shallowRef<Alarm[]>([]);
/** Alarms that came a moment ago and are highlighted. */
export const freshIds = shallowRef<ReadonlySet<string>>(new Set());
export const selectedAlarmId = ref("");
export const levelCounts = computed(() =>
  Object.fromEntries(LEVELS.map((level) => [level, openAlarms.value.filter((alarm) => alarm.level === level).length])) as Record<Level, number>,
);
let timer = 0;

export function newsOfAlarms(news: AlarmNews): void {
  if (news.snapshot) open.clear();
  for (const alarm of news.alarms) {
    const known = open.has(alarm.alarm_id);
    if (alarm.state === "open") open.set(alarm.alarm_id, alarm);
    else open.delete(alarm.alarm_id);
    if (!news.snapshot && !known && alarm.state === "open" && !alarm.late) highlight(alarm.alarm_id);
  }
  timer ||= window.setTimeout(publish, TELL_MS);
}

export function forgetAlarms(): void {
  open.clear();
  publish();
}

export async function acknowledge(alarm: Alarm, remark: string): Promise<Alarm> {
  const done = await post<Alarm>(`/api/alarms/${encodeURIComponent(alarm.alarm_id)}/acknowledge`, { remark, etag: "" });
  open.delete(alarm.alarm_id);
  if (selectedAlarmId.value === alarm.alarm_id) selectedAlarmId.value = "";
  publish();
  return done;
}

export interface AlarmQuery {
  state: "" | Alarm["state"];
  rules: string[];
  vehicle_id?: number;
  start_time_ms?: number;
  end_time_ms?: number;
  page_token?: string;
}

export function alarmPage(query: AlarmQuery): Promise<{ alarms: Alarm[]; next_page_token: string }> {
  return get("/api/alarms", { ...query, page_size: 50 });
}

function publish(): void {
  window.clearTimeout(timer);
  timer = 0;
  const newest = [...open.values()].sort((a, b) => b.raise_time_ms - a.raise_time_ms);
  for (const alarm of newest.splice(OPEN_MAX)) open.delete(alarm.alarm_id);
  openAlarms.value = newest;
  publishLevels(newest);
}

/** The ring around a vehicle: its gravest alarm that still holds and that nobody has acknowledged. */
function publishLevels(alarms: Alarm[]): void {
  const now = new Map<number, number>();
  for (const alarm of alarms) {
    if (alarm.clear_time_ms !== null) continue;
    now.set(alarm.vehicle_id, Math.max(now.get(alarm.vehicle_id) ?? 0, LEVELS.indexOf(alarm.level) + 1));
  }
  for (const [vehicleId, level] of now) if (levels.get(vehicleId) !== level) setAlarmLevel(vehicleId, level);
  for (const vehicleId of levels.keys()) if (!now.has(vehicleId)) setAlarmLevel(vehicleId, 0);
  levels.clear();
  for (const [vehicleId, level] of now) levels.set(vehicleId, level);
}

function highlight(alarmId: string): void {
  freshIds.value = new Set([...freshIds.value, alarmId]);
  window.setTimeout(() => {
    const rest = new Set(freshIds.value);
    rest.delete(alarmId);
    freshIds.value = rest;
  }, FRESH_MS);
}

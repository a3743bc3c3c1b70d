// The bits of the alarm and status words of JT/T 808, and alarms, in words.

import type { Alarm, Language } from "../api/types";
import { t, tAny } from "./locale";

type Pair = readonly [zh: string, en: string];

/** JT/T 808-2019 table of the alarm word; bits that only older editions name keep that name. */
const ALARM_BITS: Record<number, Pair> = {
  0: ["紧急报警", "emergency"],
  1: ["超速报警", "overspeed"],
  2: ["疲劳驾驶", "fatigue"],
  3: ["危险驾驶行为", "dangerous driving"],
  4: ["GNSS 模块故障", "GNSS fault"],
  5: ["GNSS 天线未接或被剪断", "GNSS antenna cut"],
  6: ["GNSS 天线短路", "GNSS antenna short"],
  7: ["主电源欠压", "main power low"],
  8: ["主电源掉电", "main power lost"],
  9: ["显示屏故障", "display fault"],
  10: ["语音模块故障", "speech fault"],
  11: ["摄像头故障", "camera fault"],
  12: ["道路运输证 IC 卡模块故障", "IC-card fault"],
  13: ["超速预警", "overspeed warning"],
  14: ["疲劳驾驶预警", "fatigue warning"],
  15: ["违规行驶", "rule-breaking driving"],
  16: ["胎压预警", "tyre pressure warning"],
  17: ["右转盲区异常", "right-turn blind spot"],
  18: ["当天累计驾驶超时", "daily driving time exceeded"],
  19: ["超时停车", "parked too long"],
  20: ["进出区域", "area entered or left"],
  21: ["进出路线", "route entered or left"],
  22: ["路段行驶时间不足或过长", "segment time too short or long"],
  23: ["路线偏离", "off the route"],
  24: ["车速传感器故障", "speed sensor fault"],
  25: ["油量异常", "fuel abnormal"],
  26: ["车辆被盗", "stolen"],
  27: ["非法点火", "illegal ignition"],
  28: ["非法位移", "illegal movement"],
  29: ["碰撞侧翻", "collision or rollover"],
  30: ["侧翻预警", "rollover warning"],
  31: ["非法开门", "illegal door opening"],
};

const STATUS_BITS: Record<number, Pair> = {
  4: ["停运", "out of service"],
  5: ["坐标已加密", "coordinates encrypted"],
  6: ["紧急刹车前撞预警", "forward collision warning"],
  7: ["车道偏移预警", "lane departure warning"],
  10: ["油路断开", "oil circuit cut"],
  11: ["电路断开", "electric circuit cut"],
  12: ["车门加锁", "doors locked"],
  13: ["前门开", "front door open"],
  14: ["中门开", "middle door open"],
  15: ["后门开", "rear door open"],
  16: ["驾驶席门开", "driver's door open"],
  17: ["自定义门开", "other door open"],
};
const LOADS: Record<number, Pair> = { 0: ["空载", "empty"], 1: ["半载", "half loaded"], 3: ["满载", "fully loaded"] };
const SATELLITES: Record<number, Pair> = { 18: ["GPS", "GPS"], 19: ["北斗", "BeiDou"], 20: ["GLONASS", "GLONASS"], 21: ["Galileo", "Galileo"] };

/** One word for each bit of the alarm word that is set. */
export function alarmWords(word: number, language: Language): string[] {
  return bits(word).map((bit) => alarmBit(bit, language));
}

export function alarmBit(bit: number, language: Language): string {
  return pick(ALARM_BITS[bit] ?? [`第 ${bit} 位`, `bit ${bit}`], language);
}

/** What the status word says, in the order in which an operator asks. */
export function statusWords(word: number, language: Language): string[] {
  const on = (bit: number): boolean => ((word >>> bit) & 1) === 1;
  const load = LOADS[(word >>> 8) & 3];
  const receivers = Object.entries(SATELLITES).filter(([bit]) => on(Number(bit)));
  const said: Pair[] = [
    on(0) ? ["点火", "ignition on"] : ["熄火", "ignition off"],
    on(1) ? ["已定位", "positioned"] : ["未定位", "not positioned"],
    ...(load ? [load] : []),
    ...Object.entries(STATUS_BITS).filter(([bit]) => on(Number(bit))).map(([, pair]) => pair),
    ...receivers.map(([, pair]) => pair),
  ];
  return said.map((pair) => pick(pair, language));
}

/** The name of an alarm's rule; a terminal alarm is named by its bit. */
export function ruleName(alarm: Pick<Alarm, "rule" | "measured_value">, language: Language): string {
  return alarm.rule === "terminal" ? alarmBit(alarm.measured_value, language) : tAny(`rule.${alarm.rule}`);
}

/** What an alarm says beyond its rule's name. */
export function alarmText(alarm: Alarm, fenceName: string): string {
  if (alarm.rule.startsWith("fence_")) return t("alarm_text.fence", { fence: fenceName || `#${alarm.fence_id}` });
  if (alarm.rule === "terminal") return t("rule.terminal");
  const values = { measured: round(alarm.measured_value), limit: round(alarm.limit_value) };
  return tAny(`alarm_text.${alarm.rule}`, values);
}

/** The eighth of the compass that a heading lies in. */
export function compass(headingDeg: number): string {
  return tAny(`heading.${Math.round((((headingDeg % 360) + 360) % 360) / 45) % 8}`);
}

/** `3 分钟`, `2 h`: how long something lasted. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return t("age.seconds", { n: seconds });
  if (seconds < 3600) return t("age.minutes", { n: Math.floor(seconds / 60) });
  if (seconds < 172_800) return t("age.hours", { n: Math.floor(seconds / 3600) });
  return t("age.days", { n: Math.floor(seconds / 86_400) });
}

/** `3 分钟前`. */
export function ago(ms: number): string {
  return t("card.ago", { age: span(ms) });
}

function bits(word: number): number[] {
  return Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (word >>> bit) & 1);
}

function pick(pair: Pair, language: Language): string {
  return language === "zh" ? pair[0] : pair[1].charAt(0).toUpperCase() + pair[1].slice(1);
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

import { afterEach, expect, test } from "vitest";

import { Refusal } from "../src/api/http";
import type { Alarm } from "../src/api/types";
import { en } from "../src/text/en";
import { errorText, language, t, tAny } from "../src/text/locale";
import { plateText } from "../src/text/plates";
import { alarmText, alarmWords, compass, ruleName, span, statusWords } from "../src/text/words";
import { zh } from "../src/text/zh";

afterEach(() => {
  language.value = "zh";
});

test("both languages have the same placeholders", () => {
  const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
  for (const key of Object.keys(zh) as (keyof typeof zh)[]) expect([key, holes(en[key])]).toEqual([key, holes(zh[key])]);
});

test("every set bit of the alarm word has a word", () => {
  expect(alarmWords(0, "zh")).toEqual([]);
  expect(alarmWords(0b110, "zh")).toEqual(["超速报警", "疲劳驾驶"]);
  expect(alarmWords(0xffffffff, "en")).toHaveLength(32);
  expect(alarmWords(0x80000000, "en")).toEqual(["Illegal door opening"]);
});

test.each([
  [0b11, ["点火", "已定位", "空载"]],
  [0, ["熄火", "未定位", "空载"]],
  [0x301 | (1 << 13) | (1 << 19), ["点火", "未定位", "满载", "前门开", "北斗"]],
  [0x200, ["熄火", "未定位"]],
])("status word %i is said in words", (word, words) => {
  expect(statusWords(word, "zh")).toEqual(words);
});

test("an alarm says what was measured", () => {
  const alarm = { rule: "overspeed", measured_value: 92.04, limit_value: 80, fence_id: 0 } as Alarm;
  expect(alarmText(alarm, "")).toBe("车速 92 km/h，限速 80 km/h");
  expect(alarmText({ ...alarm, rule: "fence_enter", fence_id: 7 }, "长沙城区")).toBe("围栏「长沙城区」");
  expect(alarmText({ ...alarm, rule: "fence_exit", fence_id: 7 }, "")).toBe("围栏「#7」");
});

test("a terminal alarm is named by its bit", () => {
  expect(ruleName({ rule: "terminal", measured_value: 2 }, "zh")).toBe("疲劳驾驶");
  expect(ruleName({ rule: "overspeed", measured_value: 90 }, "zh")).toBe("超速");
});

test.each([
  [0, "北"],
  [44, "东北"],
  [359, "北"],
  [180, "南"],
])("heading %i lies in the %s", (degrees, word) => {
  expect(compass(degrees)).toBe(word);
});

test.each([
  [5_000, "5 秒"],
  [125_000, "2 分钟"],
  [7_200_000, "2 小时"],
  [200_000_000, "2 天"],
])("%i ms is said as %s", (ms, words) => {
  expect(span(ms)).toBe(words);
});

test("a plate is written with its dot", () => {
  expect(plateText("湘A12345")).toBe("湘A·12345");
  expect(plateText("")).toBe("");
});

test("an error says what to do", () => {
  expect(errorText(new Refusal("TOO_MANY_ATTEMPTS", "", 429, {}, 4200))).toContain("5 秒");
  expect(errorText(new Refusal("INVALID_INPUT", "", 400, { "fence.name": "empty" }))).toContain("fence.name: empty");
  expect(errorText(new Refusal("FENCE_NOT_FOUND", "", 404))).toBe(t("error.NOT_FOUND"));
  expect(errorText(new Refusal("API_UNAVAILABLE", "", 503))).toBe(t("error.UNAVAILABLE"));
  expect(errorText(new Refusal("ODD", "why", 409))).toContain("ODD");
});

test("a key without words is shown as it is", () => {
  expect(tAny("rule.unheard_of")).toBe("rule.unheard_of");
});

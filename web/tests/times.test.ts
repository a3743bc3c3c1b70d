import { expect, test } from "vitest";

import { clockTime, dateTime, inputTime, instantOf, minutesOf, timeOf } from "../src/text/times";

const MIDNIGHT_UTC = Date.UTC(2025, 10, 25);

test("times are shown in Asia/Shanghai whatever the browser's zone", () => {
  expect(dateTime(MIDNIGHT_UTC)).toBe("2025-11-25 08:00:00");
  expect(clockTime(MIDNIGHT_UTC)).toBe("08:00:00");
});

test("no time is a dash", () => {
  expect(dateTime(0)).toBe("–");
  expect(clockTime(Number.NaN)).toBe("–");
});

test("an input's value is read back as the instant it was made from", () => {
  expect(instantOf(inputTime(MIDNIGHT_UTC))).toBe(MIDNIGHT_UTC);
  expect(instantOf("")).toBeNaN();
});

test("minutes of the day are written as times and read back", () => {
  expect(timeOf(390)).toBe("06:30");
  expect(minutesOf("06:30")).toBe(390);
});

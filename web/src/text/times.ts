// Every time the console shows is Asia/Shanghai, which has had no daylight saving since 1991: a fixed shift is exact.
const SHANGHAI_MS = 8 * 3_600_000;

/** `2025-11-25 11:40:41`, Asia/Shanghai; an en dash for no time. */
export function dateTime(ms: number): string {
  return Number.isFinite(ms) && ms > 0 ? shifted(ms).slice(0, 19).replace("T", " ") : "–";
}

/** `11:40:41`, Asia/Shanghai. */
export function clockTime(ms: number): string {
  return Number.isFinite(ms) && ms > 0 ? shifted(ms).slice(11, 19) : "–";
}

/** The value of an `<input type="datetime-local">` for an instant. */
export function inputTime(ms: number): string {
  return shifted(ms).slice(0, 16);
}

/** The instant that such a value means; NaN when it is incomplete. */
export function instantOf(inputValue: string): number {
  return Date.parse(`${inputValue}Z`) - SHANGHAI_MS;
}

/** `06:30` for minute 390 of the day. */
export function timeOf(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

/** The minute of the day that `06:30` means. */
export function minutesOf(inputValue: string): number {
  const [hours, minutes] = inputValue.split(":").map(Number);
  return (hours ?? 0) * 60 + (minutes ?? 0);
}

function shifted(ms: number): string {
  return new Date(ms + SHANGHAI_MS).toISOString();
}

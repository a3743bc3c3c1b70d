import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { LiveLink, type LiveEvents, type LinkState } from "../src/api/live";
import { frameBytes } from "./builders";

const VIEW = { bounding_box: null, kinds: [], region_codes: [], enterprise_ids: [] };
let sockets: FakeSocket[] = [];

class FakeSocket {
  static readonly OPEN = 1;
  readyState = 1;
  binaryType = "";
  sent: { type: string; [key: string]: unknown }[] = [];
  onopen = (): void => undefined;
  onmessage = (_: { data: ArrayBuffer | string }): void => undefined;
  onclose = (_: { code: number }): void => undefined;
  constructor(readonly url: string) {
    sockets.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.onclose({ code: 1006 });
  }
}

beforeEach(() => {
  sockets = [];
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("window", globalThis);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function opened(): { states: LinkState[]; waits: number[]; events: LiveEvents } {
  const states: LinkState[] = [];
  const waits: number[] = [];
  const state = (now: LinkState, retryMs: number): void => {
    states.push(now);
    if (retryMs) waits.push(retryMs);
  };
  const events = { state, vehicles: vi.fn(), positions: vi.fn(), alarms: vi.fn(), source: vi.fn() } as unknown as LiveEvents;
  const link = new LiveLink("ws://here/api/live", VIEW, events);
  link.open();
  sockets[0]!.onopen();
  return { states, waits, events };
}

test("a new link says what it wants to see, and a numbered frame is answered", () => {
  const { events } = opened();
  expect(sockets[0]!.sent[0]).toEqual({ type: "view", ...VIEW });
  sockets[0]!.onmessage({ data: frameBytes({ number: 9 }) });
  expect(events.positions).toHaveBeenCalledOnce();
  expect(sockets[0]!.sent.at(-1)).toEqual({ type: "seen", number: 9 });
});

test("news of the source are told", () => {
  const { events } = opened();
  sockets[0]!.onmessage({ data: '{"type":"source","live":false}' });
  expect(events.source).toHaveBeenCalledWith(false);
});

test("a part of a snapshot has no number and is not answered", () => {
  opened();
  sockets[0]!.onmessage({ data: frameBytes({ number: 0, kind: 1 }) });
  expect(sockets[0]!.sent).toHaveLength(1);
});

test("a lost link comes back and resumes where it was", () => {
  const { states } = opened();
  sockets[0]!.onmessage({ data: frameBytes({ number: 9 }) });
  sockets[0]!.onmessage({ data: JSON.stringify({ type: "alarms", snapshot: true, alarms: [], alarm_number: 4 }) });
  sockets[0]!.close();
  expect(states.at(-1)).toBe("lost");
  vi.advanceTimersByTime(1000);
  sockets[1]!.onopen();
  expect(sockets[1]!.sent[0]).toMatchObject({ resume: { epoch: 11, number: 9, alarm_number: 4 } });
  expect(states).toEqual(["connecting", "open", "lost", "connecting", "open"]);
});

test("waiting doubles while the gateway stays away, up to a bound", () => {
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  const { waits } = opened();
  for (let i = 0; i < 7; i++) {
    sockets.at(-1)!.close();
    vi.advanceTimersByTime(waits.at(-1)!);
  }
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
});

test("silence beyond two heartbeats counts as lost", () => {
  const { states } = opened();
  vi.advanceTimersByTime(26_000);
  expect(states).toContain("lost");
});

test("a session that is over is not tried again", () => {
  const { states } = opened();
  sockets[0]!.onclose({ code: 4401 });
  vi.advanceTimersByTime(60_000);
  expect(states.at(-1)).toBe("ended");
  expect(sockets).toHaveLength(1);
});

// The live stream: one WebSocket that comes back by itself and goes on where it was.

import { frame, type Frame } from "./frames";
import type { AlarmNews, SourceNews, VehicleRows, View } from "./types";

export type LinkState = "connecting" | "open" | "lost" | "ended";

export interface LiveEvents {
  state(state: LinkState, retryMs: number): void;
  vehicles(rows: VehicleRows): void;
  /** `startedMs`: when the handler of the frame began, by performance.now(). */
  positions(frame: Frame, byteCount: number, startedMs: number): void;
  alarms(news: AlarmNews): void;
  source(live: boolean): void;
}

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;
const SILENCE_MS_MAX = 25_000; // heartbeats come every 10 s, so two were lost
const CLOSE_SESSION_OVER = 4401;

export class LiveLink {
  private socket: WebSocket | null = null;
  private retryMs = RETRY_MS_MIN;
  private timer = 0;
  private silence = 0;
  private epoch = 0;
  private number = 0;
  private alarmNumber = 0;
  private ended = false;

  constructor(
    private readonly url: string,
    private view: View,
    private readonly events: LiveEvents,
  ) {}

  open(): void {
    if (this.ended) return;
    window.clearTimeout(this.timer);
    this.events.state("connecting", 0);
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.opened(socket);
    socket.onmessage = (event) => this.received(socket, event.data);
    socket.onclose = (event) => this.closed(socket, event.code);
    this.socket = socket;
  }

  /** Tells the gateway what is looked at from now on. */
  show(view: View): void {
    this.view = view;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "view", ...view }));
  }

  end(): void {
    this.ended = true;
    window.clearTimeout(this.timer);
    window.clearTimeout(this.silence);
    this.socket?.close();
  }

  private opened(socket: WebSocket): void {
    const resume = { epoch: this.epoch, number: this.number, alarm_number: this.alarmNumber };
    socket.send(JSON.stringify({ type: "view", ...this.view, ...(this.epoch ? { resume } : {}) }));
    this.events.state("open", 0);
    this.heard();
  }

  private received(socket: WebSocket, data: ArrayBuffer | string): void {
    if (socket !== this.socket) return;
    const startedMs = performance.now();
    this.heard();
    this.retryMs = RETRY_MS_MIN;
    if (typeof data === "string") {
      this.told(JSON.parse(data) as VehicleRows | AlarmNews | SourceNews);
      return;
    }
    const positions = frame(data);
    this.events.positions(positions, data.byteLength, startedMs);
    this.epoch = positions.epoch;
    if (positions.number) {
      this.number = positions.number;
      socket.send(`{"type":"seen","number":${positions.number}}`);
    }
  }

  private told(news: VehicleRows | AlarmNews | SourceNews): void {
    if (news.type === "vehicles") this.events.vehicles(news);
    else if (news.type === "source") this.events.source(news.live);
    else if (news.type === "alarms") {
      this.alarmNumber = news.alarm_number;
      this.events.alarms(news);
    }
  }

  private heard(): void {
    window.clearTimeout(this.silence);
    this.silence = window.setTimeout(() => this.socket?.close(), SILENCE_MS_MAX);
  }

  private closed(socket: WebSocket, code: number): void {
    if (socket !== this.socket || this.ended) return;
    window.clearTimeout(this.silence);
    if (code === CLOSE_SESSION_OVER) {
      this.ended = true;
      this.events.state("ended", 0);
      return;
    }
    const wait = this.retryMs * (0.75 + Math.random() / 2); // spread, so that a restarted gateway is not stormed
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX);
    this.events.state("lost", wait);
    this.timer = window.setTimeout(() => this.open(), wait);
  }
}

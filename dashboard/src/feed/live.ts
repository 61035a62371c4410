// The live feed: one WebSocket, resumed by epoch and sequence number, opened again by itself for ever.
import type { Fleet, VehicleName } from "../store/fleet";
import { readFrame } from "../wire";
import { type LinkState, linkState, mustReopen, retryAfterS } from "./link";

export interface Alert {
  id: string;
  kind: string;
  priority: number;
  since_time: number;
  vehicle_id: string | null;
  route_id: string | null;
  trip_id: string | null;
  value: number | null;
}

export interface Health {
  status: string;
  reasons: string[];
  newest_fix_age_s: number | null;
  rejected: Record<string, number>;
  received: number;
  stored: number;
  step_ms_p99: number;
  store_lag_s: number;
}

interface Hello {
  epoch: number;
  base_time_s: number;
  server_time_s: number;
  network_version: string;
  stale_after_s: number;
  demo: boolean;
}

const CHECK_MS = 250;
const PING_MS = 10_000;
const LATENCIES_KEPT = 600;

export class LiveFeed {
  state: LinkState = "connecting";
  frozenAtS: number | null = null;
  alerts: Alert[] = [];
  health: Health | null = null;
  hello: Hello | null = null;
  frames = 0;
  readonly latenciesMs: number[] = [];
  private socket: WebSocket | null = null;
  private attempt = 0;
  private openedMs = 0;
  private frameMs: number | null = null;
  private readonly startedMs = performance.now();
  private retry: number | null = null;
  private clockOffsetS = 0; // server minus browser
  private roundTripMs = Number.POSITIVE_INFINITY;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly fleet: Fleet,
    private readonly onNetwork: (version: string) => void,
  ) {}

  start(): void {
    this.open();
    window.setInterval(() => this.check(), CHECK_MS);
    window.setInterval(() => this.ping(), PING_MS);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** The server's time as well as it is known here, UTC s. */
  nowS(): number {
    return Date.now() / 1000 + this.clockOffsetS;
  }

  private open(): void {
    this.retry = null;
    this.socket?.close();
    const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live`;
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.openedMs = performance.now();
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: "hello", epoch: this.fleet.epoch, seq: this.fleet.seq }));
      this.ping();
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.take(event.data);
    };
    socket.onclose = () => {
      if (socket === this.socket) this.reopenLater();
    };
  }

  private reopenLater(): void {
    if (this.retry !== null) return;
    this.socket = null;
    this.retry = window.setTimeout(() => this.open(), 1000 * retryAfterS(this.attempt++, Math.random()));
  }

  private take(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      const frame = readFrame(data);
      this.attempt = 0;
      this.frames++;
      this.frameMs = performance.now();
      this.fleet.apply(frame);
      this.latenciesMs.push((this.nowS() - frame.serverTimeS) * 1000);
      if (this.latenciesMs.length > LATENCIES_KEPT) this.latenciesMs.shift();
      if (this.state !== "live") this.check();
      return;
    }
    const message = JSON.parse(data) as { type: string } & Record<string, unknown>;
    switch (message.type) {
      case "hello":
        this.greet(message as unknown as Hello);
        break;
      case "registry":
        this.fleet.register(message.from as number, message.vehicles as VehicleName[]);
        break;
      case "alerts":
        this.alerts = message.alerts as Alert[];
        break;
      case "health":
        this.health = message.health as Health;
        break;
      case "pong":
        this.learnClock(message.t as number, message.server_time_s as number);
        break;
    }
    this.changed();
  }

  private greet(hello: Hello): void {
    if (this.roundTripMs === Number.POSITIVE_INFINITY) this.clockOffsetS = hello.server_time_s - Date.now() / 1000;
    if (this.hello?.network_version !== hello.network_version) this.onNetwork(hello.network_version);
    this.hello = hello;
    this.fleet.begin(hello.epoch, hello.base_time_s);
  }

  private ping(): void {
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ type: "ping", t: performance.now() }));
    }
  }

  private learnClock(sentMs: number, serverTimeS: number): void {
    const roundTripMs = performance.now() - sentMs;
    if (roundTripMs > 2 * this.roundTripMs) return; // a slow answer says less about the offset than a quick one did
    this.roundTripMs = roundTripMs;
    this.clockOffsetS = serverTimeS + roundTripMs / 2000 - Date.now() / 1000;
  }

  private check(): void {
    const now = performance.now();
    const sinceFrameS = this.frameMs === null ? null : (now - this.frameMs) / 1000;
    if (this.socket && mustReopen(sinceFrameS, (now - this.openedMs) / 1000)) {
      this.socket.onclose = null;
      this.socket.close();
      this.reopenLater();
    }
    const next = linkState(sinceFrameS, (now - this.startedMs) / 1000);
    if (next === "frozen" && this.state !== "frozen") {
      this.frozenAtS = this.nowS() - (sinceFrameS ?? (now - this.startedMs) / 1000);
    }
    if (next !== this.state) {
      this.state = next;
      this.changed();
    }
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

// The fleet as typed arrays, outside React: the map draws from them, panels look at them once a second.
import { COLUMNS, type ColumnName, emptyColumn, FLAG, type Frame, STATE, UNKNOWN } from "../wire";

export interface VehicleName {
  id: string;
  label: string;
}

type Columns = Frame["columns"];

export class Fleet {
  size = 0;
  columns: Columns;
  names: VehicleName[] = [];
  epoch = 0;
  seq = 0;
  baseTimeS = 0;
  version = 0;
  private capacity = 256;
  private readonly listeners = new Set<() => void>();

  constructor() {
    this.columns = this.allocate(this.capacity);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Another epoch means the server started anew: what was known is forgotten. */
  begin(epoch: number, baseTimeS: number): void {
    if (epoch !== this.epoch) {
      this.size = 0;
      this.seq = 0;
      this.names = [];
    }
    this.epoch = epoch;
    this.baseTimeS = baseTimeS;
    this.changed();
  }

  register(from: number, vehicles: VehicleName[]): void {
    vehicles.forEach((vehicle, index) => {
      this.names[from + index] = { id: vehicle.id, label: vehicle.label };
    });
  }

  apply(frame: Frame): void {
    const rows = frame.columns.vehicle;
    let top = this.size;
    for (let i = 0; i < frame.n; i++) top = Math.max(top, (rows[i] ?? 0) + 1);
    this.growTo(top);
    this.size = top;
    for (const [name] of COLUMNS) {
      const into = this.columns[name];
      const from = frame.columns[name];
      for (let i = 0; i < frame.n; i++) into[rows[i] as number] = from[i] as number;
    }
    this.seq = frame.seq;
    this.changed();
  }

  get(name: ColumnName, index: number): number {
    return this.columns[name][index] as number;
  }

  has(index: number, flag: number): boolean {
    return (this.get("flags", index) & flag) !== 0;
  }

  placed(index: number): boolean {
    return this.get("lat_e6", index) !== UNKNOWN.i32;
  }

  /** Age of the newest fix of the vehicle in s; null when it has none. */
  fixAgeS(index: number, nowS: number): number | null {
    const ds = this.get("fix_ds", index);
    return ds === UNKNOWN.i32 ? null : Math.max(0, nowS - this.baseTimeS - ds / 10);
  }

  counts(): { live: number; stale: number } {
    let live = 0;
    let stale = 0;
    for (let i = 0; i < this.size; i++) {
      const state = this.get("state", i);
      if (state !== STATE.inService && state !== STATE.layover) continue;
      if (this.has(i, FLAG.stale)) stale++;
      else live++;
    }
    return { live, stale };
  }

  newestFixAgeS(nowS: number): number | null {
    let newest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < this.size; i++) {
      const ds = this.get("fix_ds", i);
      if (ds !== UNKNOWN.i32 && ds > newest) newest = ds;
    }
    return newest === Number.NEGATIVE_INFINITY ? null : Math.max(0, nowS - this.baseTimeS - newest / 10);
  }

  private changed(): void {
    this.version++;
    for (const listener of this.listeners) listener();
  }

  private allocate(capacity: number): Columns {
    const columns = {} as Columns;
    for (const [name, kind] of COLUMNS) columns[name] = emptyColumn(kind, capacity);
    return columns;
  }

  private growTo(count: number): void {
    if (count <= this.capacity) return;
    while (this.capacity < count) this.capacity *= 2;
    const grown = this.allocate(this.capacity);
    for (const [name] of COLUMNS) (grown[name] as Uint8Array).set(this.columns[name] as Uint8Array);
    this.columns = grown;
  }
}

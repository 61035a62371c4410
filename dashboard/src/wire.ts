// The live frame, read as dispatch/feeds/frame.json lays it out; the server packs from the same file.
import schema from "../../dispatch/feeds/frame.json";

const WIDTH = { u8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f64: 8 } as const;
type Kind = keyof typeof WIDTH;
type Column = Uint8Array | Uint16Array | Int16Array | Uint32Array | Int32Array;

export type ColumnName =
  | "vehicle"
  | "lon_e6"
  | "lat_e6"
  | "fix_ds"
  | "along_dm"
  | "deviation_s"
  | "headway_s"
  | "headway_behind_s"
  | "target_headway_s"
  | "heading_deg"
  | "speed_cmps"
  | "route"
  | "pattern"
  | "state"
  | "flags"
  | "occupancy_pct"
  | "match_pct";

export const COLUMNS = schema.columns.map(([name, kind]) => [name as ColumnName, kind as Kind] as const);
export const UNKNOWN = { i32: 2147483647, u16: 65535, i16: -32768, u8: 255, along: -1 } as const;
export const FLAG = { stale: 1, offRoute: 2, offline: 4, doorsOpen: 8, inferred: 16, doubtful: 32, panic: 64 } as const;
export const STATE = { unknown: 0, inService: 1, layover: 2, deadhead: 3, signedOff: 4 } as const;

export interface Frame {
  epoch: number;
  seq: number;
  serverTimeS: number;
  n: number;
  columns: Record<ColumnName, Column>;
}

const HEADER = offsets(schema.header as [string, Kind][]);

function offsets(fields: [string, Kind][]): { at: Record<string, number>; bytes: number } {
  const at: Record<string, number> = {};
  let bytes = 0;
  for (const [name, kind] of fields) {
    at[name] = bytes;
    bytes += WIDTH[kind];
  }
  return { at, bytes };
}

export function emptyColumn(kind: Kind, n: number): Column {
  return view(kind, new ArrayBuffer(n * WIDTH[kind]), 0, n);
}

function view(kind: Kind, buffer: ArrayBuffer, at: number, n: number): Column {
  switch (kind) {
    case "u8":
      return new Uint8Array(buffer, at, n);
    case "u16":
      return new Uint16Array(buffer, at, n);
    case "i16":
      return new Int16Array(buffer, at, n);
    case "u32":
      return new Uint32Array(buffer, at, n);
    case "i32":
      return new Int32Array(buffer, at, n);
    default:
      throw new Error(`no column is ${kind}`);
  }
}

/** The rows of a frame as views on its bytes; throws when it is no frame of this version. */
export function readFrame(buffer: ArrayBuffer): Frame {
  const header = new DataView(buffer);
  const at = HEADER.at as Record<string, number>;
  const field = (name: string) => at[name] ?? 0;
  if (buffer.byteLength < HEADER.bytes || header.getUint32(field("magic"), true) !== schema.magic) {
    throw new Error("not a live frame");
  }
  if (header.getUint16(field("version"), true) !== schema.version) throw new Error("a live frame of another version");
  const n = header.getUint32(field("n"), true);
  const columns = {} as Record<ColumnName, Column>;
  let offset = HEADER.bytes;
  for (const [name, kind] of COLUMNS) {
    offset += (WIDTH[kind] - (offset % WIDTH[kind])) % WIDTH[kind];
    columns[name] = view(kind, buffer, offset, n);
    offset += n * WIDTH[kind];
  }
  return {
    epoch: header.getUint32(field("epoch"), true),
    seq: header.getUint32(field("seq"), true),
    serverTimeS: header.getFloat64(field("server_time_s"), true),
    n,
    columns,
  };
}

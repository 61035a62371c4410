import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Fleet } from "../src/store/fleet";
import { type ColumnName, readFrame } from "../src/wire";

const folder = new URL("../../tests/feeds/golden/", import.meta.url);
const bytes = readFileSync(new URL("frame.bin", folder));
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
const meaning = JSON.parse(readFileSync(new URL("frame.json", folder), "utf8"));

describe("the golden frame of the server", () => {
  test("is read to the same values", () => {
    const frame = readFrame(buffer);
    expect([frame.epoch, frame.seq, frame.serverTimeS]).toEqual([77, 12, meaning.server_time_s]);
    for (const [name, values] of Object.entries(meaning.columns)) {
      expect(Array.from(frame.columns[name as ColumnName])).toEqual(values);
    }
  });

  test("cut short or of another kind is refused", () => {
    expect(() => readFrame(buffer.slice(0, 10))).toThrow();
    expect(() => readFrame(new ArrayBuffer(64))).toThrow();
  });
});

describe("the fleet", () => {
  test("takes rows by their index and grows", () => {
    const fleet = new Fleet();
    fleet.begin(77, 0);
    fleet.apply(readFrame(buffer));
    expect(fleet.size).toBe(5);
    expect(fleet.get("lat_e6", 4)).toBe(2147483647);
    expect(fleet.placed(4)).toBe(false);
    expect(fleet.seq).toBe(12);
  });

  test("forgets everything when the server is another", () => {
    const fleet = new Fleet();
    fleet.begin(77, 0);
    fleet.register(0, [{ id: "1/1", label: "1" }]);
    fleet.apply(readFrame(buffer));
    fleet.begin(78, 0);
    expect([fleet.size, fleet.seq, fleet.names.length]).toEqual([0, 0, 0]);
  });
});

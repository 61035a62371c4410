import { describe, expect, test } from "vitest";
import { judge, type LineSpacing, minutes, spacings, worstFirst } from "../src/headways";
import { Fleet } from "../src/store/fleet";
import { UNKNOWN } from "../src/wire";

function bus(fleet: Fleet, index: number, told: Partial<Record<string, number>>): void {
  fleet.size = Math.max(fleet.size, index + 1);
  const all = {
    state: 1,
    route: 0,
    pattern: 0,
    along_dm: 1000,
    headway_s: 300,
    target_headway_s: 300,
    flags: 0,
    ...told,
  };
  for (const [name, value] of Object.entries(all)) fleet.columns[name as "state"][index] = value as number;
}

describe("a gap", () => {
  test.each([
    [149, 300, "bunched"],
    [150, 300, "even"],
    [450, 300, "even"],
    [451, 300, "gap"],
    [null, 300, "unknown"],
    [300, null, "unknown"],
    [300, 0, "unknown"],
  ] as const)("of %s against %s is %s", (headway, target, judged) => {
    expect(judge(headway, target)).toBe(judged);
  });
});

describe("a line", () => {
  test("stands in running order, foremost first, by direction", () => {
    const fleet = new Fleet();
    bus(fleet, 0, { along_dm: 1000 });
    bus(fleet, 1, { along_dm: 5000, headway_s: UNKNOWN.u16 });
    bus(fleet, 2, { pattern: 1 });
    const [line] = spacings(fleet, (pattern) => pattern, 1) as [LineSpacing];
    expect(line.directions[0].map((m) => m.index)).toEqual([1, 0]);
    expect(line.directions[1].map((m) => m.index)).toEqual([2]);
    expect(line.directions[0][0]?.headwayS).toBeNull();
  });

  test("does not count a silent bus as running, nor a bus of no line", () => {
    const fleet = new Fleet();
    bus(fleet, 0, { flags: 1 });
    bus(fleet, 1, { route: UNKNOWN.u16 });
    const [line] = spacings(fleet, () => 0, 1) as [LineSpacing];
    expect([line.vehicles, line.stale]).toEqual([0, 1]);
  });

  test("in trouble comes first", () => {
    const fleet = new Fleet();
    bus(fleet, 0, { route: 0 });
    bus(fleet, 1, { route: 1, headway_s: 20 });
    bus(fleet, 2, { route: 2, headway_s: 900 });
    expect(worstFirst(spacings(fleet, () => 0, 3)).map((line) => line.route)).toEqual([1, 2, 0]);
  });
});

test("times are said in minutes and seconds", () => {
  expect([minutes(70), minutes(359.6), minutes(-5), minutes(null)]).toEqual(["1:10", "6:00", "−0:05", "—"]);
});

// How a line's buses are spaced: running order and the judgement of each gap against its target.
import type { Fleet } from "./store/fleet";
import { FLAG, STATE, UNKNOWN } from "./wire";

export type Spacing = "bunched" | "even" | "gap" | "unknown";

// Bunched below half the target, a gap above one and a half: dashboard reference 5, headway band.
const BUNCHED_SHARE = 0.5;
const GAP_SHARE = 1.5;

export interface Member {
  index: number;
  alongM: number;
  headwayS: number | null;
  targetS: number | null;
  spacing: Spacing;
}

export interface LineSpacing {
  route: number;
  vehicles: number;
  stale: number;
  bunched: number;
  gaps: number;
  worst: Member | null; // furthest from its target
  directions: [Member[], Member[]]; // foremost bus first
}

export function judge(headwayS: number | null, targetS: number | null): Spacing {
  if (headwayS === null || targetS === null || targetS <= 0) return "unknown";
  if (headwayS < BUNCHED_SHARE * targetS) return "bunched";
  return headwayS > GAP_SHARE * targetS ? "gap" : "even";
}

export function known(value: number, unknown: number): number | null {
  return value === unknown ? null : value;
}

/** How far a gap is from its target, as a factor above 1 in either direction. */
function severity(member: Member): number {
  if (member.headwayS === null || member.targetS === null || member.targetS <= 0) return 0;
  const share = Math.max(member.headwayS, 1) / member.targetS;
  return share < 1 ? 1 / share : share;
}

export function spacings(fleet: Fleet, directionOf: (pattern: number) => number, routes: number): LineSpacing[] {
  const lines: LineSpacing[] = Array.from({ length: routes }, (_, route) => ({
    route,
    vehicles: 0,
    stale: 0,
    bunched: 0,
    gaps: 0,
    worst: null,
    directions: [[], []],
  }));
  for (let index = 0; index < fleet.size; index++) {
    const line = lines[fleet.get("route", index)];
    const state = fleet.get("state", index);
    if (!line || (state !== STATE.inService && state !== STATE.layover)) continue;
    if (fleet.has(index, FLAG.stale)) {
      line.stale++;
      continue;
    }
    line.vehicles++;
    const along = fleet.get("along_dm", index);
    if (state !== STATE.inService || along === UNKNOWN.along) continue;
    const headwayS = known(fleet.get("headway_s", index), UNKNOWN.u16);
    const targetS = known(fleet.get("target_headway_s", index), UNKNOWN.u16);
    const member = { index, alongM: along / 10, headwayS, targetS, spacing: judge(headwayS, targetS) };
    if (member.spacing === "bunched") line.bunched++;
    if (member.spacing === "gap") line.gaps++;
    if (!line.worst || severity(member) > severity(line.worst)) line.worst = member;
    line.directions[directionOf(fleet.get("pattern", index)) === 1 ? 1 : 0].push(member);
  }
  for (const line of lines) for (const side of line.directions) side.sort((a, b) => b.alongM - a.alongM);
  return lines;
}

/** Worst first: most trouble, then the furthest gap, then the feed's order. */
export function worstFirst(lines: LineSpacing[]): LineSpacing[] {
  const weight = (line: LineSpacing) => line.bunched + line.gaps;
  const far = (line: LineSpacing) => (line.worst ? severity(line.worst) : 0);
  return [...lines].sort((a, b) => weight(b) - weight(a) || far(b) - far(a) || a.route - b.route);
}

export function minutes(seconds: number | null): string {
  if (seconds === null) return "—";
  const whole = Math.round(Math.abs(seconds));
  return `${seconds < 0 ? "−" : ""}${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

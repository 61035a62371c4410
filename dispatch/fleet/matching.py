"""Distance along the pattern for each fix: nearest in place, heading and continuity, for a whole wave at once.

For a bus seen a moment ago only the stretch it can have reached is searched, which keeps loops and out-and-back shapes
apart; after a silence, or off the route, the whole pattern is. The cost of a candidate is the negative log-likelihood
shape of Newson & Krumm (2009): lateral distance, here with heading, plus the departure from the expected advance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.ground import M_PER_DEG, FloatColumn, Ground, IndexColumn, ragged
from dispatch.fleet.thresholds import Thresholds

_HEADING_COST = 4.0  # times 1 - cos: opposite costs 8, as much as 42 m to the side
_HEADING_MPS_MIN = 1.5  # slower, a heading is noise (TransitClock)
_RIVAL_M = 60.0  # candidates this far apart along are different places
_ADVANCE_SIGMA_M = 25.0
_ADVANCE_SIGMA_SHARE = 0.5  # of the displacement: streets bend, and fixes are rare in sparse feeds
_SETTLED_COST = 6.0  # a rival this much dearer leaves no doubt
_WIDE_LATERAL_M = 60.0  # lateral distance at which quality has fallen to 1/e
_GUESS_SIGMA_M = 800.0
_GUESS_COST_MAX = 5.0  # a guess decides between equals and never against the eyes
_MISFIT = 16.0  # 60 m to the side, or 42 m and driving the other way
_BACKTRACK_M = 30.0  # a small retreat is noise: the bus is taken to stand


@dataclass(frozen=True, slots=True, eq=False)
class Fixes:
    """What matching needs of a wave; (n,) each, pattern >= 0 and position known."""

    pattern: NDArray[np.int32]
    fix_time: FloatColumn
    lat: FloatColumn
    lon: FloatColumn
    speed_mps: FloatColumn
    heading_deg: FloatColumn


@dataclass(frozen=True, slots=True, eq=False)
class Last:
    """Where each bus was matched before; NaN where it was not."""

    along_m: FloatColumn
    fix_time: FloatColumn
    lat: FloatColumn
    lon: FloatColumn
    guess_m: FloatColumn  # where to look first when the whole pattern is searched: the timetable's word, or the past


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Where each bus is on its pattern; (n,) each."""

    along_m: FloatColumn
    lateral_m: FloatColumn
    quality: FloatColumn  # 0-1: near, and no other place fits as well
    fits: NDArray[np.bool_]  # the place explains position and heading
    continued: NDArray[np.bool_]  # follows from the last place; False: found anew, nothing is known of the way between


def place(ground: Ground, fixes: Fixes, last: Last, limits: Thresholds) -> Match:
    """Match a wave of fixes, each vehicle at most once."""
    n = len(fixes.pattern)
    if n == 0:
        nothing = np.empty(0)
        return Match(nothing, nothing, nothing, np.empty(0, bool), np.empty(0, bool))
    dt_s = fixes.fix_time - last.fix_time
    known = ~np.isnan(last.along_m) & (dt_s >= 0) & (dt_s <= limits.memory_s)
    moved_m = np.where(known, _displacement_m(fixes, last), 0.0)
    reach_m = limits.reach_mps * np.where(known, dt_s, 0.0) + 2 * limits.back_m
    low_m = np.where(known, np.nan_to_num(last.along_m) - limits.back_m, 0.0)
    high_m = np.where(known, np.nan_to_num(last.along_m) + reach_m, ground.length_m[fixes.pattern])
    first = ground.segments_at(fixes.pattern, low_m)
    final = ground.segments_at(fixes.pattern, high_m)
    owner, segment, starts = ragged(first, final)
    along_m, lateral_m = _project(ground, fixes, owner, segment)
    misfit = (lateral_m / limits.gnss_sigma_m) ** 2 + _heading_cost(ground, fixes, owner, segment)
    expected_m = np.where(known, last.along_m + moved_m, last.guess_m)
    spread_m = np.where(known, _ADVANCE_SIGMA_M + _ADVANCE_SIGMA_SHARE * moved_m, _GUESS_SIGMA_M)
    surprise = np.nan_to_num(((along_m - expected_m[owner]) / spread_m[owner]) ** 2)
    cost = misfit + np.where(known[owner], surprise, np.minimum(surprise, _GUESS_COST_MAX))
    best, certainty = _choose(along_m, cost, owner, starts)
    chosen_m, chosen_lateral_m = along_m[best], lateral_m[best]
    retreat = known & (chosen_m < last.along_m) & (chosen_m > last.along_m - _BACKTRACK_M)
    return Match(
        along_m=np.where(retreat, last.along_m, chosen_m),
        lateral_m=chosen_lateral_m,
        quality=np.exp(-((chosen_lateral_m / _WIDE_LATERAL_M) ** 2)) * certainty,
        fits=misfit[best] < _MISFIT,
        continued=known,
    )


def _choose(
    along_m: FloatColumn, cost: FloatColumn, owner: IndexColumn, starts: IndexColumn
) -> tuple[IndexColumn, FloatColumn]:
    """The cheapest candidate of each fix, and how much dearer the best place elsewhere is, 0-1."""
    best_cost = np.minimum.reduceat(cost, starts)
    at_best = np.flatnonzero(cost == best_cost[owner])
    best = at_best[np.searchsorted(owner[at_best], np.arange(len(starts)))]
    rival = np.where(np.abs(along_m - along_m[best][owner]) > _RIVAL_M, cost, np.inf)
    margin = np.minimum.reduceat(rival, starts) - best_cost
    return best, np.clip(margin / _SETTLED_COST, 0.0, 1.0)


def _project(ground: Ground, fixes: Fixes, owner: IndexColumn, segment: IndexColumn) -> tuple[FloatColumn, FloatColumn]:
    """Distance along and lateral distance of the point of each segment nearest its fix."""
    north_m = (fixes.lat[owner] - ground.lat[segment]) * M_PER_DEG
    east_m = (fixes.lon[owner] - ground.lon[segment]) * ground.lon_m_per_deg[segment]
    chord_m = ground.chord_m[segment]
    ahead_m = np.clip(east_m * ground.east[segment] + north_m * ground.north[segment], 0.0, chord_m)
    lateral_m = np.hypot(east_m - ahead_m * ground.east[segment], north_m - ahead_m * ground.north[segment])
    return ground.along_m[segment] + ahead_m / chord_m * ground.run_m[segment], lateral_m


def _heading_cost(ground: Ground, fixes: Fixes, owner: IndexColumn, segment: IndexColumn) -> FloatColumn:
    speed = fixes.speed_mps
    told = ~np.isnan(fixes.heading_deg) & (np.isnan(speed) | (speed >= _HEADING_MPS_MIN))
    angle = np.radians(np.nan_to_num(fixes.heading_deg))
    east, north = np.where(told, np.sin(angle), 0.0), np.where(told, np.cos(angle), 0.0)
    agreement = east[owner] * ground.east[segment] + north[owner] * ground.north[segment]
    return np.where(told[owner], _HEADING_COST * (1.0 - agreement), 0.0)


def _displacement_m(fixes: Fixes, last: Last) -> FloatColumn:
    north_m = (fixes.lat - last.lat) * M_PER_DEG
    east_m = (fixes.lon - last.lon) * M_PER_DEG * np.cos(np.radians(fixes.lat))
    return np.hypot(np.nan_to_num(north_m), np.nan_to_num(east_m))

"""Which trip each vehicle runs, and where on its pattern. One tracker follows the newest fixes, one the ordered."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.assignment import UNASSIGNED, Assigner, Assignment
from dispatch.fleet.batch import Batch
from dispatch.fleet.columns import Columns
from dispatch.fleet.ground import Ground
from dispatch.fleet.matching import Fixes, Last, Match, place
from dispatch.fleet.thresholds import Thresholds

FloatColumn = NDArray[np.float64]
_LOST_AFTER = 3  # misfits in a row before the whole pattern is searched again


@dataclass(frozen=True, slots=True, eq=False)
class Advance:
    """How the matched vehicles of a wave moved; (n,) each."""

    slot: NDArray[np.int32]
    pattern: NDArray[np.int32]
    from_time: FloatColumn  # NaN where not continued
    from_m: FloatColumn
    to_time: FloatColumn
    to_m: FloatColumn
    speed_mps: FloatColumn
    doors: NDArray[np.int8]
    continued: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Change:
    """A vehicle's trip changed."""

    slot: int
    time: float
    old: Assignment
    new: Assignment


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """What a wave did."""

    changes: list[Change]
    advance: Advance
    left_route: NDArray[np.int32]  # slots found off their pattern in this wave
    regained_route: NDArray[np.int32]


class Tracker(Columns):
    """Assignment and place of every vehicle, by slot."""

    pattern: NDArray[np.int32]
    dated_trip: NDArray[np.int32]
    fix_time: FloatColumn  # of the newest matched fix
    lat: FloatColumn
    lon: FloatColumn
    along_m: FloatColumn  # NaN not matched
    lateral_m: FloatColumn
    quality: FloatColumn
    misfits: NDArray[np.int32]
    astray: NDArray[np.int32]  # fixes in a row beyond off_route_m
    astray_since: FloatColumn
    off_route: NDArray[np.bool_]

    COLUMNS = (
        ("pattern", np.int32, -1),
        ("dated_trip", np.int32, -1),
        ("fix_time", np.float64, np.nan),
        ("lat", np.float64, np.nan),
        ("lon", np.float64, np.nan),
        ("along_m", np.float64, np.nan),
        ("lateral_m", np.float64, np.nan),
        ("quality", np.float64, np.nan),
        ("misfits", np.int32, 0),
        ("astray", np.int32, 0),
        ("astray_since", np.float64, np.nan),
        ("off_route", np.bool_, False),
    )

    def __init__(self, ground: Ground, assigner: Assigner, limits: Thresholds) -> None:
        super().__init__()
        self._ground = ground
        self._assigner = assigner
        self._limits = limits
        self.assignments: list[Assignment] = []

    def follow(self, wave: Batch, vehicles: int) -> Tracked:
        """Take in a wave (each vehicle at most once); ``vehicles`` is the number of slots in use."""
        self.grow_to(vehicles)
        self.assignments.extend(UNASSIGNED for _ in range(vehicles - len(self.assignments)))
        changes = self._assign(wave)
        placed = wave.take(np.flatnonzero((self.pattern[wave.slot] >= 0) & ~np.isnan(wave.lat)))
        match = self._match(placed)
        advance = self._advance(placed, match)
        left, regained = self._judge_route(placed, match)
        return Tracked(changes, advance, left, regained)

    def end_inferred(self, slot: int) -> None:
        """The trip was inferred and has been run: nothing is known of the next one yet."""
        old = self.assignments[slot]
        self.assignments[slot] = replace(UNASSIGNED, duty=old.duty, route_id=old.route_id, key=old.key)
        self.forget(slot)
        self._assigner.forget(slot)

    def _assign(self, wave: Batch) -> list[Change]:
        changes = []
        for slot, new in self._assigner.changes(wave, self.assignments):
            old, self.assignments[slot] = self.assignments[slot], new
            self.forget(slot)
            self.pattern[slot] = new.pattern
            self.dated_trip[slot] = new.dated_trip
            time = float(wave.fix_time[np.flatnonzero(wave.slot == slot)[0]])
            changes.append(Change(slot, time, old, new))
        return changes

    def _match(self, placed: Batch) -> Match:
        slot = placed.slot
        lost = self.misfits[slot] >= _LOST_AFTER
        fixes = Fixes(self.pattern[slot], placed.fix_time, placed.lat, placed.lon, placed.speed_mps, placed.heading_deg)
        last = Last(
            along_m=np.where(lost, np.nan, self.along_m[slot]),
            fix_time=self.fix_time[slot],
            lat=self.lat[slot],
            lon=self.lon[slot],
            guess_m=self._guess_m(placed),
        )
        return place(self._ground, fixes, last, self._limits)

    def _guess_m(self, placed: Batch) -> FloatColumn:
        """The last place known, or where the timetable has the trip."""
        guess = self.along_m[placed.slot]
        unknown = np.flatnonzero(np.isnan(guess))
        if len(unknown):
            dated_trip = self.dated_trip[placed.slot[unknown]]
            guess[unknown] = self._assigner.scheduled_along_m(dated_trip, placed.fix_time[unknown])
        return guess

    def _advance(self, placed: Batch, match: Match) -> Advance:
        slot = placed.slot
        near = match.lateral_m <= self._limits.off_route_m
        step_s = np.where(match.continued, np.maximum(placed.fix_time - self.fix_time[slot], 1e-3), np.nan)
        progress_mps = np.abs(match.along_m - self.along_m[slot]) / step_s
        speed_mps = np.where(np.isnan(placed.speed_mps), progress_mps, placed.speed_mps)
        advance = Advance(
            slot=slot[near],
            pattern=self.pattern[slot][near],
            from_time=np.where(match.continued, self.fix_time[slot], np.nan)[near],
            from_m=np.where(match.continued, self.along_m[slot], np.nan)[near],
            to_time=placed.fix_time[near],
            to_m=match.along_m[near],
            speed_mps=speed_mps[near],
            doors=placed.doors[near],
            continued=match.continued[near],
        )
        self.misfits[slot] = np.where(match.fits, 0, self.misfits[slot] + 1)
        self.lateral_m[slot], self.quality[slot] = match.lateral_m, match.quality
        kept = slot[near]
        self.along_m[kept], self.fix_time[kept] = match.along_m[near], placed.fix_time[near]
        self.lat[kept], self.lon[kept] = placed.lat[near], placed.lon[near]
        return advance

    def _judge_route(self, placed: Batch, match: Match) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        slot, limits = placed.slot, self._limits
        astray = match.lateral_m > limits.off_route_m
        fresh = astray & (self.astray[slot] == 0)
        self.astray_since[slot[fresh]] = placed.fix_time[fresh]
        self.astray[slot] = np.where(astray, self.astray[slot] + 1, 0)
        lasting = placed.fix_time - self.astray_since[slot] >= limits.off_route_s
        off = self.off_route[slot]
        left = slot[~off & astray & lasting & (self.astray[slot] >= limits.off_route_fixes)]
        regained = slot[off & (match.lateral_m <= limits.on_route_m)]
        self.off_route[left], self.off_route[regained] = True, False
        return left, regained

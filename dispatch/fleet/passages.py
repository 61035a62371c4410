"""Stop passages between matched fixes: when the front passed each stop, whether the bus stood there, when it left.

Dense fixes tell standing from passing; sparse ones (further apart than ``dense_s``) tell only a time, and ``served``
stays unknown unless the bus was caught standing. Across a silence longer than ``gap_s_max`` nothing is said.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.columns import Columns
from dispatch.fleet.ground import Ground
from dispatch.fleet.thresholds import Thresholds
from dispatch.fleet.tracker import Advance

FloatColumn = NDArray[np.float64]
_LAST_STOP_M = 15.0  # a bus never leaves its last stop forward: so near is there
_REPORTER_AFTER_M = 150.0  # a bus that reports its stops is given so far before its word is missed


@dataclass(frozen=True, slots=True)
class Passage:
    """A stop left behind, in terms of the pattern."""

    slot: int
    pattern: int
    stop_index: int
    arrival_time: float
    departure_time: float
    served: bool | None


class Passages(Columns):
    """The next stop of every vehicle and what was seen of it so far."""

    next_stop: NDArray[np.int32]  # index in the pattern; the count of stops once the last is reached
    crossed_time: FloatColumn  # the front passed the stop
    stood_from: FloatColumn  # first and last seen standing in the zone
    stood_until: FloatColumn
    doors: NDArray[np.int8]  # 1 seen open in the zone, 0 seen shut, -1 not known
    interval_s: FloatColumn  # longest step between fixes near the stop

    COLUMNS = (
        ("next_stop", np.int32, -1),
        ("crossed_time", np.float64, np.nan),
        ("stood_from", np.float64, np.nan),
        ("stood_until", np.float64, np.nan),
        ("doors", np.int8, -1),
        ("interval_s", np.float64, 0.0),
    )

    def __init__(self, ground: Ground, limits: Thresholds) -> None:
        super().__init__()
        self._ground = ground
        self._limits = limits

    def begin(self, slot: int) -> None:
        """The vehicle starts another trip."""
        self.grow_to(slot + 1)
        self.forget(slot)

    def next_stop_of(self, slot: int) -> int:
        """Index of the vehicle's next stop; 0 where it was not followed yet."""
        return max(int(self.next_stop[slot]), 0) if slot < self.capacity else 0

    def told(self, slot: int, stop_index: int) -> None:
        """The bus itself reported its visit to the stop."""
        self.grow_to(slot + 1)
        if stop_index >= self.next_stop[slot]:
            self.forget(slot)
            self.next_stop[slot] = stop_index + 1

    def observe(self, advance: Advance, reporter: NDArray[np.bool_]) -> list[Passage]:
        """Passages completed by the moves; ``reporter`` marks vehicles that report their stops themselves."""
        if len(advance.slot) == 0:
            return []
        self.grow_to(int(advance.slot.max()) + 1)
        dt_s = advance.to_time - advance.from_time
        followed = advance.continued & (dt_s <= self._limits.gap_s_max) & (self.next_stop[advance.slot] >= 0)
        self._resume(advance, ~followed)
        moves = _rows(advance, followed)
        silent = ~reporter[followed]
        found: list[Passage] = []
        open_rows = np.arange(len(moves.slot))
        while len(open_rows):
            open_rows = self._step(moves, silent, open_rows, found)
        return found

    def _resume(self, advance: Advance, chosen: NDArray[np.bool_]) -> None:
        """Start counting stops anew where the way between is not known: those within reach behind still count."""
        slot, pattern, along = advance.slot[chosen], advance.pattern[chosen], advance.to_m[chosen]
        self.forget(slot)
        behind = self._ground.stops_behind(pattern, along - self._limits.stop_after_m)
        self.next_stop[slot] = np.where(along <= self._limits.stop_after_m, 0, behind)
        self._watch(_rows(advance, chosen), np.arange(len(slot)), fresh=True)

    def _step(
        self, moves: Advance, silent: NDArray[np.bool_], rows: NDArray[np.int64], found: list[Passage]
    ) -> NDArray[np.int64]:
        """Look at the next stop of each row; give the rows that left it, to look at the one after."""
        rows = rows[self.next_stop[moves.slot[rows]] < self._ground.stop_count[moves.pattern[rows]]]
        if len(rows) == 0:
            return rows
        stop_m = self._watch(moves, rows, fresh=False)
        slot = moves.slot[rows]
        final = self.next_stop[slot] == self._ground.stop_count[moves.pattern[rows]] - 1
        arrived = (moves.to_m[rows] >= stop_m - _LAST_STOP_M) | ~np.isnan(self.stood_from[slot])
        after_m = np.where(silent[rows], self._limits.stop_after_m, _REPORTER_AFTER_M)
        left = (moves.to_m[rows] > stop_m + after_m) | (final & arrived & silent[rows])
        gone: NDArray[np.int64] = rows[left]
        found.extend(self._passage(moves, row) for row in gone.tolist())
        following = self.next_stop[moves.slot[gone]] + 1
        self.forget(moves.slot[gone])
        self.next_stop[moves.slot[gone]] = following
        return gone

    def _watch(self, moves: Advance, rows: NDArray[np.int64], *, fresh: bool) -> FloatColumn:
        """Note crossing, standing and doors at each row's next stop; gives the stop's distance along."""
        slot, to_m, to_time = moves.slot[rows], moves.to_m[rows], moves.to_time[rows]
        count = self._ground.stop_count[moves.pattern[rows]]
        stop_m: FloatColumn = self._ground.stop_along_m[
            self._ground.first_stop[moves.pattern[rows]] + np.minimum(self.next_stop[slot], count - 1)
        ]
        if not fresh:
            from_m, from_time = moves.from_m[rows], moves.from_time[rows]
            crossed = (to_m >= stop_m) & np.isnan(self.crossed_time[slot])
            share = np.clip((stop_m - from_m) / np.maximum(to_m - from_m, 1e-6), 0.0, 1.0)
            self.crossed_time[slot[crossed]] = (from_time + share * (to_time - from_time))[crossed]
            self.interval_s[slot] = np.maximum(self.interval_s[slot], to_time - from_time)
        near = (to_m >= stop_m - self._limits.stop_before_m) & (to_m <= stop_m + self._limits.stop_after_m)
        standing = near & (moves.speed_mps[rows] < self._limits.standing_mps)
        here = slot[standing]
        self.stood_from[here] = np.fmin(self.stood_from[here], to_time[standing])
        self.stood_until[here] = to_time[standing]
        self.doors[slot[near]] = np.maximum(self.doors[slot[near]], moves.doors[rows][near])
        return stop_m

    def _passage(self, moves: Advance, row: int) -> Passage:
        slot = int(moves.slot[row])
        stood = not np.isnan(self.stood_from[slot])
        crossed = float(self.crossed_time[slot])
        fallback = float(moves.to_time[row]) if np.isnan(crossed) else crossed
        arrival = float(self.stood_from[slot]) if stood else fallback
        departure = max(float(self.stood_until[slot]), arrival) if stood else fallback
        return Passage(
            slot=slot,
            pattern=int(moves.pattern[row]),
            stop_index=int(self.next_stop[slot]),
            arrival_time=round(arrival, 3),
            departure_time=round(departure, 3),
            served=self._served(slot, stood=stood),
        )

    def _served(self, slot: int, *, stood: bool) -> bool | None:
        if self.doors[slot] == 1:
            return True
        if stood and self.doors[slot] < 0:
            return True
        return False if self.interval_s[slot] <= self._limits.dense_s else None


def _rows(advance: Advance, chosen: NDArray[np.bool_]) -> Advance:
    return Advance(*(getattr(advance, name)[chosen] for name in Advance.__slots__))

"""Live time-headway of every bus to the one ahead and behind, wherever it is, against the timetable's.

Each axis cell keeps when the last two buses passed it, so the headway of a bus is measured where it is now: its own
passing of its cell less the one before. Where the bus ahead in order has not passed that cell (it entered further on),
the scheduled running time between the two is taken instead. A bus that stands gets the time since the bus ahead left
this place, if that is longer: its headway grows while it waits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.axes import CELL_M, Axes
from dispatch.fleet.ground import ragged
from dispatch.fleet.thresholds import Thresholds
from dispatch.fleet.tracker import Advance

FloatColumn = NDArray[np.float64]
SlotColumn = NDArray[np.int32]
_ANOTHER_ROUND_S = 600.0  # the same bus here again so much later is on its next round
_CELLS_MAX = 60  # a longer leap says nothing of when the cells between were passed


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """(n,) for the buses asked about; -1 and NaN mean none or not known."""

    ahead: SlotColumn
    behind: SlotColumn
    headway_s: FloatColumn
    headway_behind_s: FloatColumn


class LiveGaps:
    """When each cell of each axis was last passed, and by whom."""

    def __init__(self, axes: Axes, limits: Thresholds) -> None:
        self._axes = axes
        self._limits = limits
        self._last_time = np.full(axes.cell_count, np.nan)
        self._last_by = np.full(axes.cell_count, -1, np.int32)
        self._before_time = np.full(axes.cell_count, np.nan)
        self._before_by = np.full(axes.cell_count, -1, np.int32)

    def pass_cells(self, advance: Advance) -> None:
        """Note when each moving bus crossed into the cells it went through; its own cell where it was found anew."""
        to_m = self._axes.place(advance.pattern, advance.to_m)
        from_m = np.where(advance.continued, self._axes.place(advance.pattern, advance.from_m), np.nan)
        final = self._axes.cells(advance.pattern, to_m)
        begin = self._axes.cells(advance.pattern, from_m)
        anew = (begin < 0) | (final - begin > _CELLS_MAX)
        first = np.where(anew, final, begin + 1)
        rows = np.flatnonzero((final >= 0) & (first <= final))
        if len(rows) == 0:
            return
        owner, cell, _ = ragged(first[rows], final[rows])
        row = rows[owner]
        start_m = (cell - self._axes.first_cell[self._axes.of_pattern[advance.pattern[row]]]) * CELL_M
        share = np.clip((start_m - from_m[row]) / np.maximum(to_m[row] - from_m[row], 1e-6), 0.0, 1.0)
        time = np.where(
            anew[row], advance.to_time[row], advance.from_time[row] + share * (advance.to_time - advance.from_time)[row]
        )
        self._note(cell, time, advance.slot[row])

    def measure(
        self, slot: SlotColumn, pattern: NDArray[np.int32], along_m: FloatColumn, fix_time: FloatColumn
    ) -> Gaps:
        """Headways of the buses in service, each slot at most once."""
        axis_m = self._axes.place(pattern, along_m)
        on = np.flatnonzero(~np.isnan(axis_m))
        order = on[np.lexsort((slot[on], axis_m[on], self._axes.of_pattern[pattern[on]]))]
        axis = self._axes.of_pattern[pattern[order]]
        followed = np.flatnonzero(axis[1:] == axis[:-1]) if len(order) > 1 else np.empty(0, np.int64)
        leader = np.full(len(slot), -1, np.int64)  # row of the bus ahead
        follower = np.full(len(slot), -1, np.int64)
        leader[order[followed]] = order[followed + 1]
        follower[order[followed + 1]] = order[followed]
        headway_s = self._headways_s(slot, pattern, axis_m, fix_time, leader)
        behind_s = np.where(follower >= 0, headway_s[follower], np.nan)
        ahead_slot = np.where(leader >= 0, slot[leader], -1).astype(np.int32)
        return Gaps(ahead_slot, np.where(follower >= 0, slot[follower], -1).astype(np.int32), headway_s, behind_s)

    def _headways_s(
        self,
        slot: SlotColumn,
        pattern: NDArray[np.int32],
        axis_m: FloatColumn,
        fix_time: FloatColumn,
        leader: NDArray[np.int64],
    ) -> FloatColumn:
        cell = self._axes.cells(pattern, axis_m)
        here = np.maximum(cell, 0)
        own_last = self._last_by[here] == slot
        passed_time = np.where(own_last, self._last_time[here], fix_time)
        before_time = np.where(own_last, self._before_time[here], self._last_time[here])
        before_by = np.where(own_last, self._before_by[here], self._last_by[here])
        final = self._axes.first_cell[self._axes.of_pattern[pattern] + 1] - 1
        beyond = np.minimum(here + 1, final)
        waited_s = np.where(self._last_by[beyond] == before_by, fix_time - self._last_time[beyond], np.nan)
        measured_s = np.fmax(passed_time - before_time, waited_s)
        measured_s = np.where((measured_s >= 0) & (measured_s <= self._limits.headway_s_max), measured_s, np.nan)
        leader_slot = np.where(leader >= 0, slot[leader], before_by)
        scheduled_s = np.where(leader >= 0, self._running_s(cell[leader]) - self._running_s(cell), np.nan)
        headway_s = np.where(before_by == leader_slot, measured_s, scheduled_s)
        return np.where(cell >= 0, headway_s, np.nan)

    def _running_s(self, cell: NDArray[np.int64]) -> FloatColumn:
        return self._axes.running_s[np.maximum(cell, 0)]

    def _note(self, cell: NDArray[np.int64], time: FloatColumn, slot: SlotColumn) -> None:
        order = np.lexsort((slot, time, cell))
        cell, time, slot = cell[order], time[order], slot[order]
        starts = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]])
        turn = np.arange(len(cell)) - np.repeat(starts, np.diff(np.r_[starts, len(cell)]))
        for number in range(int(turn.max()) + 1):
            now = turn == number
            c = cell[now]
            again = time[now] - self._last_time[c] > _ANOTHER_ROUND_S
            other = (self._last_by[c] != slot[now]) | again
            shifted = c[other]
            self._before_time[shifted], self._before_by[shifted] = self._last_time[shifted], self._last_by[shifted]
            self._last_time[c], self._last_by[c] = time[now], slot[now]

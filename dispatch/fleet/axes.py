"""One axis per route and direction, on which buses of all its patterns stand in order.

The axis is the most used pattern. Another pattern is laid on it by the stops they share, in order; where a branch
shares none, its buses have no place on the axis (NaN) and no headway to those on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatch.network.model import Pattern, Trip

FloatColumn = NDArray[np.float64]
CELL_M = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Cells of CELL_M along every axis, one axis after the other, and the way from patterns to them."""

    of_pattern: NDArray[np.int32]  # (patterns,) axis
    first_cell: NDArray[np.int64]  # (axes + 1,)
    running_s: FloatColumn  # (cells,) scheduled running time from the start of the axis; NaN without a timetable
    _first_knot: NDArray[np.int64]  # (patterns + 1,) into axis_m, one knot each CELL_M of the pattern
    _axis_m: FloatColumn

    @property
    def cell_count(self) -> int:
        """All cells of all axes."""
        return int(self.first_cell[-1])

    def place(self, pattern: NDArray[np.int32], along_m: FloatColumn) -> FloatColumn:
        """Distance along the axis of places on patterns; NaN off the axis."""
        knots = self._first_knot[pattern + 1] - self._first_knot[pattern]
        at = np.clip(np.nan_to_num(along_m) / CELL_M, 0.0, knots - 1.000001)
        low = np.floor(at).astype(np.int64)
        base = self._first_knot[pattern] + low
        share = at - low
        return np.where(np.isnan(along_m), np.nan, self._axis_m[base] * (1.0 - share) + self._axis_m[base + 1] * share)

    def cells(self, pattern: NDArray[np.int32], axis_m: FloatColumn) -> NDArray[np.int64]:
        """The cell that holds each place; -1 off the axis."""
        axis = self.of_pattern[pattern]
        inside = np.floor(np.nan_to_num(axis_m) / CELL_M).astype(np.int64)
        cell = np.minimum(self.first_cell[axis] + np.maximum(inside, 0), self.first_cell[axis + 1] - 1)
        return np.where(np.isnan(axis_m), -1, cell)


def lay_axes(patterns: Sequence[Pattern], trips: Sequence[Trip]) -> Axes:
    """Axes for all patterns; the first trip of a pattern in the feed gives its running times."""
    trip_of: dict[str, Trip] = {}
    for trip in trips:
        trip_of.setdefault(trip.pattern_id, trip)
    lines: dict[tuple[str, int], list[int]] = {}
    for index, pattern in enumerate(patterns):
        lines.setdefault((pattern.route_id, pattern.direction_id), []).append(index)
    of_pattern = np.zeros(len(patterns), np.int32)
    knots: list[FloatColumn] = [np.empty(0)] * len(patterns)
    running: list[FloatColumn] = []
    for axis, members in enumerate(lines.values()):
        trunk = patterns[max(members, key=lambda i: (patterns[i].trip_count, -i))]
        running.append(_running_s(trunk, trip_of.get(trunk.pattern_id)))
        for index in members:
            of_pattern[index] = axis
            knots[index] = _laid_on(patterns[index], trunk)
    return Axes(
        of_pattern=of_pattern,
        first_cell=_offsets([len(r) for r in running]),
        running_s=np.concatenate(running) if running else np.empty(0),
        _first_knot=_offsets([len(k) for k in knots]),
        _axis_m=np.concatenate(knots) if knots else np.empty(0),
    )


def _running_s(trunk: Pattern, trip: Trip | None) -> FloatColumn:
    cells: FloatColumn = np.arange(int(trunk.length_m / CELL_M) + 2, dtype=np.float64) * CELL_M
    if trip is None:
        return np.full(len(cells), np.nan)
    running: FloatColumn = np.interp(cells, trunk.stop_along_m, trip.departure_service_s - trip.departure_service_s[0])
    return running


def _laid_on(pattern: Pattern, trunk: Pattern) -> FloatColumn:
    knots_m: FloatColumn = np.arange(int(pattern.length_m / CELL_M) + 2, dtype=np.float64) * CELL_M
    if pattern is trunk:
        return knots_m
    own_m, trunk_m = [], []
    following = 0
    for stop_id, along_m in zip(pattern.stop_ids, pattern.stop_along_m.tolist(), strict=True):
        if stop_id in trunk.stop_ids[following:]:
            following = trunk.stop_ids.index(stop_id, following)
            own_m.append(along_m)
            trunk_m.append(float(trunk.stop_along_m[following]))
            following += 1
    if len(own_m) < 2:
        return np.full(len(knots_m), np.nan)
    laid: FloatColumn = np.interp(knots_m, own_m, trunk_m, left=np.nan, right=np.nan)
    return laid


def _offsets(counts: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)

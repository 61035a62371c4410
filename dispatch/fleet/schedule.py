"""The timetable of every vehicle's trip as columns: schedule deviation and target headway for a whole wave."""

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.ground import Ground
from dispatch.network.timetable import Timetable

FloatColumn = NDArray[np.float64]
_AT_FIRST_STOP_M = 50.0


class Schedule:
    """By slot, the scheduled times (UTC s) and target headways at the stops of the trip being run."""

    def __init__(self, timetable: Timetable, ground: Ground) -> None:
        self._timetable = timetable
        self._ground = ground
        stops = int(ground.stop_count.max()) if ground.pattern_count else 1
        self._arrival = np.full((64, stops), np.nan)
        self._departure = np.full((64, stops), np.nan)
        self._target_s = np.full((64, stops), np.nan)
        self._targets_known: dict[int, FloatColumn] = {}

    def assign(self, slot: int, dated_trip: int) -> None:
        """The vehicle runs this trip from now on; -1 none."""
        self._grow_to(slot + 1)
        self._arrival[slot] = self._departure[slot] = self._target_s[slot] = np.nan
        if dated_trip < 0:
            return
        dated = self._timetable.dated_trips[dated_trip]
        n = len(dated.trip.arrival_service_s)
        if dated_trip not in self._targets_known:
            self._targets_known[dated_trip] = self._timetable.target_headways_s(dated)
        self._target_s[slot, :n] = self._targets_known[dated_trip]
        if dated.exact:
            self._arrival[slot, :n] = dated.zero_time + dated.trip.arrival_service_s
            self._departure[slot, :n] = dated.zero_time + dated.trip.departure_service_s

    def compare(
        self,
        slot: NDArray[np.int32],
        next_stop: NDArray[np.int64],
        along_m: FloatColumn,
        fix_time: FloatColumn,
        pattern: NDArray[np.int32],
    ) -> tuple[FloatColumn, FloatColumn]:
        """Schedule deviation (+ is late) and target headway where each bus is, both in s, NaN unknown.

        Between two stops the scheduled time is interpolated by distance. A bus not yet due to leave its first stop is
        not early: its deviation is 0.
        """
        if len(slot) == 0:
            return np.empty(0), np.empty(0)
        self._grow_to(int(slot.max()) + 1)
        last = self._ground.stop_count[pattern] - 1
        before, after = np.clip(next_stop - 1, 0, last), np.clip(next_stop, 0, last)
        base = self._ground.first_stop[pattern]
        before_m, after_m = self._ground.stop_along_m[base + before], self._ground.stop_along_m[base + after]
        share = np.clip((along_m - before_m) / np.maximum(after_m - before_m, 1.0), 0.0, 1.0)
        leave, reach = self._departure[slot, before], self._arrival[slot, after]
        scheduled = np.where(after > before, leave + share * (reach - leave), leave)
        deviation_s = fix_time - scheduled
        waiting = (before == 0) & (along_m <= before_m + _AT_FIRST_STOP_M)
        deviation_s = np.where(waiting & (fix_time < leave), 0.0, deviation_s)
        return deviation_s, self._target_s[slot, after]

    def _grow_to(self, count: int) -> None:
        have = len(self._arrival)
        if count <= have:
            return
        more = max(count, 2 * have) - have
        for name in ("_arrival", "_departure", "_target_s"):
            old: FloatColumn = getattr(self, name)
            setattr(self, name, np.vstack([old, np.full((more, old.shape[1]), np.nan)]))

"""The live picture: newest fix at once, matched, with deviation and headways."""

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.axes import Axes
from dispatch.fleet.batch import Batch, sorted_by_fix, waves
from dispatch.fleet.gaps import LiveGaps
from dispatch.fleet.ground import Ground
from dispatch.fleet.picture import Picture, VehicleState
from dispatch.fleet.schedule import Schedule
from dispatch.fleet.thresholds import Thresholds
from dispatch.fleet.tracker import Tracker
from dispatch.reports import Duty

_TERMINAL_M = 50.0  # so near its first or last stop a bus is taken to lie over
_STATE_OF_DUTY = {
    Duty.IN_SERVICE: VehicleState.IN_SERVICE,
    Duty.DEADHEAD: VehicleState.DEADHEAD,
    Duty.SIGNED_OFF: VehicleState.SIGNED_OFF,
}


class LiveView:
    """Keeps the picture; late fixes never touch it."""

    def __init__(
        self, tracker: Tracker, ground: Ground, axes: Axes, schedule: Schedule, route_ids: list[str], limits: Thresholds
    ) -> None:
        self.picture = Picture()
        self._tracker = tracker
        self._ground = ground
        self._schedule = schedule
        self._gaps = LiveGaps(axes, limits)
        self._limits = limits
        self._route_index = {route_id: index for index, route_id in enumerate(route_ids)}

    def absorb(self, arrived: Batch) -> None:
        """Take in a tick's reports; of several of one vehicle all are followed, in fix-time order."""
        newer = arrived.fix_time >= np.nan_to_num(self.picture.fix_time[arrived.slot], nan=-np.inf)
        for wave in waves(sorted_by_fix(arrived.take(newer))):
            self._write_motion(wave)
            tracked = self._tracker.follow(wave, len(self.picture))
            for change in tracked.changes:
                self._write_assignment(change.slot)
            self._gaps.pass_cells(tracked.advance)
            self._write_place(wave.slot)

    def measure(self) -> None:
        """Headways of all buses in service, from where they are now."""
        picture, n = self.picture, len(self.picture)
        for column in (picture.ahead, picture.behind):
            column[:n] = -1
        picture.headway_s[:n] = picture.headway_behind_s[:n] = np.nan
        running = picture.state[:n] == VehicleState.IN_SERVICE
        seen = running & ~picture.stale[:n] & ~picture.off_route[:n] & ~np.isnan(picture.along_m[:n])
        slot = np.flatnonzero(seen).astype(np.int32)
        if len(slot) == 0:
            return
        gaps = self._gaps.measure(slot, picture.pattern[slot], picture.along_m[slot], picture.fix_time[slot])
        picture.ahead[slot], picture.behind[slot] = gaps.ahead, gaps.behind
        picture.headway_s[slot], picture.headway_behind_s[slot] = gaps.headway_s, gaps.headway_behind_s

    def _write_motion(self, wave: Batch) -> None:
        picture, slot = self.picture, wave.slot
        picture.fix_time[slot] = wave.fix_time
        placed = ~np.isnan(wave.lat)
        picture.lat[slot[placed]], picture.lon[slot[placed]] = wave.lat[placed], wave.lon[placed]
        picture.speed_mps[slot], picture.heading_deg[slot] = wave.speed_mps, wave.heading_deg
        told = wave.doors >= 0
        picture.doors[slot[told]] = wave.doors[told]
        reports = wave.reports
        picture.received_time[slot] = [report.received_time for report in reports]
        picture.occupancy_share[slot] = [
            np.nan if report.occupancy_share is None else report.occupancy_share for report in reports
        ]
        own = np.array([np.nan if r.schedule_deviation_s is None else r.schedule_deviation_s for r in reports])
        picture.deviation_s[slot] = own

    def _write_assignment(self, slot: int) -> None:
        picture, assignment = self.picture, self._tracker.assignments[slot]
        picture.pattern[slot], picture.dated_trip[slot] = assignment.pattern, assignment.dated_trip
        picture.route[slot] = self._route_index.get(assignment.route_id or "", -1)
        picture.direction[slot] = -1 if assignment.direction_id is None else assignment.direction_id
        picture.inferred[slot] = not assignment.signed_on and assignment.pattern >= 0
        self._schedule.assign(slot, assignment.dated_trip)

    def _write_place(self, slot: NDArray[np.int32]) -> None:
        picture, tracker = self.picture, self._tracker
        picture.along_m[slot] = tracker.along_m[slot]
        picture.lateral_m[slot], picture.match_quality[slot] = tracker.lateral_m[slot], tracker.quality[slot]
        picture.off_route[slot] = tracker.off_route[slot]
        duty = [_STATE_OF_DUTY.get(tracker.assignments[s].duty, VehicleState.UNKNOWN) for s in slot.tolist()]
        state = np.array(duty, np.uint8)
        matched = (picture.pattern[slot] >= 0) & ~np.isnan(picture.along_m[slot])
        rows, on = np.flatnonzero(matched), slot[matched]
        pattern, along_m = picture.pattern[on], picture.along_m[on]
        first_m = self._ground.stop_along_m[self._ground.first_stop[pattern]]
        last_m = self._ground.stop_along_m[self._ground.first_stop[pattern + 1] - 1]
        lying = (along_m <= first_m + _TERMINAL_M) | (along_m >= last_m - _TERMINAL_M)
        serving = state[rows] == VehicleState.IN_SERVICE
        state[rows[serving & lying]] = VehicleState.LAYOVER
        picture.state[slot] = state
        next_stop = self._ground.stops_behind(pattern, along_m)
        deviation_s, target_s = self._schedule.compare(on, next_stop, along_m, picture.fix_time[on], pattern)
        told = ~np.isnan(deviation_s)
        picture.deviation_s[on[told]] = deviation_s[told]
        picture.target_headway_s[slot] = np.nan
        picture.target_headway_s[on] = target_s

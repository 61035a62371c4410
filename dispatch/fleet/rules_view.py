"""The ordered view: every fix a fixed hold behind, in fix-time order. Trips, passages and off-route come from it."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dispatch.events import AnyEvent, OffRoute, StopPassage, TripAssigned, TripEnded
from dispatch.fleet.batch import Batch, waves
from dispatch.fleet.passages import Passages
from dispatch.fleet.stop_times import StopTimes
from dispatch.fleet.tracker import Advance, Change, Tracker
from dispatch.fleet.visits import Visits
from dispatch.network.model import Network
from dispatch.network.timetable import Timetable


class RulesView:
    """Follows ordered fixes and says what they mean."""

    def __init__(self, tracker: Tracker, passages: Passages, network: Network, timetable: Timetable) -> None:
        self._tracker = tracker
        self._passages = passages
        self._visits = Visits()
        self._timetable = timetable
        self._patterns = list(network.patterns.values())
        self._stop_times = StopTimes(network, timetable)
        self._completed: set[int] = set()  # slots that reached the last stop of their present trip
        self.performed: set[int] = set()  # dated trips a vehicle has run or runs

    def observe(self, ordered: Batch, vehicle_ids: list[str]) -> list[AnyEvent]:
        """Events of the fixes, vehicle by vehicle in the order of their fixes."""
        events: list[AnyEvent] = []
        for wave in waves(ordered):
            tracked = self._tracker.follow(wave, len(vehicle_ids))
            for change in tracked.changes:
                events.extend(self._changed(change, vehicle_ids[change.slot]))
            passages = [*self._reported(wave, vehicle_ids), *self._noticed(tracked.advance, vehicle_ids)]
            for slot, passage in passages:
                events.append(passage)
                events.extend(self._completed_by(slot, passage))
            events.extend(self._strayed(tracked.left_route, wave, vehicle_ids, began=True))
            events.extend(self._strayed(tracked.regained_route, wave, vehicle_ids, began=False))
        return events

    def _changed(self, change: Change, vehicle_id: str) -> Iterable[AnyEvent]:
        old, new = change.old, change.new
        completed = change.slot in self._completed
        self._completed.discard(change.slot)
        self._passages.begin(change.slot)
        if old.pattern >= 0 and not completed:
            yield self._ended(vehicle_id, old.pattern, old.dated_trip, change.time, completed=False)
        if new.dated_trip >= 0:
            self.performed.add(new.dated_trip)
        if new.pattern >= 0:
            pattern = self._patterns[new.pattern]
            dated = self._timetable.dated_trips[new.dated_trip] if new.dated_trip >= 0 else None
            yield TripAssigned(
                time=change.time,
                vehicle_id=vehicle_id,
                route_id=pattern.route_id,
                direction_id=pattern.direction_id,
                pattern_id=pattern.pattern_id,
                signed_on=new.signed_on,
                trip_id=dated.dated_trip_id if dated else None,
                service_date=dated.service_date.isoformat() if dated else None,
            )

    def _reported(self, wave: Batch, vehicle_ids: list[str]) -> Iterable[tuple[int, StopPassage]]:
        for visit in self._visits.observe(wave):
            assignment = self._tracker.assignments[visit.slot]
            next_stop = self._passages.next_stop_of(visit.slot)
            passage, stop_index = self._stop_times.of_visit(visit, assignment, vehicle_ids[visit.slot], next_stop)
            if stop_index is not None:
                self._passages.told(visit.slot, stop_index)
            yield visit.slot, passage

    def _noticed(self, advance: Advance, vehicle_ids: list[str]) -> Iterable[tuple[int, StopPassage]]:
        reporter = np.array(
            [
                self._visits.reporting_until.get(slot, 0.0) > time
                for slot, time in zip(advance.slot.tolist(), advance.to_time.tolist(), strict=True)
            ],
            bool,
        )
        for passage in self._passages.observe(advance, reporter):
            slot = passage.slot
            yield slot, self._stop_times.of_passage(passage, self._tracker.assignments[slot], vehicle_ids[slot])

    def _completed_by(self, slot: int, passage: StopPassage) -> Iterable[AnyEvent]:
        assignment = self._tracker.assignments[slot]
        if assignment.pattern < 0 or slot in self._completed:
            return
        if passage.stop_sequence != len(self._patterns[assignment.pattern].stop_ids) - 1:
            return
        self._completed.add(slot)
        yield self._ended(
            passage.vehicle_id, assignment.pattern, assignment.dated_trip, passage.arrival_time, completed=True
        )
        if not assignment.signed_on:
            self._tracker.end_inferred(slot)
            self._completed.discard(slot)

    def _ended(self, vehicle_id: str, pattern: int, dated_trip: int, time: float, *, completed: bool) -> TripEnded:
        dated = self._timetable.dated_trips[dated_trip] if dated_trip >= 0 else None
        return TripEnded(
            time=time,
            vehicle_id=vehicle_id,
            route_id=self._patterns[pattern].route_id,
            pattern_id=self._patterns[pattern].pattern_id,
            completed=completed,
            trip_id=dated.dated_trip_id if dated else None,
            service_date=dated.service_date.isoformat() if dated else None,
        )

    def _strayed(
        self, slots: NDArray[np.int32], wave: Batch, vehicle_ids: list[str], *, began: bool
    ) -> Iterable[AnyEvent]:
        for slot in slots.tolist():
            pattern = self._patterns[int(self._tracker.pattern[slot])]
            yield OffRoute(
                time=float(wave.fix_time[wave.slot == slot][0]),
                vehicle_id=vehicle_ids[slot],
                began=began,
                route_id=pattern.route_id,
                pattern_id=pattern.pattern_id,
                lateral_m=round(float(self._tracker.lateral_m[slot]), 1),
            )

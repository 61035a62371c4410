"""A passage in the words of the feed: trip, stop, scheduled times and deviation put to what was measured."""

from dispatch.events import Source, StopPassage
from dispatch.fleet.assignment import Assignment
from dispatch.fleet.passages import Passage
from dispatch.fleet.visits import Visit
from dispatch.network.model import Network, Pattern
from dispatch.network.timetable import Timetable


class StopTimes:
    """Looks up stops and scheduled times for passages."""

    def __init__(self, network: Network, timetable: Timetable) -> None:
        self._patterns = list(network.patterns.values())
        self._timetable = timetable

    def of_passage(self, passage: Passage, assignment: Assignment, vehicle_id: str) -> StopPassage:
        """The event for a passage noticed between fixes."""
        pattern = self._patterns[passage.pattern]
        return self._event(
            vehicle_id,
            pattern,
            passage.stop_index,
            assignment,
            passage.arrival_time,
            passage.departure_time,
            passage.served,
            Source.INTERPOLATED,
        )

    def of_visit(
        self, visit: Visit, assignment: Assignment, vehicle_id: str, next_stop: int
    ) -> tuple[StopPassage, int | None]:
        """The event for a visit the bus reported, and the stop's index on the assigned pattern where it has one.

        Of a stop the pattern visits twice, the visit at or after ``next_stop`` is meant.
        """
        stop_index = self._index(visit, assignment, next_stop)
        if stop_index is None:
            return self._unmatched(visit, vehicle_id), None
        event = self._event(
            vehicle_id,
            self._patterns[assignment.pattern],
            stop_index,
            assignment,
            visit.arrival_time,
            visit.departure_time,
            visit.served,
            Source.REPORTED,
        )
        return event, stop_index

    def _index(self, visit: Visit, assignment: Assignment, next_stop: int) -> int | None:
        if assignment.pattern < 0 or visit.report.route_id != assignment.route_id:
            return None
        places = [i for i, s in enumerate(self._patterns[assignment.pattern].stop_ids) if s == visit.report.stop_id]
        later = [i for i in places if i >= next_stop]
        return next(iter(later or places), None)

    def _event(
        self,
        vehicle_id: str,
        pattern: Pattern,
        stop_index: int,
        assignment: Assignment,
        arrival_time: float,
        departure_time: float,
        served: bool | None,
        source: Source,
    ) -> StopPassage:
        dated = self._timetable.dated_trips[assignment.dated_trip] if assignment.dated_trip >= 0 else None
        arrival = dated.arrival_time(stop_index) if dated and dated.exact else None
        departure = dated.departure_time(stop_index) if dated and dated.exact else None
        last = stop_index == len(pattern.stop_ids) - 1
        late_s = _less(arrival_time, arrival) if last else _less(departure_time, departure)
        return StopPassage(
            time=round(departure_time, 3),
            vehicle_id=vehicle_id,
            route_id=pattern.route_id,
            direction_id=pattern.direction_id,
            stop_id=pattern.stop_ids[stop_index],
            arrival_time=round(arrival_time, 3),
            departure_time=round(departure_time, 3),
            dwell_s=round(departure_time - arrival_time, 3),
            served=served,
            source=source,
            service_date=dated.service_date.isoformat() if dated else None,
            trip_id=dated.dated_trip_id if dated else None,
            pattern_id=pattern.pattern_id,
            stop_sequence=stop_index,
            scheduled_arrival_time=arrival,
            scheduled_departure_time=departure,
            schedule_deviation_s=late_s,
        )

    def _unmatched(self, visit: Visit, vehicle_id: str) -> StopPassage:
        """The bus names a stop outside the network: its own word is all there is."""
        report = visit.report
        return StopPassage(
            time=round(visit.departure_time, 3),
            vehicle_id=vehicle_id,
            route_id=report.route_id or "",
            direction_id=report.direction_id or 0,
            stop_id=report.stop_id or "",
            arrival_time=round(visit.arrival_time, 3),
            departure_time=round(visit.departure_time, 3),
            dwell_s=round(visit.departure_time - visit.arrival_time, 3),
            served=visit.served,
            source=Source.REPORTED,
            service_date=report.service_date,
            scheduled_arrival_time=report.scheduled_arrival_time,
            scheduled_departure_time=report.scheduled_departure_time,
            schedule_deviation_s=_less(visit.departure_time, report.scheduled_departure_time),
        )


def _less(actual: float, scheduled: float | None) -> float | None:
    return None if scheduled is None else round(actual - scheduled, 3)

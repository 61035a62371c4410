"""Ghosts: trips the timetable has running with no vehicle on them."""

from dispatch.events import TripMissing
from dispatch.fleet.thresholds import Thresholds
from dispatch.network.timetable import DatedTrip, Timetable

_EVERY_S = 10.0


class MissingTrips:
    """Compares the timetable with the trips vehicles have been seen to run."""

    def __init__(self, timetable: Timetable, limits: Thresholds) -> None:
        self._timetable = timetable
        self._limits = limits
        self._began_time: float | None = None  # first time asked: what ran before is not known
        self._next_time = float("-inf")
        self.missing: dict[int, DatedTrip] = {}  # by index in the timetable

    def observe(self, performed: set[int], now: float, *, feed_alive: bool) -> list[TripMissing]:
        """What began and ended to be missing; ``performed`` holds every trip a vehicle has run or runs."""
        if now < self._next_time or not feed_alive:
            return []
        if self._began_time is None:
            self._began_time = now
        self._next_time = now + _EVERY_S
        found = [dated for dated in self._timetable.running_at(now) if self._is_missing(dated, performed, now)]
        begun = [dated for dated in found if dated.index not in self.missing]
        ended = [
            dated for dated in self.missing.values() if dated.index in performed or now > self._given_up_time(dated)
        ]
        self.missing.update({dated.index: dated for dated in begun})
        for dated in ended:
            del self.missing[dated.index]
        return [_event(d, d.start_time + self._limits.missing_after_s, began=True) for d in begun] + [
            _event(d, now, began=False) for d in ended
        ]

    def _is_missing(self, dated: DatedTrip, performed: set[int], now: float) -> bool:
        assert self._began_time is not None
        since = max(dated.start_time, self._began_time)
        return (
            dated.exact
            and dated.index not in performed
            and since + self._limits.missing_after_s <= now <= self._given_up_time(dated)
        )

    def _given_up_time(self, dated: DatedTrip) -> float:
        return min(dated.start_time + self._limits.missing_for_s, dated.end_time)


def _event(dated: DatedTrip, time: float, *, began: bool) -> TripMissing:
    return TripMissing(
        time=time,
        began=began,
        route_id=dated.trip.route_id,
        direction_id=dated.trip.direction_id,
        trip_id=dated.dated_trip_id,
        service_date=dated.service_date.isoformat(),
        scheduled_start_time=dated.start_time,
    )

"""Trips on dates: which trip starts when, what is scheduled at a stop, how far apart departures are meant to be.

Pure: it knows no present. A service date is laid out on first use and kept.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dispatch.network.model import Network, Trip
from dispatch.network.service_time import service_dates_at, service_midnight_time

FloatArray: TypeAlias = NDArray[np.float64]
_StopKey: TypeAlias = tuple[str, int, str]  # route, direction, stop
_StartKey: TypeAlias = tuple[str, int, int]  # route, direction, minute of the local clock at the first stop
_DAY_MIN = 1_440
_NO_TIMES: FloatArray = np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DatedTrip:
    """One trip on one service date; a row of frequencies.txt gives one for each departure."""

    index: int  # position in Timetable.dated_trips
    dated_trip_id: str  # the feed's trip_id, with "@HH:MM:SS" for a repeat from frequencies.txt
    trip: Trip
    service_date: date
    zero_time: float  # UTC s to which the trip's service times are added
    exact: bool  # False: only its headway is promised, not its times

    @property
    def start_time(self) -> float:
        """Scheduled departure from the first stop, UTC s."""
        return self.zero_time + float(self.trip.departure_service_s[0])

    @property
    def end_time(self) -> float:
        """Scheduled arrival at the last stop, UTC s."""
        return self.zero_time + float(self.trip.arrival_service_s[-1])

    def arrival_time(self, stop_index: int) -> float:
        """Scheduled arrival at a stop of the pattern, UTC s."""
        return self.zero_time + float(self.trip.arrival_service_s[stop_index])

    def departure_time(self, stop_index: int) -> float:
        """Scheduled departure from a stop of the pattern, UTC s."""
        return self.zero_time + float(self.trip.departure_service_s[stop_index])


class _Day:
    """One service date laid out: its trips by start, and the departures at every stop in time order."""

    def __init__(self, trips: list[DatedTrip], midnight_time: float, network: Network) -> None:
        self.trips = trips
        self.by_start: dict[_StartKey, list[DatedTrip]] = defaultdict(list)
        times_at: dict[_StopKey, list[float]] = defaultdict(list)
        for dated in trips:
            trip = dated.trip
            minute = int(dated.start_time - midnight_time) // 60 % _DAY_MIN
            self.by_start[trip.route_id, trip.direction_id, minute].append(dated)
            departures = (dated.zero_time + trip.departure_service_s).tolist()
            for stop_id, time in zip(network.patterns[trip.pattern_id].stop_ids, departures, strict=True):
                times_at[trip.route_id, trip.direction_id, stop_id].append(time)
        self.departures = {key: np.unique(np.array(times)) for key, times in times_at.items()}


class Timetable:
    """Every trip of the network on every service date asked for so far."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.dated_trips: list[DatedTrip] = []
        self._days: dict[date, _Day] = {}

    def trips_on(self, service_date: date) -> list[DatedTrip]:
        """The trips of a service date, in the feed's order."""
        return self._day(service_date).trips

    def find_trips(self, route_id: str, direction_id: int, service_date: date, start_clock_s: int) -> list[DatedTrip]:
        """Trips of the service date that leave their first stop in that minute of the local 24 h clock."""
        key = (route_id, direction_id, start_clock_s // 60 % _DAY_MIN)
        return self._day(service_date).by_start.get(key, [])

    def running_at(self, time: float, slack_s: float = 0.0) -> list[DatedTrip]:
        """Trips whose scheduled span, widened by ``slack_s`` at both ends, holds the instant."""
        return [
            dated
            for service_date in service_dates_at(time, self.network.timezone)
            for dated in self._day(service_date).trips
            if dated.start_time - slack_s <= time <= dated.end_time + slack_s
        ]

    def target_headways_s(self, dated: DatedTrip) -> FloatArray:
        """Scheduled time since the departure before, at each stop of the trip; (stops,), NaN where it is alone."""
        pattern = self.network.patterns[dated.trip.pattern_id]
        times = dated.zero_time + dated.trip.departure_service_s
        return np.array(
            [
                self.scheduled_headway_s(pattern.route_id, pattern.direction_id, stop_id, time, dated.service_date)
                for stop_id, time in zip(pattern.stop_ids, times.tolist(), strict=True)
            ]
        )

    def scheduled_headway_s(
        self, route_id: str, direction_id: int, stop_id: str, time: float, service_date: date
    ) -> float:
        """Time between the scheduled departure nearest before or at ``time`` and the one before it; NaN if unknown.

        For the first departure of the day, the time to the next one.
        """
        times = self._day(service_date).departures.get((route_id, direction_id, stop_id), _NO_TIMES)
        if len(times) < 2:
            return float("nan")
        here = max(int(np.searchsorted(times, time + 0.5)) - 1, 1)
        return float(times[here] - times[here - 1])

    def _day(self, service_date: date) -> _Day:
        if service_date not in self._days:
            midnight = service_midnight_time(service_date, self.network.timezone)
            services = self.network.calendar.services_on(service_date)
            trips = [t for t in self.network.trips.values() if t.service_id in services]
            dated = [d for trip in trips for d in self._dated(trip, service_date, midnight)]
            self._days[service_date] = _Day(dated, midnight, self.network)
        return self._days[service_date]

    def _dated(self, trip: Trip, service_date: date, midnight: float) -> list[DatedTrip]:
        first_s = int(trip.departure_service_s[0])
        starts = [
            (start_s, window.exact)
            for window in trip.windows
            for start_s in range(window.start_service_s, window.end_service_s, window.headway_s)
        ]
        if not starts:
            return [self._open(trip, trip.trip_id, service_date, midnight, exact=True)]
        return [
            self._open(
                trip, f"{trip.trip_id}@{_clock(start_s)}", service_date, midnight + start_s - first_s, exact=exact
            )
            for start_s, exact in starts
        ]

    def _open(self, trip: Trip, name: str, service_date: date, zero_time: float, *, exact: bool) -> DatedTrip:
        dated = DatedTrip(
            index=len(self.dated_trips),
            dated_trip_id=name,
            trip=trip,
            service_date=service_date,
            zero_time=zero_time,
            exact=exact,
        )
        self.dated_trips.append(dated)
        return dated


def _clock(service_s: int) -> str:
    return f"{service_s // 3600:02d}:{service_s // 60 % 60:02d}:{service_s % 60:02d}"

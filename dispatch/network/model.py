"""The static city: what a GTFS feed says, checked, in SI and service time. Immutable once built.

Service time (``_service_s``) is seconds after noon minus 12 h of the service date, and may pass 86,400.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int32]


class ShapeSource(StrEnum):
    """Where a pattern's line on the map comes from."""

    FEED = "shapes.txt"
    STRAIGHT = "straight lines between stops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A place where passengers board or alight."""

    stop_id: str
    name: str
    lat: float  # degrees, WGS 84
    lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A line as the public knows it."""

    route_id: str
    short_name: str
    long_name: str
    color: str  # RRGGBB, upper case; a default when the feed's is invalid
    text_color: str
    mode: int  # GTFS route_type


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pattern:
    """One distinct stop sequence of a route in one direction, with its line on the ground."""

    pattern_id: str  # stable across imports of the same feed
    route_id: str
    direction_id: int  # 0 or 1; 0 where the feed does not say
    headsign: str
    stop_ids: tuple[str, ...]
    stop_along_m: FloatArray  # (stops,) never falling, first >= 0, last <= length_m
    lat: FloatArray  # (vertices,) degrees
    lon: FloatArray
    along_m: FloatArray  # (vertices,) strictly rising from 0
    shape_source: ShapeSource
    trip_count: int  # trips in the feed that follow it

    @property
    def length_m(self) -> float:
        """Length of the line on the ground."""
        return float(self.along_m[-1])

    @property
    def is_loop(self) -> bool:
        """Ends at the stop where it began."""
        return self.stop_ids[0] == self.stop_ids[-1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trip:
    """One scheduled trip of the feed; repeated by ``windows`` when it comes from frequencies.txt."""

    trip_id: str
    route_id: str
    direction_id: int
    pattern_id: str
    service_id: str
    block_id: str | None
    headsign: str
    arrival_service_s: IntArray  # (stops,) never falling; blanks in the feed are interpolated along the pattern
    departure_service_s: IntArray
    windows: tuple["HeadwayWindow", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadwayWindow:
    """A row of frequencies.txt: the trip leaves its first stop every headway_s from start to before end."""

    start_service_s: int
    end_service_s: int
    headway_s: int
    exact: bool  # False: only the headway is promised, not the times


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with a feed, with the place a person must look at."""

    file: str
    row: int | None  # line number in the file, header = 1; None: the file as a whole
    code: str  # short and stable, e.g. "unknown_stop"
    message: str
    fatal_for_row: bool = True  # False: the row was used, mended as the message says


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCalendar:
    """Which services run on which date: calendar.txt and calendar_dates.txt."""

    weekly: Mapping[str, tuple[date, date, tuple[bool, ...]]]  # service_id -> first date, last date, Monday..Sunday
    added: Mapping[date, frozenset[str]] = field(default_factory=dict)
    removed: Mapping[date, frozenset[str]] = field(default_factory=dict)

    def services_on(self, service_date: date) -> frozenset[str]:
        """Ids of the services that run on the date."""
        regular = {
            service_id
            for service_id, (first, last, days) in self.weekly.items()
            if first <= service_date <= last and days[service_date.weekday()]
        }
        return frozenset(
            (regular | self.added.get(service_date, frozenset())) - self.removed.get(service_date, frozenset())
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A whole city; the mappings keep the feed's order."""

    timezone: str  # IANA name
    agency_name: str
    routes: Mapping[str, Route]
    stops: Mapping[str, Stop]
    patterns: Mapping[str, Pattern]
    trips: Mapping[str, Trip]
    calendar: ServiceCalendar
    problems: tuple[Problem, ...] = ()
    version: str = ""  # hash of the feed's content

    def patterns_of(self, route_id: str) -> list[Pattern]:
        """The route's patterns, most used first."""
        found = [pattern for pattern in self.patterns.values() if pattern.route_id == route_id]
        return sorted(found, key=lambda pattern: -pattern.trip_count)


EMPTY = Network(
    timezone="UTC",
    agency_name="",
    routes={},
    stops={},
    patterns={},
    trips={},
    calendar=ServiceCalendar(weekly={}),
)

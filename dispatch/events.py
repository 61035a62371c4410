"""Vocabulary out: what we conclude. Frozen, keyword-only, SI, UTC seconds; None means not known.

``event_id`` is a pure function of content, so sending or storing an event twice changes nothing.
"""

from enum import StrEnum
from typing import TypeAlias
from uuid import UUID, uuid5

import msgspec

_NAMESPACE = UUID("5d1f6c3e-2f0e-5c62-9d0c-1d9a5b0c7b11")  # fixed for ever: ids of stored events depend on it


class Source(StrEnum):
    """How a fact about a stop is known."""

    REPORTED = "reported"  # the bus sent stop or door events
    INTERPOLATED = "interpolated"  # between two matched fixes


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """Anything we concluded."""

    time: float  # UTC s of the fact itself, not of noticing it


class VehicleEvent(Event, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """A fact about one vehicle."""

    vehicle_id: str


class StopPassage(VehicleEvent, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """A bus served or passed a stop (a TIDES stop visit). ``time`` is the departure."""

    route_id: str
    direction_id: int
    stop_id: str
    arrival_time: float  # wheels stopped at the stop, or the moment the front passed it
    departure_time: float
    dwell_s: float  # 0 when it did not stop
    served: bool | None  # None: a sparse feed cannot tell
    source: Source
    service_date: str | None = None
    trip_id: str | None = None
    pattern_id: str | None = None
    stop_sequence: int | None = None  # index in the pattern, from 0
    scheduled_arrival_time: float | None = None
    scheduled_departure_time: float | None = None
    schedule_deviation_s: float | None = None  # actual - scheduled at departure (arrival at the last stop); + is late


class HeadwayObserved(VehicleEvent, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """Time between two successive departures of one route and direction at one stop (TCQSM headway)."""

    route_id: str
    direction_id: int
    stop_id: str
    leader_vehicle_id: str
    headway_s: float
    target_headway_s: float | None = None


class TripAssigned(VehicleEvent, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """From ``time`` on the vehicle is taken to run this pattern, and this trip where one is known."""

    route_id: str
    direction_id: int
    pattern_id: str
    signed_on: bool  # True: the bus said so; False: inferred from position and time
    trip_id: str | None = None
    service_date: str | None = None


class TripEnded(VehicleEvent, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """The vehicle no longer runs the trip."""

    route_id: str
    pattern_id: str
    completed: bool  # reached the last stop
    trip_id: str | None = None
    service_date: str | None = None


class OffRoute(VehicleEvent, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """The vehicle left its pattern (``began``) or is back on it."""

    began: bool
    route_id: str
    pattern_id: str
    lateral_m: float  # distance from the pattern when noticed


class VehicleStale(VehicleEvent, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """No fix for too long (``began``), or it is heard again."""

    began: bool
    last_fix_time: float


class VehicleOnline(VehicleEvent, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """The onboard unit connected, or its last will said it is gone."""

    online: bool


class DeviceConflict(VehicleEvent, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """Two devices claim one vehicle: fixes alternate between places no bus can connect."""

    spacing_m: float


class TripMissing(Event, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """A scheduled trip has no vehicle (a ghost, ``began``), or got one or was given up."""

    began: bool
    route_id: str
    direction_id: int
    trip_id: str
    service_date: str
    scheduled_start_time: float


class FeedOutage(Event, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """So many vehicles fell silent at once that the feed is at fault, not the buses; one fact, not a thousand."""

    began: bool
    stale_vehicles: int
    vehicles: int


class PanicPressed(VehicleEvent, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """The driver or a passenger asked for help; never held back, grouped or dropped."""

    lat: float | None = None
    lon: float | None = None
    position_age_s: float | None = None


AnyEvent: TypeAlias = (
    StopPassage
    | HeadwayObserved
    | TripAssigned
    | TripEnded
    | OffRoute
    | VehicleStale
    | VehicleOnline
    | DeviceConflict
    | TripMissing
    | FeedOutage
    | PanicPressed
)


def event_id(event: AnyEvent) -> UUID:
    """The event's id: uuid5 over its kind and whole content, equal for equal events in any process and year."""
    return uuid5(_NAMESPACE, msgspec.json.encode(event).decode())

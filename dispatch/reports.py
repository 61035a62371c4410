"""Vocabulary in: what vehicles and the roadside tell us. Frozen, keyword-only, SI, UTC seconds; None means not known.

Codecs in ``dispatch.wire`` turn bytes into these and back; nothing else knows the bytes.
"""

from enum import IntEnum, StrEnum
from typing import Any, TypeAlias

import msgspec


class ReportKind(IntEnum):
    """Why a vehicle spoke. The numbers are stored: never renumber, only append."""

    POSITION = 0
    STOP_AHEAD = 1
    STOP_ENTERED = 2  # front of the bus inside the stop radius
    STOP_ARRIVED = 3  # wheels stopped at the stop
    STOP_READY_TO_LEAVE = 4
    STOP_LEFT = 5  # left the stop radius after serving it
    STOP_PASSED = 6  # passed without stopping
    STOP_WAITING = 7
    DOORS_OPENED = 8
    DOORS_CLOSED = 9
    PRIORITY_ASKED = 10
    PRIORITY_ANSWERED = 11
    DRIVER_SIGNED_IN = 12
    DRIVER_SIGNED_OUT = 13
    BLOCK_TAKEN = 14
    BLOCK_LEFT = 15
    TRIP_SIGNED_ON = 16
    TRIP_SIGNED_OFF = 17


class Duty(IntEnum):
    """What the vehicle says it is doing. The numbers are stored."""

    IN_SERVICE = 0
    DEADHEAD = 1
    SIGNED_OFF = 2


class LocationSource(IntEnum):
    """Where lat and lon come from. The numbers are stored."""

    UNKNOWN = 0
    GNSS = 1
    ODOMETER = 2
    DEAD_RECKONING = 3
    MANUAL = 4


class Report(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """Anything that came in."""

    vehicle_id: str  # "operator/vehicle" exactly as in the topic; the unique key of a vehicle
    received_time: float  # UTC s, stamped here on arrival, never by the vehicle


class VehicleReport(Report, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """One telemetry message of one vehicle: a position, a stop or door event, a sign-on."""

    kind: ReportKind
    duty: Duty
    fix_time: float  # UTC s, vehicle clock, ms precision
    lat: float | None = None  # degrees, WGS 84
    lon: float | None = None
    speed_mps: float | None = None
    heading_deg: float | None = None  # clockwise from north, 0 <= x < 360
    acceleration_mps2: float | None = None
    odometer_m: float | None = None  # since the trip began, as the bus says
    location_source: LocationSource = LocationSource.UNKNOWN
    doors_open: bool | None = None
    upcoming: bool = False  # speaks of the next trip, which has not begun
    transport_mode: str = "bus"
    route_id: str | None = None  # GTFS
    direction_id: int | None = None  # GTFS: 0 or 1
    headsign: str | None = None
    service_date: str | None = None  # YYYY-MM-DD, the operating day, not the calendar day
    trip_start_clock_s: int | None = None  # local clock at the first stop, 0 <= x < 86400 (24 h clock)
    next_stop_id: str | None = None  # "EOL" is told by end_of_line
    end_of_line: bool = False
    stop_id: str | None = None  # the stop a stop or door event speaks of
    route_label: str | None = None  # public line number
    company_id: str | None = None  # company that runs the trip, where it differs from the owner in vehicle_id
    schedule_deviation_s: float | None = None  # actual - scheduled: + is late
    occupancy_share: float | None = None  # 0-1
    scheduled_arrival_time: float | None = None  # UTC s, at stop_id
    scheduled_departure_time: float | None = None
    extra: dict[str, Any] = {}  # fields of the wire that have no name here, kept as they came


class VehicleStatus(Report, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """The onboard unit is connected, or its last will says it is gone."""

    online: bool
    status_time: float | None = None  # UTC s, vehicle clock; absent in a last will


class SensorReport(Report, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """What the telemetry format has no field for: quality of the fix, wheel speed, passenger counts, panic."""

    fix_time: float  # UTC s, vehicle clock
    hdop: float | None = None
    satellites: int | None = None
    h_acc_m: float | None = None  # 1 sigma horizontal
    can_speed_mps: float | None = None
    boardings: int | None = None
    alightings: int | None = None
    panic: bool = False
    extra: dict[str, Any] = {}


class Reason(StrEnum):
    """Why an input was refused. Counted, sampled in the log, stored, shown on the dashboard."""

    TOPIC_UNKNOWN = "topic_unknown"
    TOPIC_TOO_SHORT = "topic_too_short"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    PAYLOAD_NOT_JSON = "payload_not_json"
    PAYLOAD_SHAPE = "payload_shape"  # JSON, but not the one-key object the topic promises
    FIELD_MISSING = "field_missing"
    FIELD_TYPE = "field_type"
    FIELD_RANGE = "field_range"
    EVENT_MISMATCH = "event_mismatch"  # topic and payload name different events
    VEHICLE_MISMATCH = "vehicle_mismatch"  # payload speaks for another vehicle than the topic
    RETAINED = "retained"  # an old message the broker kept; never taken for live
    FIX_IN_FUTURE = "fix_in_future"
    FIX_TOO_OLD = "fix_too_old"
    COORDINATES_ZERO = "coordinates_zero"
    COORDINATES_SWAPPED = "coordinates_swapped"
    POSITION_OUTSIDE_CITY = "position_outside_city"
    JUMP_IMPOSSIBLE = "jump_impossible"
    SPEED_IMPOSSIBLE = "speed_impossible"
    DUPLICATE = "duplicate"
    TOO_FREQUENT = "too_frequent"
    DEVICE_CONFLICT = "device_conflict"  # two devices claim one vehicle
    TOO_MANY_VEHICLES = "too_many_vehicles"  # more names than any city has buses: somebody makes them up


class Rejected(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    """An input that was refused, and why. A value, never an exception."""

    reason: Reason
    received_time: float
    topic: str
    detail: str = ""  # one line for a person: the field and what it held
    vehicle_id: str | None = None
    payload: bytes = b""  # at most the first 1,000 bytes


Input: TypeAlias = VehicleReport | VehicleStatus | SensorReport | Rejected

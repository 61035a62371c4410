"""What the REST answers look like: SI with the unit in the name, instants as ISO 8601 with offset, null = not known."""

from datetime import UTC, datetime
from math import isnan
from typing import Any

from pydantic import BaseModel


class Vehicle(BaseModel):
    """One vehicle, as last heard."""

    id: str
    label: str
    route_id: str | None
    direction_id: int | None
    pattern_id: str | None
    trip_id: str | None
    trip_inferred: bool
    state: str
    fix_time: datetime | None
    fix_age_s: float | None
    lat: float | None
    lon: float | None
    speed_mps: float | None
    heading_deg: float | None
    along_m: float | None
    lateral_m: float | None
    match_quality: float | None
    off_route: bool
    stale: bool
    online: bool | None
    schedule_deviation_s: float | None
    ahead_vehicle_id: str | None
    behind_vehicle_id: str | None
    headway_s: float | None
    headway_behind_s: float | None
    target_headway_s: float | None
    occupancy_share: float | None


class RouteSummary(BaseModel):
    """One route and how its buses are spaced now."""

    id: str
    short_name: str
    long_name: str
    vehicles: int
    headway_s_min: float | None
    headway_s_max: float | None
    target_headway_s: float | None


class LiveHeadway(BaseModel):
    """One bus in running order."""

    vehicle_id: str
    along_m: float
    headway_s: float | None
    target_headway_s: float | None
    schedule_deviation_s: float | None


class ObservedHeadway(BaseModel):
    """Time between two departures at a stop."""

    time: datetime
    direction_id: int
    stop_id: str
    vehicle_id: str
    leader_vehicle_id: str
    headway_s: float
    target_headway_s: float | None


class RouteHeadways(BaseModel):
    """A route's buses in running order, by direction, and its measured headways when a time span is asked for."""

    route_id: str
    live: dict[str, list[LiveHeadway]]
    observed: list[ObservedHeadway]


class Position(BaseModel):
    """One stored position."""

    time: datetime
    lat: float
    lon: float
    speed_mps: float | None
    heading_deg: float | None


class OpenAlert(BaseModel):
    """One open alert."""

    id: str
    kind: str
    priority: int
    since: datetime
    vehicle_id: str | None
    route_id: str | None
    trip_id: str | None
    value: float | None


class Reject(BaseModel):
    """One refused input."""

    received: datetime
    reason: str
    detail: str
    topic: str
    vehicle_id: str | None


class Rejects(BaseModel):
    """Refused inputs since the start by reason, and the newest stored."""

    counts: dict[str, int]
    newest: list[Reject]


class Problem(BaseModel):
    """RFC 9457 problem document."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""


def moment(time: float) -> datetime:
    """Aware UTC datetime from UTC s."""
    return datetime.fromtimestamp(round(time, 3), UTC)


def known(value: Any, digits: int = 1) -> float | None:
    """The number rounded, None when NaN."""
    number = float(value)
    return None if isnan(number) else round(number, digits)

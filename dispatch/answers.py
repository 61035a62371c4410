"""What the feeds ask of the store: a protocol and its answers, so that neither room knows the other."""

from typing import Protocol

import msgspec


class TrackPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One stored position."""

    time: float  # UTC s
    lat: float
    lon: float
    speed_mps: float | None = None
    heading_deg: float | None = None


class HeadwayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One stored headway at a stop."""

    time: float
    direction_id: int
    stop_id: str
    vehicle_id: str
    leader_vehicle_id: str
    headway_s: float
    target_headway_s: float | None = None


class RejectRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One refused input."""

    received_time: float
    reason: str
    detail: str
    topic: str
    vehicle_id: str | None = None


class StoreReader(Protocol):
    """The questions."""

    async def track(self, vehicle_id: str, from_time: float, to_time: float, limit: int) -> list[TrackPoint]:
        """A vehicle's positions in time order."""
        ...

    async def headways(self, route_id: str, from_time: float, to_time: float) -> list[HeadwayRecord]:
        """Headways measured at the route's stops, in time order."""
        ...

    async def rejects(self, since_time: float, limit: int) -> list[RejectRecord]:
        """The newest refused inputs, newest first."""
        ...

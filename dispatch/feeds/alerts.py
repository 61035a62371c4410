"""Open alerts: a fold of events that begin and end into the short list of what is wrong now."""

from collections.abc import Iterable

import msgspec

from dispatch.events import (
    AnyEvent,
    DeviceConflict,
    FeedOutage,
    OffRoute,
    PanicPressed,
    TripMissing,
    VehicleStale,
    event_id,
)

_LISTED_MAX = 500
_CONFLICT_FOR_S = 900.0


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One open alert; facts as numbers, the words are the dashboard's."""

    id: str
    kind: str  # panic, feed_outage, trip_missing, off_route, stale, device_conflict
    priority: int  # 1 critical, 2 high, 3 low
    since_time: float  # UTC s
    vehicle_id: str | None = None
    route_id: str | None = None
    trip_id: str | None = None
    value: float | None = None  # m off the route or apart, vehicles silent


class Alerts:
    """Keeps what has begun and not ended."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Alert] = {}
        self.version = 0

    def fold(self, events: Iterable[AnyEvent], now: float) -> None:
        """Take in a step's events; ``version`` rises when the list changed."""
        for event in events:
            self._take(event)
        for key, alert in list(self._open.items()):
            if alert.kind == "device_conflict" and now - alert.since_time > _CONFLICT_FOR_S:
                self._close(key)

    def listed(self) -> list[Alert]:
        """Worst first, then oldest; while the feed is out single silences are not listed. At most 500."""
        out = any(alert.kind == "feed_outage" for alert in self._open.values())
        shown = [alert for alert in self._open.values() if not (out and alert.kind == "stale")]
        return sorted(shown, key=lambda a: (a.priority, a.since_time, a.id))[:_LISTED_MAX]

    def _take(self, event: AnyEvent) -> None:
        match event:
            case PanicPressed():
                self._set(event, "panic", 1, event.vehicle_id, began=True)
            case FeedOutage():
                self._set(event, "feed_outage", 1, "", began=event.began, value=float(event.stale_vehicles))
            case TripMissing():
                name = f"{event.service_date} {event.trip_id}"
                self._set(
                    event, "trip_missing", 2, name, began=event.began, route_id=event.route_id, trip_id=event.trip_id
                )
            case OffRoute():
                self._set(
                    event, "off_route", 3, event.vehicle_id, began=event.began,
                    route_id=event.route_id, value=event.lateral_m,
                )  # fmt: skip
            case VehicleStale():
                self._set(event, "stale", 3, event.vehicle_id, began=event.began)
            case DeviceConflict():
                self._set(event, "device_conflict", 2, event.vehicle_id, began=True, value=event.spacing_m)
            case _:
                pass

    def _set(
        self,
        event: AnyEvent,
        kind: str,
        priority: int,
        name: str,
        *,
        began: bool,
        route_id: str | None = None,
        trip_id: str | None = None,
        value: float | None = None,
    ) -> None:
        key = (kind, name)
        if not began:
            self._close(key)
        elif key not in self._open:
            self.version += 1
            self._open[key] = Alert(
                id=str(event_id(event)),
                kind=kind,
                priority=priority,
                since_time=event.time,
                vehicle_id=getattr(event, "vehicle_id", None),
                route_id=route_id,
                trip_id=trip_id,
                value=value,
            )

    def _close(self, key: tuple[str, str]) -> None:
        if self._open.pop(key, None) is not None:
            self.version += 1

"""A small city made by hand for tests: straight or bent lines near 50 N, and buses driven along them."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from dispatch.network.model import (
    HeadwayWindow,
    Network,
    Pattern,
    Route,
    ServiceCalendar,
    ShapeSource,
    Stop,
    Trip,
)
from dispatch.network.service_time import service_midnight_time
from dispatch.reports import Duty, ReportKind, VehicleReport

SERVICE_DATE = date(2026, 1, 5)
MIDNIGHT = service_midnight_time(SERVICE_DATE, "UTC")
EIGHT = MIDNIGHT + 8 * 3600.0  # 08:00 on the service date, UTC s
LAT, LON = 50.0, 10.0
M_PER_DEG = 111_195.0
M_PER_DEG_LON = M_PER_DEG * float(np.cos(np.radians(LAT)))


def point(east_m: float, north_m: float) -> tuple[float, float]:
    """lat, lon of a place given in metres from the city's corner."""
    return LAT + north_m / M_PER_DEG, LON + east_m / M_PER_DEG_LON


def pattern(
    route_id: str,
    path_m: Sequence[tuple[float, float]],
    stops_m: Sequence[float],
    direction_id: int = 0,
    prefix: str = "",
) -> Pattern:
    """A pattern along a path of (east, north) corners with stops at the given distances along."""
    corners = np.array(path_m, float)
    steps = np.hypot(*np.diff(corners, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    lat, lon = point(corners[:, 0], corners[:, 1])  # type: ignore[arg-type]
    name = prefix or f"{route_id}-{direction_id}"
    return Pattern(
        pattern_id=f"{name}",
        route_id=route_id,
        direction_id=direction_id,
        headsign="Terminus",
        stop_ids=tuple(f"{name}-{number}" for number in range(len(stops_m))),
        stop_along_m=np.array(stops_m, float),
        lat=np.asarray(lat),
        lon=np.asarray(lon),
        along_m=along,
        shape_source=ShapeSource.FEED,
        trip_count=1,
    )


def trips(
    line: Pattern, starts_s: Sequence[int], speed_mps: float = 10.0, windows: tuple[HeadwayWindow, ...] = ()
) -> list[Trip]:
    """Trips that leave at the given service times and run at a constant speed."""
    return [
        Trip(
            trip_id=f"{line.pattern_id}@{start_s}",
            route_id=line.route_id,
            direction_id=line.direction_id,
            pattern_id=line.pattern_id,
            service_id="daily",
            block_id=None,
            headsign="Terminus",
            arrival_service_s=(start_s + line.stop_along_m / speed_mps).astype(np.int32),
            departure_service_s=(start_s + line.stop_along_m / speed_mps).astype(np.int32),
            windows=windows,
        )
        for start_s in starts_s
    ]


def city(patterns: Sequence[Pattern], all_trips: Sequence[Trip]) -> Network:
    """A network of the patterns and trips, running every day, in UTC."""
    stops = {}
    for line in patterns:
        for stop_id, along_m in zip(line.stop_ids, line.stop_along_m, strict=True):
            lat, lon = (float(np.interp(along_m, line.along_m, c)) for c in (line.lat, line.lon))
            stops[stop_id] = Stop(stop_id=stop_id, name=stop_id, lat=lat, lon=lon)
    return Network(
        timezone="UTC",
        agency_name="Test",
        routes={
            p.route_id: Route(
                route_id=p.route_id, short_name=p.route_id, long_name="", color="000000", text_color="FFFFFF", mode=3
            )
            for p in patterns
        },
        stops=stops,
        patterns={p.pattern_id: p for p in patterns},
        trips={t.trip_id: t for t in all_trips},
        calendar=ServiceCalendar(weekly={"daily": (date(2020, 1, 1), date(2030, 1, 1), (True,) * 7)}),
    )


def straight(route_id: str = "1", length_m: float = 4000.0, spacing_m: float = 400.0, direction_id: int = 0) -> Pattern:
    """A line due east with a stop every ``spacing_m``."""
    corners = [(east_m, 0.0) for east_m in np.arange(0.0, length_m + 1, 100.0)]
    if direction_id == 1:
        corners = corners[::-1]
    return pattern(route_id, corners, np.arange(0.0, length_m + 1, spacing_m).tolist(), direction_id)


def report(line: Pattern, time: float, along_m: float, **told: object) -> VehicleReport:
    """A position report of a bus on the line's path, signed on to the trip of 08:00 unless told otherwise."""
    lat = float(np.interp(along_m, line.along_m, line.lat))
    lon = float(np.interp(along_m, line.along_m, line.lon))
    ahead = min(along_m + 5.0, line.length_m)
    behind = max(ahead - 10.0, 0.0)
    north = np.interp(ahead, line.along_m, line.lat) - np.interp(behind, line.along_m, line.lat)
    east = np.interp(ahead, line.along_m, line.lon) - np.interp(behind, line.along_m, line.lon)
    heading = float(np.degrees(np.arctan2(east * M_PER_DEG_LON, north * M_PER_DEG)) % 360.0)
    fields: dict[str, object] = {
        "vehicle_id": "1/1",
        "received_time": time + 0.1,
        "kind": ReportKind.POSITION,
        "duty": Duty.IN_SERVICE,
        "fix_time": time,
        "lat": lat,
        "lon": lon,
        "speed_mps": 10.0,
        "heading_deg": heading,
        "doors_open": False,
        "route_id": line.route_id,
        "direction_id": line.direction_id,
        "service_date": SERVICE_DATE.isoformat(),
        "trip_start_clock_s": 8 * 3600,
    }
    return VehicleReport(**(fields | told))  # type: ignore[arg-type]


def drive(
    line: Pattern,
    start_time: float,
    every_s: float = 1.0,
    speed_mps: float = 10.0,
    dwell_s: float = 0.0,
    **told: object,
) -> list[VehicleReport]:
    """A bus run from end to end at a steady speed, standing ``dwell_s`` with doors open at every stop."""
    calls = [(float(m) / speed_mps + number * dwell_s, float(m)) for number, m in enumerate(line.stop_along_m)]
    end_s = calls[-1][0] + dwell_s
    found = []
    for elapsed_s in np.arange(0.0, end_s + every_s, every_s).tolist():
        standing = [m for at_s, m in calls if at_s <= elapsed_s < at_s + dwell_s]
        served = sum(1 for at_s, _ in calls if at_s + dwell_s <= elapsed_s)
        along_m = standing[0] if standing else min((elapsed_s - served * dwell_s) * speed_mps, line.length_m)
        motion: dict[str, object] = {"speed_mps": 0.0 if standing else speed_mps, "doors_open": bool(standing)}
        found.append(report(line, start_time + elapsed_s, along_m, **(motion | told)))
    return found

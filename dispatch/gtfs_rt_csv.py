"""Recorded GTFS-Realtime vehicle positions (CSV beside their GTFS) as the HFP messages their buses would have sent."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl

from dispatch.network.model import Network
from dispatch.recording import Message
from dispatch.reports import Duty, LocationSource, ReportKind, VehicleReport
from dispatch.wire.hfp import encode_hfp

_OPERATOR = "0001"
_STANDING_MPS = 0.1
_COLUMNS = {
    "vehicle.trip.trip_id": "trip_id",
    "vehicle.trip.start_time": "start_time",
    "vehicle.trip.start_date": "start_date",
    "vehicle.trip.route_id": "route_id",
    "vehicle.trip.direction_id": "direction_id",
    "vehicle.position.latitude": "lat",
    "vehicle.position.longitude": "lon",
    "vehicle.position.bearing": "bearing",
    "vehicle.position.speed": "speed",
    "vehicle.timestamp": "timestamp",
    "vehicle.vehicle.id": "vehicle_id",
}
_NUMBERS = ("direction_id", "lat", "lon", "bearing", "speed", "timestamp")


def read_positions(path: Path, network: Network) -> Iterator[Message]:
    """Messages in the order of their timestamps; raises ValueError when the columns are not those of such a recording.

    A trip of the feed is signed on to as an HFP bus does: by route, direction, service date and scheduled start.
    """
    frame = pl.read_csv(path, infer_schema=False)
    missing = sorted(set(_COLUMNS) - set(frame.columns))
    if missing:
        raise ValueError(f"{path}: no column {missing[0]}")
    frame = frame.select(pl.col(name).alias(short) for name, short in _COLUMNS.items())
    frame = frame.with_columns(pl.col(name).cast(pl.Float64, strict=False) for name in _NUMBERS)
    frame = frame.filter(pl.col("timestamp").is_not_null()).unique(["vehicle_id", "timestamp"], keep="first")
    previous: dict[str, VehicleReport] = {}
    for row in frame.sort("timestamp", "vehicle_id").iter_rows(named=True):
        report = _report(row, network)
        topic, payload = encode_hfp(report, previous.get(report.vehicle_id))
        previous[report.vehicle_id] = report
        yield Message(report.received_time, topic, payload)


def _report(row: dict[str, str | float | None], network: Network) -> VehicleReport:
    time = float(row["timestamp"] or 0.0)
    trip = network.trips.get(str(row["trip_id"]))
    start_s = int(trip.departure_service_s[0]) if trip else _service_s(str(row["start_time"] or ""))
    day = str(row["start_date"] or "")
    direction = trip.direction_id if trip else row["direction_id"]
    return VehicleReport(
        vehicle_id=f"{_OPERATOR}/{str(row['vehicle_id']).zfill(5)}",
        received_time=time,
        kind=ReportKind.POSITION,
        duty=Duty.IN_SERVICE,
        fix_time=time,
        lat=_rounded(row["lat"], 6),
        lon=_rounded(row["lon"], 6),
        speed_mps=_rounded(row["speed"], 2),
        heading_deg=_heading(row["bearing"], row["speed"]),
        location_source=LocationSource.GNSS,
        route_id=str(row["route_id"]) if row["route_id"] else None,
        direction_id=int(direction) if direction is not None else None,
        headsign=trip.headsign if trip else None,
        service_date=datetime.strptime(day, "%Y%m%d").date().isoformat() if day else None,  # noqa: DTZ007  a date
        trip_start_clock_s=None if start_s is None else start_s // 60 * 60 % 86_400,
    )


def _service_s(text: str) -> int | None:
    parts = text.split(":")
    return int(parts[0]) * 3600 + int(parts[1]) * 60 if len(parts) == 3 and all(p.isdigit() for p in parts) else None


def _rounded(value: object, digits: int) -> float | None:
    return round(value, digits) if isinstance(value, float) else None


def _heading(bearing: object, speed: object) -> float | None:
    """A bearing of exactly 0 at a standstill is the feed's way of saying nothing."""
    if not isinstance(bearing, float) or (bearing == 0.0 and (not isinstance(speed, float) or speed < _STANDING_MPS)):
        return None
    return bearing % 360.0

"""Reports as fixed-point rows and back. What does not fit a column is stored as not known, never refused."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from math import isnan
from typing import Any, TypeAlias

import msgspec
from psycopg.types.json import Jsonb

from dispatch.reports import Duty, LocationSource, ReportKind, VehicleReport

NameId: TypeAlias = Callable[[str | None], int | None]

TELEMETRY = (
    ("vehicle_id", "int4"),
    ("ts", "timestamptz"),
    ("kind", "int2"),
    ("lag_ms", "int4"),
    ("duty", "int2"),
    ("flags", "int2"),
    ("located", "int2"),
    ("mode", "int4"),
    ("lat_e6", "int4"),
    ("lon_e6", "int4"),
    ("speed_cmps", "int2"),
    ("heading_dd", "int2"),
    ("accel_cmps2", "int2"),
    ("odometer_dm", "int4"),
    ("route_id", "int4"),
    ("direction", "int2"),
    ("service_date", "date"),
    ("start_min", "int2"),
    ("stop_id", "int4"),
    ("next_stop_id", "int4"),
    ("headsign", "int4"),
    ("label", "int4"),
    ("company", "int4"),
    ("deviation_s", "int4"),
    ("occupancy_pct", "int2"),
    ("scheduled_arrival_s", "int4"),
    ("scheduled_departure_s", "int4"),
    ("extra", "jsonb"),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT2, _INT4 = 32_767, 2_147_483_647
_UPCOMING, _END_OF_LINE, _DOORS_KNOWN, _DOORS_OPEN = 1, 2, 4, 8
_encode = msgspec.json.Encoder().encode


def instant(time: float) -> datetime:
    """Aware datetime from UTC s, to the millisecond: the precision of the key."""
    return _EPOCH + timedelta(milliseconds=round(time * 1000.0))


def texts_of(report: VehicleReport) -> tuple[str | None, ...]:
    """Every text of the report that is stored as a number."""
    return (
        report.vehicle_id,
        report.transport_mode,
        report.route_id,
        report.stop_id,
        report.next_stop_id,
        report.headsign,
        report.route_label,
        report.company_id,
    )


def row_of(report: VehicleReport, ids: Mapping[str, int]) -> tuple[Any, ...]:
    """The telemetry row; ``ids`` holds every text of the report, cleaned (``clean``)."""

    def number(text: str | None) -> int | None:
        return None if text is None else ids[clean(text)]

    flags = (
        (_UPCOMING if report.upcoming else 0)
        | (_END_OF_LINE if report.end_of_line else 0)
        | (_DOORS_KNOWN if report.doors_open is not None else 0)
        | (_DOORS_OPEN if report.doors_open else 0)
    )
    start = report.trip_start_clock_s
    return (
        number(report.vehicle_id),
        instant(report.fix_time),
        int(report.kind),
        _scaled(report.received_time - report.fix_time, 1000.0, _INT4) or 0,
        int(report.duty),
        flags,
        int(report.location_source),
        number(report.transport_mode),
        _scaled(report.lat, 1e6, _INT4),
        _scaled(report.lon, 1e6, _INT4),
        _scaled(report.speed_mps, 100.0, _INT2),
        _scaled(report.heading_deg, 10.0, _INT2),
        _scaled(report.acceleration_mps2, 100.0, _INT2),
        _scaled(report.odometer_m, 10.0, _INT4),
        number(report.route_id),
        report.direction_id,
        date.fromisoformat(report.service_date) if report.service_date else None,
        None if start is None else start // 60,
        number(report.stop_id),
        number(report.next_stop_id),
        number(report.headsign),
        number(report.route_label),
        number(report.company_id),
        _scaled(report.schedule_deviation_s, 1.0, _INT4),
        _scaled(report.occupancy_share, 100.0, _INT2),
        _after(report.scheduled_arrival_time, report.fix_time),
        _after(report.scheduled_departure_time, report.fix_time),
        Jsonb(json_text(report.extra), dumps=str) if report.extra else None,
    )


def report_of(row: Mapping[str, Any]) -> VehicleReport:
    """The report of a row whose text columns hold texts again, and whose ``ts`` is UTC s."""
    ts, flags = row["ts"], row["flags"]
    start = row["start_min"]
    return VehicleReport(
        vehicle_id=row["vehicle_id"],
        received_time=round(ts + row["lag_ms"] / 1000.0, 3),
        kind=ReportKind(row["kind"]),
        duty=Duty(row["duty"]),
        fix_time=ts,
        lat=_unscaled(row["lat_e6"], 1e6),
        lon=_unscaled(row["lon_e6"], 1e6),
        speed_mps=_unscaled(row["speed_cmps"], 100.0),
        heading_deg=_unscaled(row["heading_dd"], 10.0),
        acceleration_mps2=_unscaled(row["accel_cmps2"], 100.0),
        odometer_m=_unscaled(row["odometer_dm"], 10.0),
        location_source=LocationSource(row["located"]),
        doors_open=bool(flags & _DOORS_OPEN) if flags & _DOORS_KNOWN else None,
        upcoming=bool(flags & _UPCOMING),
        transport_mode=row["mode"],
        route_id=row["route_id"],
        direction_id=row["direction"],
        headsign=row["headsign"],
        service_date=row["service_date"].isoformat() if row["service_date"] else None,
        trip_start_clock_s=None if start is None else start * 60,
        next_stop_id=row["next_stop_id"],
        end_of_line=bool(flags & _END_OF_LINE),
        stop_id=row["stop_id"],
        route_label=row["label"],
        company_id=row["company"],
        schedule_deviation_s=_unscaled(row["deviation_s"], 1.0),
        occupancy_share=_unscaled(row["occupancy_pct"], 100.0),
        scheduled_arrival_time=None
        if row["scheduled_arrival_s"] is None
        else float(int(ts) + row["scheduled_arrival_s"]),
        scheduled_departure_time=None
        if row["scheduled_departure_s"] is None
        else float(int(ts) + row["scheduled_departure_s"]),
        extra=row["extra"] or {},
    )


def clean(text: str) -> str:
    """The text as PostgreSQL can hold it: no NUL, no lone surrogate, at most 500 characters."""
    if text.isascii() and "\0" not in text and len(text) <= 500:
        return text
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")[:500]


def json_text(value: Any) -> str:
    """JSON that jsonb takes: it refuses NUL even when escaped."""
    return clean_json(_encode(value).decode("utf-8", "replace"))


def clean_json(text: str) -> str:
    """The JSON text without escaped NULs and lone surrogates."""
    return text.replace("\\u0000", "\ufffd") if "\\u0000" in text else text


def _scaled(value: float | None, scale: float, limit: int) -> int | None:
    if value is None or isnan(value) or abs(value * scale) > limit:
        return None
    return round(value * scale)


def _unscaled(value: int | None, scale: float) -> float | None:
    return None if value is None else value / scale


def _after(time: float | None, since: float) -> int | None:
    """Whole seconds between the two instants."""
    return None if time is None else _scaled(time - int(since), 1.0, _INT4)

"""A GTFS feed to a Network: what can be used is used, and what is wrong is listed with file and line."""

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl

from dispatch.network.cells import clocks, complete, dates, distinct, known, numbers
from dispatch.network.model import HeadwayWindow, Network, Route, ServiceCalendar, Stop
from dispatch.network.patterns import Line, build_patterns, without_repeats
from dispatch.network.stop_times import read_trips
from dispatch.network.tables import ROW, Feed, NotAFeed, Problems

__all__ = ["NotAFeed", "read_feed"]
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COLOR = r"^[0-9A-Fa-f]{6}$"


def read_feed(path: Path) -> Network:
    """Import a feed from a zip or a folder; raises NotAFeed when there is nothing to import."""
    problems = Problems()
    feed = Feed(path, problems)
    for name in ("stops.txt", "routes.txt", "trips.txt", "stop_times.txt"):
        if not feed.has(name):
            raise NotAFeed(f"{path}: no {name}, or it is empty")
    timezone, agency = _agency(feed, problems)
    routes, stops = _routes(feed, problems), _stops(feed, problems)
    calendar = _calendar(feed, problems)
    rows, times = read_trips(feed, set(routes), set(stops), _service_ids(calendar), problems)
    patterns, pattern_of = build_patterns([t.row for t in rows], _shapes(feed, problems), stops, routes, problems)
    windows = _windows(feed, {t.row.trip_id for t in rows}, problems)
    trips = {
        t.row.trip_id: t.trip(patterns[pattern_of[t.row.trip_id]], times, windows.get(t.row.trip_id, ()), problems)
        for t in rows
    }
    return Network(
        timezone=timezone,
        agency_name=agency,
        routes=routes,
        stops=stops,
        patterns=patterns,
        trips=trips,
        calendar=calendar,
        problems=problems.all(),
        version=_version(path),
    )


def _version(path: Path) -> str:
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    digest = sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _agency(feed: Feed, problems: Problems) -> tuple[str, str]:
    rows = feed.table("agency.txt", ("agency_name", "agency_timezone")).to_dicts()
    if not rows:
        problems.add("agency.txt", None, "no_agency", "no agency: times are taken to be UTC", fatal_for_row=False)
        return "UTC", ""
    timezone, name = rows[0]["agency_timezone"] or "", rows[0]["agency_name"] or ""
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.add(
            "agency.txt", 2, "unknown_timezone", f"{timezone!r} is no time zone: UTC is used", fatal_for_row=False
        )
        return "UTC", name
    return timezone, name


def _routes(feed: Feed, problems: Problems) -> dict[str, Route]:
    file = "routes.txt"
    optional = ("route_short_name", "route_long_name", "route_color", "route_text_color")
    frame = feed.table(file, ("route_id", "route_type"), optional)
    frame = distinct(complete(frame, file, ["route_id"], problems), file, ["route_id"], problems)
    frame = numbers(frame, file, "route_type", pl.Int32, problems)
    for column in ("route_color", "route_text_color"):
        wrong = frame.filter(pl.col(column).is_not_null() & ~pl.col(column).str.contains(_COLOR))
        for row in wrong.iter_rows(named=True):
            message = f"{column} holds {row[column]!r}: a default is used"
            problems.add(file, row[ROW], "invalid_color", message, fatal_for_row=False)
        frame = frame.with_columns(pl.when(pl.col(column).str.contains(_COLOR)).then(pl.col(column)).alias(column))
    return {
        row["route_id"]: Route(
            route_id=row["route_id"],
            short_name=row["route_short_name"] or row["route_long_name"] or row["route_id"],
            long_name=row["route_long_name"] or "",
            color=(row["route_color"] or "3B6FB6").upper(),
            text_color=(row["route_text_color"] or "FFFFFF").upper(),
            mode=3 if row["route_type"] is None else row["route_type"],
        )
        for row in frame.iter_rows(named=True)
    }


def _stops(feed: Feed, problems: Problems) -> dict[str, Stop]:
    file = "stops.txt"
    frame = feed.table(file, ("stop_id", "stop_lat", "stop_lon"), ("stop_name", "location_type"))
    frame = distinct(complete(frame, file, ["stop_id"], problems), file, ["stop_id"], problems)
    for column in ("stop_lat", "stop_lon"):
        frame = numbers(frame, file, column, pl.Float64, problems)
    boarding = frame.filter(pl.col("location_type").fill_null("0").is_in(["0", ""]))
    boarding = complete(boarding, file, ["stop_lat", "stop_lon"], problems)
    outside = (pl.col("stop_lat").abs() > 90) | (pl.col("stop_lon").abs() > 180)
    nowhere = (pl.col("stop_lat") == 0) & (pl.col("stop_lon") == 0)
    for row in boarding.filter(outside | nowhere).iter_rows(named=True):
        problems.add(file, row[ROW], "invalid_position", f"{row['stop_lat']}, {row['stop_lon']} is no place of a stop")
    return {
        row["stop_id"]: Stop(
            stop_id=row["stop_id"],
            name=row["stop_name"] or row["stop_id"],
            lat=row["stop_lat"],
            lon=row["stop_lon"],
        )
        for row in boarding.filter(~(outside | nowhere)).iter_rows(named=True)
    }


def _calendar(feed: Feed, problems: Problems) -> ServiceCalendar:
    file = "calendar.txt"
    frame = feed.table(file, ("service_id", *_WEEK, "start_date", "end_date"))
    for column in ("start_date", "end_date"):
        frame = dates(frame, file, column, problems)
    frame = complete(frame, file, ["service_id", "start_date", "end_date"], problems)
    weekly = {
        row["service_id"]: (row["start_date"], row["end_date"], tuple(row[day] == "1" for day in _WEEK))
        for row in distinct(frame, file, ["service_id"], problems).iter_rows(named=True)
    }
    file = "calendar_dates.txt"
    frame = dates(feed.table(file, ("service_id", "date", "exception_type")), file, "date", problems)
    frame = complete(frame, file, ["service_id", "date"], problems)
    added: dict[date, set[str]] = {}
    removed: dict[date, set[str]] = {}
    for row in frame.iter_rows(named=True):
        if row["exception_type"] not in ("1", "2"):
            problems.add(file, row[ROW], "unknown_exception_type", f"exception_type holds {row['exception_type']!r}")
            continue
        (added if row["exception_type"] == "1" else removed).setdefault(row["date"], set()).add(row["service_id"])
    return ServiceCalendar(weekly=weekly, added=_frozen(added), removed=_frozen(removed))


def _frozen(by_date: Mapping[date, set[str]]) -> dict[date, frozenset[str]]:
    return {day: frozenset(ids) for day, ids in by_date.items()}


def _service_ids(calendar: ServiceCalendar) -> set[str]:
    return set(calendar.weekly).union(*calendar.added.values())


def _shapes(feed: Feed, problems: Problems) -> dict[str, Line]:
    file = "shapes.txt"
    frame = feed.table(file, ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"))
    for column, dtype in (("shape_pt_lat", pl.Float64), ("shape_pt_lon", pl.Float64), ("shape_pt_sequence", pl.Int64)):
        frame = numbers(frame, file, column, dtype, problems)
    frame = complete(frame, file, ["shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"], problems)
    shapes: dict[str, Line] = {}
    ordered = frame.sort("shape_id", "shape_pt_sequence", maintain_order=True)
    for (shape_id,), points in ordered.group_by("shape_id", maintain_order=True):
        lat, lon = without_repeats(points["shape_pt_lat"].to_numpy(), points["shape_pt_lon"].to_numpy())
        if len(lat) < 2:
            problems.add(file, int(points[ROW][0]), "shape_too_short", f"shape {shape_id} has fewer than 2 points")
            continue
        shapes[str(shape_id)] = (np.array(lat), np.array(lon))
    return shapes


def _windows(feed: Feed, trip_ids: set[str], problems: Problems) -> dict[str, tuple[HeadwayWindow, ...]]:
    file = "frequencies.txt"
    frame = feed.table(file, ("trip_id", "start_time", "end_time", "headway_secs"), ("exact_times",))
    for column in ("start_time", "end_time"):
        frame = clocks(frame, file, column, problems)
    frame = numbers(frame, file, "headway_secs", pl.Int32, problems)
    frame = complete(frame, file, ["trip_id", "start_time", "end_time", "headway_secs"], problems)
    frame = known(frame, file, "trip_id", trip_ids, "unknown_trip", problems)
    found: dict[str, list[HeadwayWindow]] = {}
    for row in frame.sort(ROW).iter_rows(named=True):
        if row["headway_secs"] <= 0 or row["end_time"] <= row["start_time"]:
            problems.add(
                file, row[ROW], "empty_window", "the headway is not positive or the window ends before it begins"
            )
            continue
        window = HeadwayWindow(
            start_service_s=row["start_time"],
            end_service_s=row["end_time"],
            headway_s=row["headway_secs"],
            exact=row["exact_times"] == "1",
        )
        found.setdefault(row["trip_id"], []).append(window)
    return {trip_id: tuple(windows) for trip_id, windows in found.items()}

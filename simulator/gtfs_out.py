"""The made-up city as a GTFS feed, which the command centre imports like any other city's."""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from simulator.lines import build_lines
from simulator.streets import TIMEZONE, build_streets
from simulator.timetable import plan_day

_ZIP_DATE = (2026, 1, 1, 0, 0, 0)  # the bytes depend on the seed and the date asked for only


def write_city(path: Path, seed: int, first_day: date) -> None:
    """Write the city of the seed, valid from the day before ``first_day`` for a year."""
    streets = build_streets(np.random.default_rng(seed))
    lines, stops = build_lines(streets)
    trips = plan_day(lines)
    begin, end = first_day - timedelta(days=1), first_day + timedelta(days=365)
    tables: dict[str, tuple[Sequence[str], Iterable[Sequence[object]]]] = {
        "agency.txt": (
            ("agency_id", "agency_name", "agency_url", "agency_timezone", "agency_lang"),
            [("demo", "Demo City Transit", "https://demo.example/", TIMEZONE, "en")],
        ),
        "routes.txt": (
            (
                "route_id",
                "agency_id",
                "route_short_name",
                "route_long_name",
                "route_type",
                "route_color",
                "route_text_color",
            ),
            [(n.line_id, "demo", n.line_id, n.name, 3, n.color, "FFFFFF") for n in lines],
        ),
        "stops.txt": (
            ("stop_id", "stop_name", "stop_lat", "stop_lon"),
            [(s.stop_id, s.name, f"{s.lat:.6f}", f"{s.lon:.6f}") for s in stops.values()],
        ),
        "shapes.txt": (
            ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence", "shape_dist_traveled"),
            [
                (f"{n.line_id}-{w.direction_id}", f"{lat:.6f}", f"{lon:.6f}", number, f"{along:.1f}")
                for n in lines
                for w in n.ways
                for number, (lat, lon, along) in enumerate(zip(w.lat, w.lon, w.along_m, strict=True))
            ],
        ),
        "trips.txt": (
            ("route_id", "service_id", "trip_id", "trip_headsign", "direction_id", "block_id", "shape_id"),
            [
                (
                    t.line.line_id,
                    "daily",
                    t.trip_id,
                    t.way.headsign,
                    t.way.direction_id,
                    t.block_id,
                    f"{t.line.line_id}-{t.way.direction_id}",
                )
                for t in trips
            ],
        ),
        "stop_times.txt": (
            ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence", "shape_dist_traveled"),
            [
                (t.trip_id, _clock(int(at)), _clock(int(at)), stop_id, number, f"{along:.1f}")
                for t in trips
                for number, (at, stop_id, along) in enumerate(
                    zip(t.times_s, t.way.stop_ids, t.way.stop_along_m, strict=True)
                )
            ],
        ),
        "calendar.txt": (
            (
                "service_id",
                "monday",
                "tuesday",
                "wednesday",
                "thursday",
                "friday",
                "saturday",
                "sunday",
                "start_date",
                "end_date",
            ),
            [("daily", *([1] * 7), f"{begin:%Y%m%d}", f"{end:%Y%m%d}")],
        ),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (header, rows) in tables.items():
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), text.getvalue(), zipfile.ZIP_DEFLATED)


def _clock(service_s: int) -> str:
    return f"{service_s // 3600:02d}:{service_s // 60 % 60:02d}:{service_s % 60:02d}"

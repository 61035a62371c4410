"""Trips with their stop times: in order, blanks filled in along the pattern, times that run backwards mended."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dispatch.network.cells import clocks, complete, distinct, known, numbers
from dispatch.network.model import HeadwayWindow, Pattern, Trip
from dispatch.network.patterns import TripRow
from dispatch.network.tables import ROW, Feed, Problems

_FILE = "stop_times.txt"


@dataclass(frozen=True, slots=True, eq=False)
class StopTimeColumns:
    """All stop times of the feed, trip by trip in stop order; NaN where the feed leaves a time blank."""

    arrival_s: NDArray[np.float64]
    departure_s: NDArray[np.float64]
    line: NDArray[np.int64]  # line number in stop_times.txt


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedTrip:
    """A trip and where its stop times stand in the columns."""

    row: TripRow
    service_id: str
    block_id: str | None
    first: int
    count: int

    def trip(
        self, pattern: Pattern, times: StopTimeColumns, windows: tuple[HeadwayWindow, ...], problems: Problems
    ) -> Trip:
        """The trip with complete times that never fall."""
        part = slice(self.first, self.first + self.count)
        arrival, departure = times.arrival_s[part].copy(), times.departure_s[part].copy()
        arrival = np.where(np.isnan(arrival), departure, arrival)
        departure = np.where(np.isnan(departure), arrival, departure)
        timed = ~np.isnan(arrival)
        along = pattern.stop_along_m
        if not timed.all():
            arrival = np.where(timed, arrival, np.interp(along, along[timed], arrival[timed]))
            departure = np.where(timed, departure, np.interp(along, along[timed], departure[timed]))
        flat = np.stack([arrival, departure], axis=1).ravel()
        if (np.diff(flat) < 0).any():
            where = int(np.flatnonzero(np.diff(flat) < 0)[0] + 1) // 2
            problems.add(
                _FILE,
                int(times.line[part][where]),
                "time_runs_backwards",
                f"trip {self.row.trip_id} arrives before it left the stop before: raised to that time",
                fatal_for_row=False,
            )
            flat = np.maximum.accumulate(flat)
        return Trip(
            trip_id=self.row.trip_id,
            route_id=self.row.route_id,
            direction_id=self.row.direction_id,
            pattern_id=pattern.pattern_id,
            service_id=self.service_id,
            block_id=self.block_id,
            headsign=self.row.headsign,
            arrival_service_s=flat[0::2].round().astype(np.int32),
            departure_service_s=flat[1::2].round().astype(np.int32),
            windows=windows,
        )


def read_trips(
    feed: Feed, route_ids: set[str], stop_ids: set[str], service_ids: set[str], problems: Problems
) -> tuple[list[TimedTrip], StopTimeColumns]:
    """Every trip of the feed that has a route, a service and at least two timed stops, with its stop times."""
    trips = _trips(feed, route_ids, service_ids, problems)
    times = _times(feed, set(trips["trip_id"]), stop_ids, problems)
    columns = StopTimeColumns(
        arrival_s=times["arrival_time"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
        departure_s=times["departure_time"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
        line=times[ROW].to_numpy(),
    )
    spans = _spans(times)
    stops = times["stop_id"].to_list()
    timed_trips = []
    for row in trips.iter_rows(named=True):
        first, count = spans.get(row["trip_id"], (0, 0))
        if count < 2 or not _ends_timed(columns, first, count):
            message = f"trip {row['trip_id']} has fewer than 2 usable stops, or no time at its first and last"
            problems.add("trips.txt", row[ROW], "trip_without_times", message)
            continue
        timed_trips.append(_timed_trip(row, first, count, tuple(stops[first : first + count])))
    return timed_trips, columns


def _timed_trip(row: dict[str, str | None], first: int, count: int, stop_ids: tuple[str, ...]) -> TimedTrip:
    return TimedTrip(
        row=TripRow(
            trip_id=str(row["trip_id"]),
            route_id=str(row["route_id"]),
            direction_id=1 if row["direction_id"] == "1" else 0,
            stop_ids=stop_ids,
            shape_id=row["shape_id"],
            headsign=row["trip_headsign"] or "",
        ),
        service_id=str(row["service_id"]),
        block_id=row["block_id"],
        first=first,
        count=count,
    )


def _trips(feed: Feed, route_ids: set[str], service_ids: set[str], problems: Problems) -> pl.DataFrame:
    file = "trips.txt"
    optional = ("trip_headsign", "direction_id", "block_id", "shape_id")
    frame = feed.table(file, ("route_id", "service_id", "trip_id"), optional)
    frame = complete(frame, file, ["trip_id", "route_id", "service_id"], problems)
    frame = distinct(frame, file, ["trip_id"], problems)
    frame = known(frame, file, "route_id", route_ids, "unknown_route", problems)
    return known(frame, file, "service_id", service_ids, "unknown_service", problems)


def _times(feed: Feed, trip_ids: set[str], stop_ids: set[str], problems: Problems) -> pl.DataFrame:
    columns = ("trip_id", "stop_id", "stop_sequence", "arrival_time", "departure_time")
    frame = feed.table(_FILE, columns)
    told = pl.any_horizontal(pl.col("arrival_time", "departure_time").is_not_null())
    frame = frame.with_columns(told.alias("_told"))
    for column in ("arrival_time", "departure_time"):
        frame = clocks(frame, _FILE, column, problems)
    blank = pl.all_horizontal(pl.col("arrival_time", "departure_time").is_null())
    frame = frame.filter(~(pl.col("_told") & blank)).drop("_told")  # a row whose times are no times is left out
    frame = numbers(frame, _FILE, "stop_sequence", pl.Int64, problems)
    frame = complete(frame, _FILE, ["trip_id", "stop_id", "stop_sequence"], problems)
    frame = known(frame, _FILE, "trip_id", trip_ids, "unknown_trip", problems)
    frame = known(frame, _FILE, "stop_id", stop_ids, "unknown_stop", problems)
    frame = distinct(frame, _FILE, ["trip_id", "stop_sequence"], problems)
    return frame.sort("trip_id", "stop_sequence", maintain_order=True)


def _spans(times: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """First row and number of rows of each trip."""
    runs = times["trip_id"].rle().struct.unnest()
    lengths = runs["len"].to_numpy()
    starts = np.cumsum(lengths) - lengths
    return dict(zip(runs["value"].to_list(), zip(starts.tolist(), lengths.tolist(), strict=True), strict=True))


def _ends_timed(columns: StopTimeColumns, first: int, count: int) -> bool:
    last = first + count - 1
    return all(not (np.isnan(columns.arrival_s[i]) and np.isnan(columns.departure_s[i])) for i in (first, last))

"""Headways of the Washington recording computed another way: no code shared with the product, slow and plain."""

import csv
import io
import zipfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

STEP_M = 5.0
NEAR_M = 75.0
GAP_S = 180.0


def _rows(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.TextIOWrapper(archive.open(name), "utf-8-sig")))


def _meters(points: np.ndarray) -> np.ndarray:
    """East, north in metres about Washington."""
    return np.column_stack(
        [(points[:, 1] + 77.0) * 111_195 * np.cos(np.radians(38.9)), (points[:, 0] - 38.9) * 111_195]
    )


def _dense(shape: np.ndarray) -> np.ndarray:
    """A point each STEP_M along the shape."""
    along = np.r_[0, np.cumsum(np.hypot(*np.diff(shape, axis=0).T))]
    at = np.arange(0, along[-1], STEP_M)
    return np.column_stack([np.interp(at, along, shape[:, k]) for k in (0, 1)])


def departures(folder: Path) -> dict[tuple[str, int, str], list[tuple[float, str]]]:
    """(time, vehicle) at every (route, direction, stop), in order of time, by walking each trip's shape point by point."""
    with zipfile.ZipFile(folder / "gtfs.zip") as archive:
        trips = {row["trip_id"]: row for row in _rows(archive, "trips.txt")}
        stops = {
            row["stop_id"]: (float(row["stop_lat"]), float(row["stop_lon"])) for row in _rows(archive, "stops.txt")
        }
        shapes: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
        for row in _rows(archive, "shapes.txt"):
            shapes[row["shape_id"]].append(
                (int(row["shape_pt_sequence"]), float(row["shape_pt_lat"]), float(row["shape_pt_lon"]))
            )
        fixes: dict[tuple[str, str], set[tuple[float, float, float]]] = defaultdict(set)
        with (folder / "vehicle_positions.csv").open() as lines:
            for row in csv.DictReader(lines):
                key = (row["vehicle.trip.trip_id"], row["vehicle.vehicle.id"])
                fixes[key].add(
                    (
                        float(row["vehicle.timestamp"]),
                        float(row["vehicle.position.latitude"]),
                        float(row["vehicle.position.longitude"]),
                    )
                )
        wanted = {trip for trip, _ in fixes}
        calls: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for row in _rows(archive, "stop_times.txt"):
            if row["trip_id"] in wanted:
                calls[row["trip_id"]].append((int(row["stop_sequence"]), row["stop_id"]))
    found: dict[tuple[str, int, str], list[tuple[float, str]]] = defaultdict(list)
    for (trip_id, vehicle), points in fixes.items():
        trip = trips.get(trip_id)
        if trip is None:
            continue
        shape = _dense(_meters(np.array([(lat, lon) for _, lat, lon in sorted(shapes[trip["shape_id"]])])))
        for stop_id, time in _crossings(shape, sorted(points), [s for _, s in sorted(calls[trip_id])], stops):
            found[trip["route_id"], int(trip["direction_id"]), stop_id].append((time, vehicle))
    return {key: sorted(times) for key, times in found.items()}


def _crossings(shape, points, stop_ids, stops):
    """Times at which the bus passed each stop of the trip but the last."""
    places = _meters(np.array([(lat, lon) for _, lat, lon in points]))
    index, track = 0, []
    for (time, _, _), place in zip(points, places, strict=True):
        low = max(index - 12, 0)
        reach = len(shape) if not track else min(len(shape), index + int((time - track[-1][0]) * 35 / STEP_M) + 40)
        away = np.hypot(*(shape[low:reach] - place).T)
        best = int(away.argmin())
        if away[best] <= NEAR_M:
            index = max(index, low + best)
            track.append((time, index * STEP_M))
    at = 0
    for stop_id in stop_ids[:-1]:
        place = _meters(np.array([stops[stop_id]]))[0]
        ahead = np.hypot(*(shape[at : at + 400] - place).T)
        at += int(ahead.argmin())
        for (t0, s0), (t1, s1) in pairwise(track):
            if s0 < at * STEP_M <= s1 and t1 - t0 <= GAP_S:
                yield stop_id, t0 + (at * STEP_M - s0) / (s1 - s0) * (t1 - t0)


def headways(folder: Path) -> dict[tuple[str, int, str, str], list[tuple[float, float]]]:
    """(time, headway_s) of every follower at every stop."""
    found = defaultdict(list)
    for (route, direction, stop), times in departures(folder).items():
        for (before, _), (time, vehicle) in pairwise(times):
            found[route, direction, stop, vehicle].append((time, time - before))
    return dict(found)

"""Patterns from trips: one for each distinct stop sequence of a route and direction, with its line on the ground."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dispatch.network.geometry import along_m, distance_m
from dispatch.network.model import Pattern, Route, ShapeSource, Stop
from dispatch.network.stops_on_line import stops_along_m
from dispatch.network.tables import Problems

FloatArray = NDArray[np.float64]
Line: TypeAlias = tuple[FloatArray, FloatArray]  # lat, lon of the vertices
_FAR_M = 100.0  # a stop further from its shape is worth a look
_SAME_POINT_M = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class TripRow:
    """What of a trip decides its pattern."""

    trip_id: str
    route_id: str
    direction_id: int
    stop_ids: tuple[str, ...]
    shape_id: str | None
    headsign: str


def build_patterns(
    rows: Sequence[TripRow],
    shapes: Mapping[str, Line],
    stops: Mapping[str, Stop],
    routes: Mapping[str, Route],
    problems: Problems,
) -> tuple[dict[str, Pattern], dict[str, str]]:
    """Patterns by id, and the pattern id of every trip."""
    groups: dict[tuple[str, int, tuple[str, ...]], list[TripRow]] = defaultdict(list)
    for row in rows:
        groups[row.route_id, row.direction_id, row.stop_ids].append(row)
    patterns: dict[str, Pattern] = {}
    pattern_of: dict[str, str] = {}
    straight: set[str] = set()
    for (route_id, direction_id, stop_ids), members in groups.items():
        name = f"{route_id}:{direction_id}:{sha1('|'.join(stop_ids).encode(), usedforsecurity=False).hexdigest()[:8]}"
        pattern = _pattern(name, members, shapes, stops, problems)
        patterns[name] = pattern
        pattern_of.update({row.trip_id: name for row in members})
        if pattern.shape_source is ShapeSource.STRAIGHT and route_id not in straight:
            straight.add(route_id)
            number = routes[route_id].short_name
            problems.add(
                "trips.txt",
                None,
                "no_shape",
                f"route {number}: no shape, straight lines between stops are used",
                fatal_for_row=False,
            )
    return patterns, pattern_of


def _pattern(
    name: str, members: list[TripRow], shapes: Mapping[str, Line], stops: Mapping[str, Stop], problems: Problems
) -> Pattern:
    first = members[0]
    stop_lat = np.array([stops[s].lat for s in first.stop_ids])
    stop_lon = np.array([stops[s].lon for s in first.stop_ids])
    used = Counter(row.shape_id for row in members if row.shape_id in shapes)
    shape_id = used.most_common(1)[0][0] if used else None
    if shape_id is not None:
        lat, lon = shapes[shape_id]
        source = ShapeSource.FEED
    else:
        lat, lon = _straight(stop_lat, stop_lon)
        source = ShapeSource.STRAIGHT
    along = along_m(lat, lon)
    stop_along, lateral = stops_along_m(lat, lon, along, stop_lat, stop_lon)
    if source is ShapeSource.FEED:
        for index in np.flatnonzero(lateral > _FAR_M).tolist():
            message = f"stop {first.stop_ids[index]} lies {lateral[index]:.0f} m from shape {shape_id}"
            problems.add("shapes.txt", None, "stop_far_from_shape", message, fatal_for_row=False)
    return Pattern(
        pattern_id=name,
        route_id=first.route_id,
        direction_id=first.direction_id,
        headsign=Counter(row.headsign for row in members).most_common(1)[0][0],
        stop_ids=first.stop_ids,
        stop_along_m=stop_along,
        lat=lat,
        lon=lon,
        along_m=along,
        shape_source=source,
        trip_count=len(members),
    )


def without_repeats(lat: FloatArray, lon: FloatArray) -> Line:
    """The line without vertices that stand on the one before."""
    keep = np.ones(len(lat), bool)
    keep[1:] = distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:]) > _SAME_POINT_M
    return lat[keep], lon[keep]


def _straight(stop_lat: FloatArray, stop_lon: FloatArray) -> Line:
    lat, lon = without_repeats(stop_lat, stop_lon)
    if len(lat) > 1:
        return lat, lon
    return np.array([lat[0], lat[0] + 1e-5]), np.array([lon[0], lon[0]])  # all stops in one place: one metre of line

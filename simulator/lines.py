"""The made-up city's bus lines: across the centre from edge to edge, and a ring; a stop at nearly every crossing."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dispatch.network.geometry import along_m
from simulator.streets import Node, Streets, crossing_name

_STOP_BEFORE_CROSSING_M = 45.0
_STOPS_MAX = 30
_SPACING_M_MIN = 150.0
_FIRST_STOP_M = 20.0
_STOP_SIDE_M = 7.0  # to the right of the driving line
_M_PER_DEG = 111_195.0


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One direction of a line."""

    direction_id: int
    headsign: str
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    along_m: NDArray[np.float64]
    stop_ids: tuple[str, ...]
    stop_along_m: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A bus line."""

    line_id: str
    name: str
    color: str
    ways: tuple[Way, ...]  # two directions, or one round
    headways_s: tuple[int, int, int]  # peak, day, night


@dataclass(frozen=True, slots=True)
class StopPlace:
    """A stop of the city; lines that pass the same way share it."""

    stop_id: str
    name: str
    lat: float
    lon: float


# Line number, colour, end, corners on the way, end, headways at peak, in the day and at night in s.
_PLAN: tuple[tuple[str, str, tuple[Node, ...], tuple[int, int, int]], ...] = (
    ("1", "C0392B", ((2, 4), (10, 9), (10, 15), (16, 21)), (240, 300, 300)),
    ("2", "1F6FB2", ((5, 2), (8, 12), (13, 12), (18, 17)), (240, 300, 300)),
    ("3", "2E8B57", ((0, 13), (8, 12), (10, 9), (18, 5)), (240, 360, 300)),
    ("4", "8E44AD", ((11, 1), (10, 9), (8, 12), (4, 20)), (240, 300, 300)),
    ("5", "D17A00", ((2, 20), (10, 15), (13, 12), (19, 10)), (300, 360, 300)),
    ("7", "0E8C8C", ((16, 1), (13, 12), (10, 15), (9, 23)), (300, 360, 300)),
    ("8", "7A5C2E", ((1, 8), (10, 9), (13, 12), (17, 13)), (300, 420, 300)),
    ("9", "B03A78", ((14, 22), (10, 15), (8, 12), (2, 11)), (300, 420, 300)),
)
_RING: tuple[str, str, tuple[Node, ...], tuple[int, int, int]] = (
    "10", "44607C", ((4, 12), (5, 17), (10, 20), (16, 16), (16, 8), (10, 4), (5, 7), (4, 12)), (240, 360, 300),
)  # fmt: skip


def build_lines(streets: Streets) -> tuple[list[Line], dict[str, StopPlace]]:
    """All lines and the stops they serve."""
    stops: dict[str, StopPlace] = {}
    lines = []
    for number, color, corners, headways in _PLAN:
        nodes = _via(streets, corners)
        there, back = _way(streets, nodes, 0, stops), _way(streets, nodes[::-1], 1, stops)
        name = f"{back.headsign} - {there.headsign}"
        lines.append(Line(number, name, color, (there, back), headways))
    number, color, corners, headways = _RING
    lines.append(Line(number, "Ring", color, (_way(streets, _via(streets, corners), 0, stops, ring=True),), headways))
    return lines, stops


def _via(streets: Streets, corners: tuple[Node, ...]) -> list[Node]:
    nodes = [corners[0]]
    for start, end in pairwise(corners):
        nodes += streets.path(start, end)[1:]
    return _without_spurs(nodes)


def _without_spurs(nodes: list[Node]) -> list[Node]:
    """Drop every there-and-back, which a way through given corners may hold."""
    kept: list[Node] = []
    for node in nodes:
        if len(kept) >= 2 and kept[-2] == node:
            kept.pop()
        else:
            kept.append(node)
    return kept


def _way(
    streets: Streets, nodes: list[Node], direction_id: int, stops: dict[str, StopPlace], *, ring: bool = False
) -> Way:
    lat, lon = streets.line(nodes)
    along = along_m(lat, lon)
    points = (len(along) - 1) // (len(nodes) - 1)
    served = _served(along, points, len(nodes))
    ids = [_stop(nodes[0], nodes[1], _FIRST_STOP_M, lat, lon, along, stops)]
    places = [_FIRST_STOP_M]
    for index, at in served:
        ids.append(_stop(nodes[index], nodes[index - 1], at, lat, lon, along, stops))
        places.append(at)
    end = float(along[-1]) - 10.0
    ids.append(ids[0] if ring else _stop(nodes[-1], nodes[-2], end, lat, lon, along, stops))
    places.append(end)
    headsign = "Ring" if ring else stops[ids[-1]].name.split(" / ")[0]
    return Way(direction_id, headsign, lat, lon, along, tuple(ids), np.array(places))


def _served(along: NDArray[np.float64], points: int, nodes: int) -> list[tuple[int, float]]:
    """Crossings with a stop before them, and where; as dense as the most stops of a line allow."""
    spacing_m = _SPACING_M_MIN
    while True:
        found: list[tuple[int, float]] = []
        last = _FIRST_STOP_M
        for index in range(1, nodes - 1):
            at = float(along[index * points]) - _STOP_BEFORE_CROSSING_M
            if at - last > spacing_m:
                found.append((index, at))
                last = at
        if len(found) <= _STOPS_MAX - 2:
            return found
        spacing_m *= 1.1


def _stop(
    node: Node,
    beside: Node,
    at_m: float,
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    along: NDArray[np.float64],
    stops: dict[str, StopPlace],
) -> str:
    """The stop at the place, to the right of the street; the same for every line that comes the same way."""
    stop_id = f"{node[0]:02d}{node[1]:02d}{beside[0]:02d}{beside[1]:02d}"
    if stop_id not in stops:
        y, x = (float(np.interp(at_m, along, c)) for c in (lat, lon))
        ahead_y, ahead_x = (float(np.interp(at_m + 5.0, along, c)) for c in (lat, lon))
        shrink = float(np.cos(np.radians(y)))
        north, east = ahead_y - y, (ahead_x - x) * shrink
        length = max(float(np.hypot(north, east)), 1e-12)
        side = _STOP_SIDE_M / _M_PER_DEG
        stops[stop_id] = StopPlace(
            stop_id, crossing_name(node, beside), y - east / length * side, x + north / length * side / shrink
        )
    return stop_id

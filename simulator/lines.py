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
_SPACING_LONG_SHARE = 0.7  # blocks are uneven: this keeps the longest line, the ring, below the most stops
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
    ("1", "C0392B", ((3, 5), (10, 5), (10, 19), (17, 19)), (240, 300, 300)),
    ("2", "1F6FB2", ((4, 3), (4, 12), (16, 12), (17, 20)), (240, 300, 300)),
    ("3", "2E8B57", ((0, 12), (10, 12), (10, 5), (19, 4)), (240, 360, 300)),
    ("4", "8E44AD", ((10, 1), (10, 12), (4, 12), (4, 22)), (240, 300, 300)),
    ("5", "D17A00", ((2, 19), (10, 19), (10, 12), (19, 11)), (300, 360, 300)),
    ("7", "0E8C8C", ((16, 1), (16, 12), (16, 19), (9, 21)), (300, 360, 300)),
    ("8", "7A5C2E", ((2, 3), (4, 5), (16, 5), (16, 15)), (300, 420, 300)),
    ("9", "B03A78", ((19, 18), (16, 19), (4, 19), (1, 15)), (300, 420, 300)),
)
_RING: tuple[str, str, tuple[Node, ...], tuple[int, int, int]] = (
    "10", "44607C", ((4, 12), (4, 19), (10, 19), (16, 12), (10, 5), (4, 5), (4, 12)), (240, 360, 300),
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
    spacing_m = max(_SPACING_M_MIN, _SPACING_LONG_SHARE * float(along[-1]) / _STOPS_MAX)
    ids, places = [], []
    first = _stop(nodes[0], nodes[1], 20.0, lat, lon, along, stops)
    ids.append(first)
    places.append(20.0)
    for index in range(1, len(nodes) - 1):
        at = float(along[index * points]) - _STOP_BEFORE_CROSSING_M
        if at - places[-1] > spacing_m:
            ids.append(_stop(nodes[index], nodes[index - 1], at, lat, lon, along, stops))
            places.append(at)
    end = float(along[-1]) - 10.0
    ids.append(first if ring else _stop(nodes[-1], nodes[-2], end, lat, lon, along, stops))
    places.append(end)
    headsign = "Ring" if ring else stops[ids[-1]].name.split(" / ")[0]
    return Way(direction_id, headsign, lat, lon, along, tuple(ids), np.array(places))


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

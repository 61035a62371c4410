"""Where along a line its stops lie: each stop on the line near it, in order, the whole sequence at once.

The nearest place alone fails on loops, on out-and-back streets and for stops visited twice, so every stop keeps
several places and the cheapest rising sequence is taken (dynamic programming, as in map matching).
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dispatch.network.geometry import east_north_m

FloatArray = NDArray[np.float64]
_PLACES = 12  # candidates kept for each stop
_APART_M = 30.0  # places closer than this along the line are one
_BACKWARD_COST = 4.0  # times the square of a step backwards: feeds swap neighbouring stops, and one swap is no detour


def stops_along_m(
    lat: FloatArray, lon: FloatArray, along_m: FloatArray, stop_lat: FloatArray, stop_lon: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Distance along the line and lateral distance of each stop, (stops,) both; the first never falls.

    ``lat, lon, along_m`` (vertices,) with ``along_m`` strictly rising. Stops that the feed has in the wrong
    order are pushed forward to the one before.
    """
    x, y = east_north_m(lat, lon, float(lat[0]), float(lon[0]))
    sx, sy = east_north_m(stop_lat, stop_lon, float(lat[0]), float(lon[0]))
    places = [_places(x, y, along_m, px, py) for px, py in zip(sx.tolist(), sy.tolist(), strict=True)]
    chosen = _cheapest_rising(places)
    along = np.array([places[i][0][k] for i, k in enumerate(chosen)])
    lateral = np.array([places[i][1][k] for i, k in enumerate(chosen)])
    return np.minimum(np.maximum.accumulate(along), along_m[-1]), lateral


def _places(x: FloatArray, y: FloatArray, along_m: FloatArray, px: float, py: float) -> tuple[FloatArray, FloatArray]:
    """Candidate places of one stop: locally nearest points of the line, the nearest few."""
    dx, dy = np.diff(x), np.diff(y)
    chord2 = np.maximum(dx * dx + dy * dy, 1e-9)
    share = np.clip(((px - x[:-1]) * dx + (py - y[:-1]) * dy) / chord2, 0.0, 1.0)
    away = np.hypot(x[:-1] + share * dx - px, y[:-1] + share * dy - py)
    along = along_m[:-1] + share * np.diff(along_m)
    padded = np.r_[np.inf, away, np.inf]
    local = np.flatnonzero((away <= padded[:-2]) & (away <= padded[2:]))
    local = local[np.argsort(away[local], kind="stable")]
    kept: list[int] = []
    for index in local.tolist():
        if all(abs(along[index] - along[other]) > _APART_M for other in kept):
            kept.append(index)
        if len(kept) == _PLACES:
            break
    order = np.array(sorted(kept, key=lambda i: along[i]))
    return along[order], away[order]


def _cheapest_rising(places: list[tuple[FloatArray, FloatArray]]) -> list[int]:
    """Index of the chosen place of each stop: least sum of squared lateral distances and steps backwards."""
    cost = places[0][1] ** 2 + 1e-6 * places[0][0]
    came_from: list[NDArray[np.int64]] = []
    for (along_before, _), (along, lateral) in pairwise(places):
        backward = np.maximum(along_before[:, None] - along[None, :], 0.0)
        reach = cost[:, None] + _BACKWARD_COST * backward**2
        best = reach.argmin(axis=0)
        came_from.append(best)
        cost = reach[best, np.arange(len(along))] + lateral**2
    chosen = [int(cost.argmin())]
    for best in reversed(came_from):
        chosen.append(int(best[chosen[-1]]))
    return chosen[::-1]

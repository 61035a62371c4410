"""Distances on the ground, from degrees: equirectangular, good to 1 % over a city, on numpy columns."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
M_PER_DEG = 111_195.0  # mean Earth radius 6,371,009 m


def east_north_m(lat: FloatArray, lon: FloatArray, lat0: float, lon0: float) -> tuple[FloatArray, FloatArray]:
    """Metres east and north of an origin, on the plane that touches there."""
    return (lon - lon0) * M_PER_DEG * np.cos(np.radians(lat0)), (lat - lat0) * M_PER_DEG


def distance_m(lat1: FloatArray, lon1: FloatArray, lat2: FloatArray, lon2: FloatArray) -> FloatArray:
    """Distance between points, elementwise."""
    east = (lon2 - lon1) * np.cos(np.radians((lat1 + lat2) / 2.0))
    return np.asarray(np.hypot(east, lat2 - lat1) * M_PER_DEG)


def along_m(lat: FloatArray, lon: FloatArray) -> FloatArray:
    """Distance along a line of vertices; (n,), first 0."""
    return np.concatenate([[0.0], np.cumsum(distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:]))])

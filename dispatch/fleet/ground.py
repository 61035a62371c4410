"""Every pattern's line and stops as flat columns, so that a whole fleet is placed in a few array operations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dispatch.network.model import Pattern

FloatColumn = NDArray[np.float64]
IndexColumn = NDArray[np.int64]

M_PER_DEG = 111_195.0  # mean Earth radius 6,371,009 m
_STRIDE_M = 1.0e7  # longer than any pattern: pattern * stride + along sorts patterns apart


class Ground:
    """Segments and stops of all patterns, one after the other, in pattern order."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.pattern_count = len(patterns)
        self.length_m = np.array([p.length_m for p in patterns])
        self._lay_segments(patterns)
        self._lay_stops(patterns)

    def _lay_segments(self, patterns: Sequence[Pattern]) -> None:
        lat = _joined([p.lat[:-1] for p in patterns])
        lon = _joined([p.lon[:-1] for p in patterns])
        self.lat, self.lon = lat, lon  # where each segment begins
        self.lon_m_per_deg = M_PER_DEG * np.cos(np.radians(lat))
        east = (_joined([p.lon[1:] for p in patterns]) - lon) * self.lon_m_per_deg
        north = (_joined([p.lat[1:] for p in patterns]) - lat) * M_PER_DEG
        chord = np.maximum(np.hypot(east, north), 1e-6)
        self.east, self.north = east / chord, north / chord  # direction, unit vector
        self.chord_m = chord
        self.along_m = _joined([p.along_m[:-1] for p in patterns])
        self.run_m = _joined([np.diff(p.along_m) for p in patterns])  # distance along gained on the segment
        self.first_segment = _offsets([len(p.along_m) - 1 for p in patterns])
        self._segment_key = _keys(patterns, [p.along_m[:-1] for p in patterns])

    def _lay_stops(self, patterns: Sequence[Pattern]) -> None:
        self.stop_along_m = _joined([p.stop_along_m for p in patterns])
        self.first_stop = _offsets([len(p.stop_ids) for p in patterns])
        self.stop_count = np.diff(self.first_stop)
        self._stop_key = _keys(patterns, [p.stop_along_m for p in patterns])

    def segments_at(self, pattern: NDArray[np.int32], along_m: FloatColumn) -> IndexColumn:
        """The segment that holds each distance along, clamped to the pattern."""
        found = np.searchsorted(self._segment_key, pattern * _STRIDE_M + np.maximum(along_m, 0.0), side="right") - 1
        clamped: IndexColumn = np.clip(found, self.first_segment[pattern], self.first_segment[pattern + 1] - 1)
        return clamped

    def stops_behind(self, pattern: NDArray[np.int32], along_m: FloatColumn) -> IndexColumn:
        """How many stops of the pattern lie at or before each distance along: the index of the next stop."""
        found = np.searchsorted(self._stop_key, pattern * _STRIDE_M + np.maximum(along_m, 0.0), side="right")
        behind: IndexColumn = np.clip(found - self.first_stop[pattern], 0, self.stop_count[pattern])
        return behind


def _joined(parts: list[FloatColumn]) -> FloatColumn:
    return np.concatenate(parts) if parts else np.empty(0)


def _offsets(counts: list[int]) -> IndexColumn:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def _keys(patterns: Sequence[Pattern], along: list[FloatColumn]) -> FloatColumn:
    return _joined([index * _STRIDE_M + along[index] for index in range(len(patterns))])


def ragged(first: IndexColumn, last: IndexColumn) -> tuple[IndexColumn, IndexColumn, IndexColumn]:
    """Lay out ranges first..last (inclusive) one after the other.

    Returns owner (which range each element belongs to), element, and the offset at which each range begins.
    """
    counts = last - first + 1
    starts = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(counts)), counts)
    element = np.arange(int(counts.sum())) - starts[owner] + first[owner]
    return owner, element, starts

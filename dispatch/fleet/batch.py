"""Accepted vehicle reports side by side: the objects, and one column per fact that arithmetic needs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dispatch.reports import VehicleReport

_NAN = float("nan")
_DOORS = {True: 1, False: 0, None: -1}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """(n,) each; NaN and -1 mean not known."""

    reports: NDArray[Any]  # VehicleReport
    slot: NDArray[np.int32]
    fix_time: NDArray[np.float64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    speed_mps: NDArray[np.float64]
    heading_deg: NDArray[np.float64]
    doors: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.slot)

    def take(self, chosen: NDArray[Any]) -> "Batch":
        """The chosen rows, by index or mask, in that order."""
        return Batch(
            self.reports[chosen],
            self.slot[chosen],
            self.fix_time[chosen],
            self.lat[chosen],
            self.lon[chosen],
            self.speed_mps[chosen],
            self.heading_deg[chosen],
            self.doors[chosen],
        )


def batch_of(reports: Sequence[VehicleReport], slots: Sequence[int], speed_trusted: Sequence[bool]) -> Batch:
    """Columns of the reports; a speed that is not trusted becomes unknown."""
    n = len(reports)
    objects = np.empty(n, object)
    objects[:] = reports
    return Batch(
        reports=objects,
        slot=np.array(slots, np.int32),
        fix_time=np.fromiter((r.fix_time for r in reports), np.float64, n),
        lat=np.fromiter((_NAN if r.lat is None else r.lat for r in reports), np.float64, n),
        lon=np.fromiter((_NAN if r.lon is None else r.lon for r in reports), np.float64, n),
        speed_mps=np.fromiter(
            (
                r.speed_mps if r.speed_mps is not None and trusted else _NAN
                for r, trusted in zip(reports, speed_trusted, strict=True)
            ),
            np.float64,
            n,
        ),
        heading_deg=np.fromiter((_NAN if r.heading_deg is None else r.heading_deg for r in reports), np.float64, n),
        doors=np.fromiter((_DOORS[r.doors_open] for r in reports), np.int8, n),
    )


EMPTY = batch_of([], [], [])


def joined(batches: Sequence[Batch]) -> Batch:
    """One batch after the other."""
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return EMPTY
    return Batch(*(np.concatenate([getattr(b, name) for b in batches]) for name in Batch.__slots__))


def sorted_by_fix(batch: Batch) -> Batch:
    """In fix-time order; ties by vehicle, then by the order the kinds of report are numbered in."""
    kinds = np.fromiter((r.kind for r in batch.reports), np.int8, len(batch))
    return batch.take(np.lexsort((kinds, batch.slot, batch.fix_time)))


def waves(batch: Batch) -> Iterator[Batch]:
    """Split an ordered batch so that each part holds a vehicle at most once, a vehicle's rows staying in order."""
    if len(batch) == 0:
        return
    order = np.argsort(batch.slot, kind="stable")
    slots = batch.slot[order]
    first = np.r_[True, slots[1:] != slots[:-1]]
    starts = np.flatnonzero(first)
    rank_sorted = np.arange(len(slots)) - np.repeat(starts, np.diff(np.r_[starts, len(slots)]))
    rank = np.empty(len(slots), np.int64)
    rank[order] = rank_sorted
    for turn in range(int(rank.max()) + 1):
        yield batch.take(np.flatnonzero(rank == turn))

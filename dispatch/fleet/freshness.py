"""Which vehicles have fallen silent, and whether it is they or the feed."""

import numpy as np
from numpy.typing import NDArray

from dispatch.events import AnyEvent, FeedOutage, VehicleStale
from dispatch.fleet.columns import Columns
from dispatch.fleet.picture import Picture, VehicleState
from dispatch.fleet.thresholds import Thresholds

_OUTAGE_OVER_SHARE = 0.5  # of outage_share: hysteresis
_EXPECTED = (VehicleState.IN_SERVICE, VehicleState.LAYOVER)


class Freshness(Columns):
    """Watches the age of every vehicle's newest fix."""

    said: NDArray[np.bool_]  # announced as stale
    COLUMNS = (("said", np.bool_, False),)

    def __init__(self, limits: Thresholds) -> None:
        super().__init__()
        self._limits = limits
        self.outage_since: float | None = None  # UTC s

    def observe(self, picture: Picture, now: float) -> list[AnyEvent]:
        """Mark ``picture.stale`` and say what began and ended."""
        n = len(picture)
        self.grow_to(n)
        limits = self._limits
        age_s = now - picture.fix_time[:n]
        expected = np.isin(picture.state[:n], _EXPECTED) & (age_s <= limits.forgotten_after_s)
        stale = age_s > limits.stale_after_s
        picture.stale[:n] = stale
        events = self._judge_feed(int((expected & stale).sum()), int(expected.sum()), now)
        overdue = expected & (age_s > limits.stale_after_s + limits.stale_said_after_s) & ~self.said[:n]
        if self.outage_since is None:
            events.extend(self._begin(picture, np.flatnonzero(overdue)))
        events.extend(self._end(picture, np.flatnonzero(self.said[:n] & ~stale)))
        return events

    def _judge_feed(self, silent: int, expected: int, now: float) -> list[AnyEvent]:
        share = silent / expected if expected else 0.0
        if self.outage_since is None and expected >= self._limits.outage_vehicles_min:
            if share >= self._limits.outage_share:
                self.outage_since = now
                return [FeedOutage(time=now, began=True, stale_vehicles=silent, vehicles=expected)]
        elif self.outage_since is not None and share <= self._limits.outage_share * _OUTAGE_OVER_SHARE and expected:
            self.outage_since = None
            return [FeedOutage(time=now, began=False, stale_vehicles=silent, vehicles=expected)]
        return []

    def _begin(self, picture: Picture, slots: NDArray[np.int64]) -> list[AnyEvent]:
        self.said[slots] = True
        return [
            VehicleStale(
                time=float(picture.fix_time[slot]) + self._limits.stale_after_s,
                vehicle_id=picture.vehicle_ids[slot],
                began=True,
                last_fix_time=float(picture.fix_time[slot]),
            )
            for slot in slots.tolist()
        ]

    def _end(self, picture: Picture, slots: NDArray[np.int64]) -> list[AnyEvent]:
        self.said[slots] = False
        return [
            VehicleStale(
                time=float(picture.fix_time[slot]),
                vehicle_id=picture.vehicle_ids[slot],
                began=False,
                last_fix_time=float(picture.fix_time[slot]),
            )
            for slot in slots.tolist()
        ]

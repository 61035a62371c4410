"""Headways at stops: the time between successive departures of one route and direction, taken in order of departure."""

import heapq
from collections.abc import Callable, Iterable
from typing import TypeAlias

from dispatch.events import HeadwayObserved, StopPassage
from dispatch.fleet.thresholds import Thresholds

_StopKey: TypeAlias = tuple[str, int, str]  # route, direction, stop
TargetHeadway: TypeAlias = Callable[[StopPassage], float | None]


class StopHeadways:
    """Waits ``settle_s`` for passages noticed late, then measures; the last departure of every stop is kept."""

    def __init__(self, target_headway: TargetHeadway, limits: Thresholds) -> None:
        self._target_headway = target_headway
        self._limits = limits
        self._waiting: list[tuple[float, str, str, int, StopPassage]] = []
        self._last: dict[_StopKey, tuple[float, str]] = {}
        self._count = 0

    def seed(self, passages: Iterable[StopPassage]) -> None:
        """Take known departures as the last ones, after a restart; nothing is measured between them."""
        for passage in sorted(passages, key=lambda p: p.departure_time):
            self._last[_key(passage)] = (passage.departure_time, passage.vehicle_id)

    def observe(self, passages: Iterable[StopPassage], watermark: float) -> list[HeadwayObserved]:
        """Headways of the departures at or before ``watermark - settle_s``; UTC s, the time rules have reached."""
        for passage in passages:
            self._count += 1
            order = (passage.departure_time, passage.vehicle_id, passage.stop_id, self._count, passage)
            heapq.heappush(self._waiting, order)
        found: list[HeadwayObserved] = []
        while self._waiting and self._waiting[0][0] <= watermark - self._limits.settle_s:
            found.extend(self._measure(heapq.heappop(self._waiting)[-1]))
        return found

    def _measure(self, passage: StopPassage) -> Iterable[HeadwayObserved]:
        key = _key(passage)
        before = self._last.get(key)
        if before is not None and passage.departure_time < before[0]:
            return  # noticed after its follower was measured: too late to be right about either
        self._last[key] = (passage.departure_time, passage.vehicle_id)
        if before is None:
            return
        headway_s = passage.departure_time - before[0]
        if 0.0 < headway_s <= self._limits.headway_s_max:
            yield HeadwayObserved(
                time=passage.departure_time,
                vehicle_id=passage.vehicle_id,
                route_id=passage.route_id,
                direction_id=passage.direction_id,
                stop_id=passage.stop_id,
                leader_vehicle_id=before[1],
                headway_s=round(headway_s, 3),
                target_headway_s=self._target_headway(passage),
            )


def _key(passage: StopPassage) -> _StopKey:
    return passage.route_id, passage.direction_id, passage.stop_id

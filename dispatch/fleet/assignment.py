"""Which trip and pattern a vehicle runs: as it signed on, or inferred from where it goes when only a line is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.batch import Batch
from dispatch.fleet.ground import Ground
from dispatch.fleet.inference import Inference
from dispatch.fleet.matching import Fixes, Last, place
from dispatch.fleet.thresholds import Thresholds
from dispatch.network.model import Network
from dispatch.network.timetable import DatedTrip, Timetable
from dispatch.reports import Duty, VehicleReport

FloatColumn = NDArray[np.float64]
_Key: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a vehicle runs; -1 and None mean not known."""

    duty: Duty | None  # as the vehicle said; None: never heard
    route_id: str | None
    direction_id: int | None
    pattern: int  # index in network.patterns
    dated_trip: int  # index in timetable.dated_trips
    signed_on: bool  # the vehicle said so, nothing was inferred
    key: _Key  # what the vehicle said, to notice a change

    def same_trip(self, other: "Assignment") -> bool:
        """Both run the same pattern on the same trip."""
        return (self.pattern, self.dated_trip, self.route_id) == (other.pattern, other.dated_trip, other.route_id)


UNASSIGNED = Assignment(duty=None, route_id=None, direction_id=None, pattern=-1, dated_trip=-1, signed_on=False, key=())


class Assigner:
    """Turns what vehicles say into assignments; keeps the evidence of those that say only their line."""

    def __init__(self, network: Network, timetable: Timetable, ground: Ground, limits: Thresholds) -> None:
        self._network = network
        self._timetable = timetable
        self._ground = ground
        self._limits = limits
        self._pattern_index = {pattern_id: index for index, pattern_id in enumerate(network.patterns)}
        self._patterns = list(network.patterns.values())
        self._by_route: dict[str, list[int]] = {}
        for index, pattern in enumerate(self._patterns):
            self._by_route.setdefault(pattern.route_id, []).append(index)
        self._inference = Inference(network, timetable, ground, self._by_route, limits)

    def changes(self, wave: Batch, current: Sequence[Assignment]) -> Iterator[tuple[int, Assignment]]:
        """(slot, new assignment) for every vehicle of the wave whose trip is another than before."""
        for row, (report, slot) in enumerate(zip(wave.reports, wave.slot.tolist(), strict=True)):
            key = (
                report.duty,
                report.route_id,
                report.direction_id,
                report.service_date,
                report.trip_start_clock_s,
            )
            if key != current[slot].key:
                self._inference.forget(slot)
                yield slot, self._signed_on(report, key)
            elif current[slot].pattern < 0 and self._inference.applies(report):
                found = self._inference.weigh(slot, wave, row)
                if found is not None:
                    yield slot, self._inferred(report, key, *found)

    def forget(self, slot: int) -> None:
        """Drop the evidence about a vehicle."""
        self._inference.forget(slot)

    def scheduled_along_m(self, dated_trip: NDArray[np.int32], time: FloatColumn) -> FloatColumn:
        """Where the timetable has each trip at the time; NaN without a trip."""
        along = np.full(len(time), np.nan)
        for row in np.flatnonzero(dated_trip >= 0):
            dated = self._timetable.dated_trips[dated_trip[row]]
            stops_m = self._network.patterns[dated.trip.pattern_id].stop_along_m
            along[row] = np.interp(time[row] - dated.zero_time, dated.trip.departure_service_s, stops_m)
        return along

    def _signed_on(self, report: VehicleReport, key: _Key) -> Assignment:
        pattern, dated_trip = -1, -1
        if report.duty is Duty.IN_SERVICE and report.route_id is not None and report.direction_id is not None:
            trips = self._trips_said(report, report.route_id, report.direction_id)
            if trips:
                chosen = trips[self._nearest(report, [self._pattern_index[t.trip.pattern_id] for t in trips])]
                pattern, dated_trip = self._pattern_index[chosen.trip.pattern_id], chosen.index
            else:
                pattern = self._pattern_said(report, report.route_id, report.direction_id)
        return Assignment(
            duty=report.duty,
            route_id=report.route_id,
            direction_id=report.direction_id,
            pattern=pattern,
            dated_trip=dated_trip,
            signed_on=True,
            key=key,
        )

    def _trips_said(self, report: VehicleReport, route_id: str, direction_id: int) -> list[DatedTrip]:
        if report.service_date is None or report.trip_start_clock_s is None:
            return []
        service_date = date.fromisoformat(report.service_date)
        return self._timetable.find_trips(route_id, direction_id, service_date, report.trip_start_clock_s)

    def _pattern_said(self, report: VehicleReport, route_id: str, direction_id: int) -> int:
        """The pattern of a trip the timetable does not know: the direction's, nearest to the bus."""
        if report.trip_start_clock_s is None:
            return -1
        fitting = [i for i in self._by_route.get(route_id, []) if self._patterns[i].direction_id == direction_id]
        return fitting[self._nearest(report, fitting)] if fitting else -1

    def _inferred(self, report: VehicleReport, key: _Key, pattern: int, dated_trip: int) -> Assignment:
        return Assignment(
            duty=report.duty,
            route_id=report.route_id,
            direction_id=self._patterns[pattern].direction_id,
            pattern=pattern,
            dated_trip=dated_trip,
            signed_on=False,
            key=key,
        )

    def _nearest(self, report: VehicleReport, patterns: list[int]) -> int:
        """Index of the pattern nearest the report's position; the first where nothing tells them apart."""
        if len(set(patterns)) == 1 or report.lat is None or report.lon is None:
            return 0
        lateral = place(self._ground, _one_fix(report, patterns), _no_past(len(patterns)), self._limits).lateral_m
        return int(np.argmin(np.round(lateral)))


def _one_fix(report: VehicleReport, patterns: list[int]) -> Fixes:
    n = len(patterns)
    return Fixes(
        pattern=np.array(patterns, np.int32),
        fix_time=np.full(n, report.fix_time),
        lat=np.full(n, report.lat, np.float64),
        lon=np.full(n, report.lon, np.float64),
        speed_mps=np.full(n, np.nan if report.speed_mps is None else report.speed_mps),
        heading_deg=np.full(n, np.nan if report.heading_deg is None else report.heading_deg),
    )


def _no_past(n: int) -> Last:
    unknown = np.full(n, np.nan)
    return Last(unknown, unknown, unknown, unknown, unknown)

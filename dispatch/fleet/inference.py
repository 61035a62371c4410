"""Pattern and trip of a vehicle that tells only its line: the pattern it advances on, the trip whose time fits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.batch import Batch
from dispatch.fleet.ground import Ground
from dispatch.fleet.matching import Fixes, Last, Match, place
from dispatch.fleet.thresholds import Thresholds
from dispatch.network.model import Network
from dispatch.network.timetable import Timetable
from dispatch.reports import Duty, VehicleReport

_ADVANCE_M_MIN = 150.0  # so far along one pattern before it is believed
_ADVANCE_SHARE_MIN = 0.6  # of the way the bus went as the crow flies
_TRIP_SLACK_S = 1_800.0  # a trip further from its times is not taken to be this one


@dataclass(slots=True)
class _Evidence:
    """Where a vehicle stood on every candidate when it was first seen."""

    patterns: NDArray[np.int32]
    time: float
    lat: float
    lon: float
    first_m: NDArray[np.float64]


class Inference:
    """Weighs the patterns of a line against a vehicle's way, one fix at a time."""

    def __init__(
        self,
        network: Network,
        timetable: Timetable,
        ground: Ground,
        patterns_of_route: dict[str, list[int]],
        limits: Thresholds,
    ) -> None:
        self._network = network
        self._timetable = timetable
        self._ground = ground
        self._patterns_of_route = patterns_of_route
        self._pattern_ids = list(network.patterns)
        self._limits = limits
        self._evidence: dict[int, _Evidence] = {}

    def applies(self, report: VehicleReport) -> bool:
        """In service on a line of the network, without saying which trip."""
        return (
            report.duty is Duty.IN_SERVICE
            and report.route_id in self._patterns_of_route
            and report.lat is not None
            and (report.direction_id is None or report.trip_start_clock_s is None)
        )

    def forget(self, slot: int) -> None:
        """Drop the evidence about a vehicle."""
        self._evidence.pop(slot, None)

    def weigh(self, slot: int, wave: Batch, row: int) -> tuple[int, int] | None:
        """(pattern, dated trip or -1) once the vehicle's advance along one pattern is plain, else None."""
        report: VehicleReport = wave.reports[row]
        evidence = self._evidence.get(slot)
        time, lat, lon = float(wave.fix_time[row]), float(wave.lat[row]), float(wave.lon[row])
        if evidence is None or time - evidence.time > self._limits.memory_s:
            patterns = self._candidates(report)
            match = self._place(patterns, wave, row)
            self._evidence[slot] = _Evidence(patterns, time, lat, lon, match.along_m)
            return None
        match = self._place(evidence.patterns, wave, row)
        way_m = float(np.hypot(lat - evidence.lat, (lon - evidence.lon) * np.cos(np.radians(lat))) * 111_195.0)
        advance_m = match.along_m - evidence.first_m
        believable = (
            (match.lateral_m <= self._limits.on_route_m)
            & (advance_m >= max(_ADVANCE_M_MIN, _ADVANCE_SHARE_MIN * way_m))
            & (advance_m <= self._limits.reach_mps * (time - evidence.time))
        )
        if not believable.any():
            return None
        return self._best(evidence.patterns[believable], match.along_m[believable], match.lateral_m[believable], time)

    def _candidates(self, report: VehicleReport) -> NDArray[np.int32]:
        assert report.route_id is not None
        patterns = list(self._network.patterns.values())
        return np.array(
            [
                index
                for index in self._patterns_of_route[report.route_id]
                if report.direction_id in (None, patterns[index].direction_id)
            ],
            np.int32,
        )

    def _place(self, patterns: NDArray[np.int32], wave: Batch, row: int) -> Match:
        n = len(patterns)
        unknown = np.full(n, np.nan)
        fixes = Fixes(
            pattern=patterns,
            fix_time=np.full(n, wave.fix_time[row]),
            lat=np.full(n, wave.lat[row]),
            lon=np.full(n, wave.lon[row]),
            speed_mps=np.full(n, wave.speed_mps[row]),
            heading_deg=np.full(n, wave.heading_deg[row]),
        )
        return place(self._ground, fixes, Last(unknown, unknown, unknown, unknown, unknown), self._limits)

    def _best(
        self,
        patterns: NDArray[np.int32],
        along_m: NDArray[np.float64],
        lateral_m: NDArray[np.float64],
        time: float,
    ) -> tuple[int, int]:
        """The believable pattern whose nearest trip fits best in time; without trips, the nearest in place."""
        fits = []
        for pattern, along, lateral in zip(patterns.tolist(), along_m.tolist(), lateral_m.tolist(), strict=True):
            deviation_s, dated_trip = self._nearest_trip(pattern, along, time)
            fits.append((deviation_s, round(lateral), pattern, dated_trip))
        _, _, pattern, dated_trip = min(fits)
        return pattern, dated_trip

    def _nearest_trip(self, pattern: int, along_m: float, time: float) -> tuple[float, int]:
        pattern_id = self._pattern_ids[pattern]
        stops_m = self._network.patterns[pattern_id].stop_along_m
        best = (_TRIP_SLACK_S, -1)
        for dated in self._timetable.running_at(time, _TRIP_SLACK_S):
            if dated.trip.pattern_id == pattern_id and dated.exact:
                scheduled = dated.zero_time + np.interp(along_m, stops_m, dated.trip.departure_service_s)
                best = min(best, (abs(time - float(scheduled)), dated.index))
        return best

"""The buses of a made-up (or any) timetable: a pure stepper, one second at a time, that gives what each would report.

Buses accelerate and brake within limits, stand at stops as long as boarding takes, wait at terminals for their time,
and lose or win time between stops by chance, so that they bunch a little, as uncontrolled buses do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from dispatch.network.model import Network, Pattern
from dispatch.network.timetable import DatedTrip, Timetable
from dispatch.reports import Duty, LocationSource, ReportKind, VehicleReport

OPERATOR = "0001"
_ACCELERATION_MPS2 = 1.0
_BRAKING_MPS2 = 1.2
_STOP_RADIUS_M = 30.0
_DOOR_S = 3.0
_BOARDING_S = 2.2
_BOARDINGS_PER_S = 1 / 110.0  # arriving at a stop, per line
_WAITING_MAX = 25
_PASSING_CHANCE = 0.05  # nobody to board or alight
_LEAVE_EARLY_S = 0.0
_SIGN_ON_BEFORE_S = 90.0
_GNSS_WHITE_M = 1.5
_GNSS_DRIFT_M = 3.0
_GNSS_DRIFT_KEPT = 0.98  # per second
_M_PER_DEG = 111_195.0
_CRUISE_MPS = 11.5


@dataclass(slots=True)
class Bus:
    """One bus on its block; times in UTC s, distances in m along the pattern of its present trip."""

    vehicle_id: str
    trips: list[DatedTrip]
    phase_s: float  # when within the second it reports
    index: int = 0  # of the present trip
    along_m: float = 0.0
    speed_mps: float = 0.0
    next_stop: int = 0
    standing_until: float | None = None
    opened: bool = False
    entered: bool = False
    left: bool = True
    signed_on: bool = False
    pace: float = 1.0  # of this driver on this link
    drift_east_m: float = 0.0
    drift_north_m: float = 0.0
    previous: VehicleReport | None = None
    events: list[tuple[ReportKind, int]] = field(default_factory=list)

    @property
    def trip(self) -> DatedTrip:
        """The trip being run or waited for."""
        return self.trips[self.index]


class Buses:
    """All buses in service; ``advance`` moves them to a time and gives their reports."""

    def __init__(self, network: Network, rng: np.random.Generator) -> None:
        self._network = network
        self._timetable = Timetable(network)
        self._rng = rng
        self._running: dict[tuple[date, str], Bus] = {}
        self._done: set[tuple[date, str]] = set()
        self._last_departure: dict[tuple[str, int, str], float] = {}
        self._looked_time = float("-inf")
        self._dates: list[date] = []

    def __len__(self) -> int:
        return len(self._running)

    def advance(self, now: float) -> list[VehicleReport]:
        """Move every bus by one second to ``now``; the reports in the order they would be sent."""
        self._call_out(now)
        reports: list[VehicleReport] = []
        for key, bus in list(self._running.items()):
            self._move(bus, now)
            reports.extend(self._tell(bus, now))
            if bus.index >= len(bus.trips):
                del self._running[key]
                self._done.add(key)
        return sorted(reports, key=lambda report: report.fix_time)

    def _call_out(self, now: float) -> None:
        """Bring out the blocks that begin; at the very start, put each where its timetable has it."""
        if now - self._looked_time < 20.0:
            return
        starting = self._looked_time == float("-inf")
        self._looked_time = now
        blocks: dict[tuple[date, str], list[DatedTrip]] = {}
        for dated in self._timetable.running_at(now, slack_s=_SIGN_ON_BEFORE_S + 600.0):
            blocks.setdefault((dated.service_date, dated.trip.block_id or dated.dated_trip_id), [])
        for key in blocks:
            if key not in self._running and key not in self._done:
                bus = self._bus(key, now, starting=starting)
                if bus is not None:
                    self._running[key] = bus

    def _bus(self, key: tuple[date, str], now: float, *, starting: bool) -> Bus | None:
        service_date, block = key
        if service_date not in self._dates:
            self._dates.append(service_date)
        trips = sorted(
            (d for d in self._timetable.trips_on(service_date) if (d.trip.block_id or d.dated_trip_id) == block),
            key=lambda d: d.start_time,
        )
        ahead = [d for d in trips if d.end_time > now]
        if not ahead or ahead[0].start_time - now > _SIGN_ON_BEFORE_S + 600.0:
            return None
        bus = Bus(
            vehicle_id=f"{OPERATOR}/{self._number(service_date, block):05d}",
            trips=ahead,
            phase_s=float(self._rng.uniform(0.0, 0.999)),
            pace=float(self._rng.lognormal(0.0, 0.12)),
        )
        if starting and ahead[0].start_time < now:
            self._put_under_way(bus, now)
        return bus

    def _number(self, service_date: date, block: str) -> int:
        """A painted number: by block, and by odd and even days, for two days' buses meet in the night."""
        line, _, number = block.partition("-")
        base = (int(line) if line.isdigit() else abs(sum(map(ord, line))) % 90) * 100 + int(number or 0)
        return (service_date.toordinal() % 2 + 1) * 10_000 + base % 10_000

    def _put_under_way(self, bus: Bus, now: float) -> None:
        late_s = float(np.clip(self._rng.normal(20.0, 45.0), -20.0, 150.0))
        dated, pattern = bus.trip, self._pattern(bus)
        at_s = now - late_s - dated.zero_time
        bus.along_m = float(np.interp(at_s, dated.trip.departure_service_s, pattern.stop_along_m))
        bus.next_stop = int(np.searchsorted(pattern.stop_along_m, bus.along_m + 1.0))
        bus.signed_on = True
        if bus.next_stop >= len(pattern.stop_ids):
            bus.next_stop = len(pattern.stop_ids) - 1
        bus.speed_mps = 5.0 if bus.next_stop else 0.0

    def _pattern(self, bus: Bus) -> Pattern:
        return self._network.patterns[bus.trip.trip.pattern_id]

    def _move(self, bus: Bus, now: float) -> None:
        """One second of driving, standing or waiting."""
        pattern = self._pattern(bus)
        if not bus.signed_on:
            if bus.index == 0 and now < bus.trip.start_time - _SIGN_ON_BEFORE_S:
                return
            bus.signed_on = True
            bus.along_m = float(pattern.stop_along_m[0])
            bus.events.append((ReportKind.TRIP_SIGNED_ON, 0))
        if bus.standing_until is not None:
            self._stand(bus, now)
            return
        target_m = float(pattern.stop_along_m[bus.next_stop])
        left_m = target_m - bus.along_m
        allowed = float(np.sqrt(2.0 * _BRAKING_MPS2 * max(left_m - 0.5, 0.0)))
        wanted = min(_CRUISE_MPS * bus.pace, allowed)
        bus.speed_mps = float(np.clip(wanted, bus.speed_mps - 2 * _BRAKING_MPS2, bus.speed_mps + _ACCELERATION_MPS2))
        bus.along_m = min(bus.along_m + max(bus.speed_mps, 0.0), target_m)
        if not bus.left and bus.along_m - float(pattern.stop_along_m[bus.next_stop - 1]) > _STOP_RADIUS_M:
            bus.left = True
            bus.events.append((ReportKind.STOP_LEFT, bus.next_stop - 1))
        if left_m <= 2 * _STOP_RADIUS_M and not bus.entered:
            bus.entered = True
            bus.events += [(ReportKind.STOP_AHEAD, bus.next_stop), (ReportKind.STOP_ENTERED, bus.next_stop)]
        if target_m - bus.along_m < 1.0:
            self._arrive(bus, now)

    def _arrive(self, bus: Bus, now: float) -> None:
        pattern = self._pattern(bus)
        key = (pattern.route_id, pattern.direction_id, pattern.stop_ids[bus.next_stop])
        since_s = now - self._last_departure.get(key, now - 300.0)
        waiting = min(int(self._rng.poisson(max(since_s, 0.0) * _BOARDINGS_PER_S)), _WAITING_MAX)
        last = bus.next_stop == len(pattern.stop_ids) - 1
        if not last and bus.next_stop and not waiting and self._rng.random() < _PASSING_CHANCE:
            bus.events.append((ReportKind.STOP_PASSED, bus.next_stop))
            self._last_departure[key] = now
            self._go_on(bus)
            bus.left = True
            return
        bus.speed_mps = 0.0
        bus.events += [(ReportKind.STOP_ARRIVED, bus.next_stop), (ReportKind.DOORS_OPENED, bus.next_stop)]
        bus.opened = True
        stand_s = 2 * _DOOR_S + _BOARDING_S * waiting + float(self._rng.exponential(3.0))
        bus.standing_until = now + stand_s
        if bus.next_stop == 0:
            bus.standing_until = max(bus.standing_until, bus.trip.start_time - _LEAVE_EARLY_S)
        self._last_departure[key] = now + stand_s

    def _stand(self, bus: Bus, now: float) -> None:
        assert bus.standing_until is not None
        if bus.opened and now >= bus.standing_until - _DOOR_S:
            bus.opened = False
            bus.events.append((ReportKind.DOORS_CLOSED, bus.next_stop))
        if now < bus.standing_until:
            return
        bus.standing_until = None
        if bus.next_stop == len(self._pattern(bus).stop_ids) - 1:
            bus.events.append((ReportKind.TRIP_SIGNED_OFF, bus.next_stop))
            bus.left = True
        else:
            bus.events.append((ReportKind.STOP_READY_TO_LEAVE, bus.next_stop))
            bus.left = False
        self._go_on(bus)

    def _go_on(self, bus: Bus) -> None:
        bus.entered = False
        bus.pace = float(np.clip(0.6 * bus.pace + 0.4 * self._rng.lognormal(0.0, 0.16), 0.55, 1.25))
        bus.next_stop += 1

    def _tell(self, bus: Bus, now: float) -> Iterator[VehicleReport]:
        """Events first, then the second's position; a finished trip makes way for the next."""
        pattern = self._pattern(bus)
        bus.drift_east_m, bus.drift_north_m = (
            _GNSS_DRIFT_KEPT * drift + float(self._rng.normal(0.0, _GNSS_DRIFT_M)) * (1 - _GNSS_DRIFT_KEPT**2) ** 0.5
            for drift in (bus.drift_east_m, bus.drift_north_m)
        )
        fix_time = round(now - 1.0 + bus.phase_s, 3)
        lat, lon, heading = self._place(bus, pattern)
        ended = False
        for number, (kind, stop) in enumerate(bus.events):
            yield self._report(
                bus, pattern, kind, stop, round(fix_time - 0.002 * (len(bus.events) - number), 3), lat, lon, heading
            )
            ended = ended or kind is ReportKind.TRIP_SIGNED_OFF
        bus.events.clear()
        if bus.signed_on and not ended:
            yield self._report(bus, pattern, ReportKind.POSITION, None, fix_time, lat, lon, heading)
        if ended:
            bus.index += 1
            bus.next_stop, bus.along_m, bus.signed_on, bus.speed_mps = 0, 0.0, False, 0.0
            if bus.index == len(bus.trips):
                yield self._signed_off(bus, ReportKind.BLOCK_LEFT, Duty.DEADHEAD, fix_time + 0.001, lat, lon)
                yield self._signed_off(bus, ReportKind.DRIVER_SIGNED_OUT, Duty.SIGNED_OFF, fix_time + 0.002, lat, lon)

    def _report(
        self,
        bus: Bus,
        pattern: Pattern,
        kind: ReportKind,
        stop: int | None,
        fix_time: float,
        lat: float,
        lon: float,
        heading: float,
    ) -> VehicleReport:
        dated = bus.trip
        coming = min(bus.next_stop, len(pattern.stop_ids) - 1)
        scheduled_s = float(np.interp(bus.along_m, pattern.stop_along_m, dated.trip.departure_service_s))
        late_s = fix_time - dated.zero_time - scheduled_s
        at_stop = stop is not None and kind is not ReportKind.TRIP_SIGNED_ON
        return VehicleReport(
            vehicle_id=bus.vehicle_id,
            received_time=fix_time,
            kind=kind,
            duty=Duty.IN_SERVICE,
            fix_time=fix_time,
            lat=lat,
            lon=lon,
            speed_mps=round(bus.speed_mps, 2),
            heading_deg=heading,
            odometer_m=float(round(bus.along_m)),
            location_source=LocationSource.GNSS,
            doors_open=bus.opened,
            route_id=pattern.route_id,
            direction_id=pattern.direction_id,
            headsign=pattern.headsign,
            service_date=dated.service_date.isoformat(),
            trip_start_clock_s=int(dated.start_time - self._midnight(dated)) // 60 * 60 % 86_400,
            next_stop_id=pattern.stop_ids[coming],
            stop_id=pattern.stop_ids[stop] if stop is not None and at_stop else None,
            route_label=self._network.routes[pattern.route_id].short_name,
            company_id="1",
            schedule_deviation_s=float(round(max(late_s, 0.0) if bus.next_stop == 0 else late_s)),
            occupancy_share=0.0,
            scheduled_arrival_time=dated.arrival_time(stop) if stop is not None and at_stop else None,
            scheduled_departure_time=dated.departure_time(stop) if stop is not None and at_stop else None,
        )

    def _signed_off(
        self, bus: Bus, kind: ReportKind, duty: Duty, fix_time: float, lat: float, lon: float
    ) -> VehicleReport:
        """The end of a vehicle day: without it a bus gone home would look like one that fell silent."""
        return VehicleReport(
            vehicle_id=bus.vehicle_id,
            received_time=round(fix_time, 3),
            kind=kind,
            duty=duty,
            fix_time=round(fix_time, 3),
            lat=lat,
            lon=lon,
            speed_mps=0.0,
            location_source=LocationSource.GNSS,
            doors_open=False,
            company_id="1",
        )

    def _midnight(self, dated: DatedTrip) -> float:
        return dated.zero_time  # no repeats from frequencies in the demo: service times count from midnight

    def _place(self, bus: Bus, pattern: Pattern) -> tuple[float, float, float]:
        """Measured lat, lon and heading."""
        index = int(np.clip(np.searchsorted(pattern.along_m, bus.along_m, "right") - 1, 0, len(pattern.along_m) - 2))
        share = (bus.along_m - pattern.along_m[index]) / (pattern.along_m[index + 1] - pattern.along_m[index])
        north = float(pattern.lat[index + 1] - pattern.lat[index])
        shrink = float(np.cos(np.radians(pattern.lat[index])))
        east = float(pattern.lon[index + 1] - pattern.lon[index]) * shrink
        noise_east, noise_north = self._rng.normal(0.0, _GNSS_WHITE_M, 2) if bus.speed_mps > 0 else (0.0, 0.0)
        lat = float(pattern.lat[index]) + share * north + (bus.drift_north_m + noise_north) / _M_PER_DEG
        lon = float(pattern.lon[index]) + (share * east + (bus.drift_east_m + noise_east) / _M_PER_DEG) / shrink
        return round(float(lat), 6), round(float(lon), 6), float(round(np.degrees(np.arctan2(east, north))) % 360)

"""Sanity of each report against the clock, the city and the vehicle's own past. A refusal is a reason, not an error."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, hypot, radians

from dispatch.events import DeviceConflict
from dispatch.fleet.thresholds import Thresholds
from dispatch.network.model import Network
from dispatch.reports import Reason, ReportKind, VehicleReport

_M_PER_DEG = 111_195.0
_CONFLICT_AFTER = 3  # turns between the two places, so that one stray fix accuses nobody
_CONFLICT_SAID_EVERY_S = 600.0
_SEEN_FOR_S = 300.0
_CALIBRATION_M = 1_000.0
_MOVING_MPS = 3.0


@dataclass(frozen=True, slots=True)
class Box:
    """The city with a margin, degrees."""

    south: float
    north: float
    west: float
    east: float

    def holds(self, lat: float, lon: float) -> bool:
        """The point lies inside."""
        return self.south <= lat <= self.north and self.west <= lon <= self.east


def box_around(network: Network, margin_m: float) -> Box | None:
    """The box around all stops, widened; None for a city without stops, where nothing can be said."""
    lats = [stop.lat for stop in network.stops.values()]
    lons = [stop.lon for stop in network.stops.values()]
    if not lats:
        return None
    margin_lat = margin_m / _M_PER_DEG
    margin_lon = margin_lat / max(cos(radians(max(map(abs, lats)))), 0.01)
    return Box(min(lats) - margin_lat, max(lats) + margin_lat, min(lons) - margin_lon, max(lons) + margin_lon)


class _Past:
    """What the gate remembers of one vehicle."""

    __slots__ = (
        "claims",
        "conflict_said",
        "fix_time",
        "lat",
        "lon",
        "position_time",
        "reported_m",
        "speed_trusted",
        "stray_count",
        "stray_lat",
        "stray_lon",
        "stray_time",
        "travelled_m",
    )

    def __init__(self) -> None:
        self.fix_time = float("-inf")  # of the newest accepted report with a place
        self.position_time = float("-inf")  # of the newest plain position
        self.lat = self.lon = 0.0
        self.stray_count = 0
        self.stray_lat = self.stray_lon = self.stray_time = 0.0
        self.claims = 0
        self.conflict_said = float("-inf")
        self.reported_m = self.travelled_m = 0.0
        self.speed_trusted = True


class Gate:
    """Judges reports one by one, in the order they arrive."""

    def __init__(self, network: Network, thresholds: Thresholds) -> None:
        self._box = box_around(network, thresholds.city_margin_m)
        self._limits = thresholds
        self._past: list[_Past] = []
        self._seen: set[tuple[int, float, int]] = set()
        self._seen_before: set[tuple[int, float, int]] = set()
        self._seen_until = float("-inf")
        self.conflicts: list[DeviceConflict] = []  # found since last taken

    def judge(self, report: VehicleReport, slot: int) -> Reason | None:
        """Why the report is refused, or None. Accepting it makes it part of the vehicle's past."""
        return self._judge_time(report, slot) or self._judge_place(report, self._past[slot])

    def speed_trusted(self, slot: int) -> bool:
        """Reported speeds agree with the distance travelled; False: the unit is wrong."""
        return self._past[slot].speed_trusted

    def take_conflicts(self) -> Iterable[DeviceConflict]:
        """Conflicts found since the last call."""
        found, self.conflicts = self.conflicts, []
        return found

    def _judge_time(self, report: VehicleReport, slot: int) -> Reason | None:
        while slot >= len(self._past):
            self._past.append(_Past())
        ahead_s = report.fix_time - report.received_time
        if ahead_s > self._limits.future_s_max:
            return Reason.FIX_IN_FUTURE
        if -ahead_s > self._limits.age_s_max:
            return Reason.FIX_TOO_OLD
        key = (slot, report.fix_time, int(report.kind))
        if key in self._seen or key in self._seen_before:
            return Reason.DUPLICATE
        if report.received_time > self._seen_until:
            self._seen_before, self._seen = self._seen, set()
            self._seen_until = report.received_time + _SEEN_FOR_S
        self._seen.add(key)
        return None

    def _judge_place(self, report: VehicleReport, past: _Past) -> Reason | None:
        lat, lon = report.lat, report.lon
        if lat is None or lon is None:
            return None
        if self._box is not None and not self._box.holds(lat, lon):
            return Reason.COORDINATES_SWAPPED if self._box.holds(lon, lat) else Reason.POSITION_OUTSIDE_CITY
        dt_s = report.fix_time - past.fix_time
        if dt_s < 0:  # late: judged against nothing, and teaches nothing
            return None
        if report.kind is ReportKind.POSITION:
            if 0 < report.fix_time - past.position_time < self._limits.fix_spacing_s_min:
                return Reason.TOO_FREQUENT
            past.position_time = report.fix_time
        moved_m = _distance_m(past.lat, past.lon, lat, lon)
        if moved_m > self._limits.jump_m_min and moved_m > self._limits.jump_mps_max * dt_s:
            return self._stray(report, past, lat, lon, moved_m)
        if past.stray_count and report.fix_time - past.stray_time < self._limits.memory_s:
            past.claims += 1
        past.stray_count = 0
        self._accept(report, past, lat, lon, moved_m, dt_s)
        return None

    def _stray(self, report: VehicleReport, past: _Past, lat: float, lon: float, moved_m: float) -> Reason | None:
        """A leap no bus makes: refused, until the new place has proved itself or a second device shows."""
        dt_s = report.fix_time - past.stray_time
        near = _distance_m(past.stray_lat, past.stray_lon, lat, lon) <= max(
            self._limits.jump_m_min, self._limits.jump_mps_max * dt_s
        )
        past.stray_count = past.stray_count + 1 if past.stray_count and near else 1
        past.stray_lat, past.stray_lon, past.stray_time = lat, lon, report.fix_time
        if past.claims >= _CONFLICT_AFTER:
            if report.fix_time - past.conflict_said > _CONFLICT_SAID_EVERY_S:
                past.conflict_said = report.fix_time
                self.conflicts.append(
                    DeviceConflict(time=report.fix_time, vehicle_id=report.vehicle_id, spacing_m=round(moved_m, 1))
                )
            return Reason.DEVICE_CONFLICT
        if past.stray_count < self._limits.jump_fixes:
            return Reason.JUMP_IMPOSSIBLE
        past.stray_count = 0
        past.fix_time, past.lat, past.lon = report.fix_time, lat, lon
        return None

    def _accept(self, report: VehicleReport, past: _Past, lat: float, lon: float, moved_m: float, dt_s: float) -> None:
        speed = report.speed_mps
        if speed is not None and speed > _MOVING_MPS and 0.5 <= dt_s <= 10.0:
            past.reported_m += speed * dt_s
            past.travelled_m += moved_m
            if past.reported_m > _CALIBRATION_M:
                past.speed_trusted = past.reported_m < self._limits.speed_unit_ratio * max(past.travelled_m, 1.0)
                past.reported_m, past.travelled_m = past.reported_m / 2, past.travelled_m / 2
        past.fix_time, past.lat, past.lon = report.fix_time, lat, lon


def _distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Equirectangular: good to 1 % over city distances, and cheap."""
    return hypot(lat2 - lat1, (lon2 - lon1) * cos(radians(lat1))) * _M_PER_DEG

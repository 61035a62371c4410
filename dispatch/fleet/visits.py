"""Stop visits as the bus itself reports them: entered, arrived, doors, left, passed."""

from collections.abc import Iterator
from dataclasses import dataclass

from dispatch.fleet.batch import Batch
from dispatch.reports import Duty, ReportKind, VehicleReport

_BEGINS = frozenset({ReportKind.STOP_ENTERED, ReportKind.STOP_ARRIVED, ReportKind.DOORS_OPENED})
_WITHIN = frozenset({ReportKind.STOP_READY_TO_LEAVE, ReportKind.STOP_WAITING, ReportKind.DOORS_CLOSED})
_ENDS = frozenset({ReportKind.STOP_LEFT, ReportKind.STOP_PASSED})
_SPEAKS_OF_STOP = _BEGINS | _WITHIN | _ENDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit to a stop, complete."""

    slot: int
    report: VehicleReport  # the last one of the visit; names trip, route and stop
    arrival_time: float
    departure_time: float
    served: bool


@dataclass(slots=True)
class _Open:
    """A visit that has begun."""

    report: VehicleReport
    entered_time: float
    arrived_time: float | None = None
    ready_time: float | None = None
    doors: bool = False


class Visits:
    """Follows each vehicle's stop events in fix-time order and gives every visit once, when it is over."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self.reporting_until: dict[int, float] = {}  # by slot: the bus sends stop events itself until then

    def observe(self, wave: Batch) -> Iterator[Visit]:
        """Visits that ended in the wave (each vehicle at most once in it)."""
        for report, slot in zip(wave.reports, wave.slot.tolist(), strict=True):
            if report.kind is ReportKind.POSITION:
                continue
            if report.kind in _SPEAKS_OF_STOP and report.stop_id is not None and report.duty is Duty.IN_SERVICE:
                self.reporting_until[slot] = report.fix_time + _REPORTING_S
                yield from self._follow(slot, report)
            elif report.kind is ReportKind.TRIP_SIGNED_OFF and slot in self._open:
                yield from self._close(slot, self._open[slot].report, None)

    def _follow(self, slot: int, report: VehicleReport) -> Iterator[Visit]:
        visit = self._open.get(slot)
        if visit is not None and visit.report.stop_id != report.stop_id:
            yield from self._close(slot, visit.report, None)
            visit = None
        if report.kind in _ENDS:
            if visit is None:
                self._open[slot] = _Open(report, report.fix_time)
            yield from self._close(slot, report, report.fix_time)
            return
        if visit is None:
            visit = self._open[slot] = _Open(report, report.fix_time)
        visit.report = report
        if report.kind is ReportKind.STOP_ARRIVED or (report.kind is ReportKind.DOORS_OPENED):
            visit.arrived_time = report.fix_time if visit.arrived_time is None else visit.arrived_time
        visit.doors = visit.doors or report.kind is ReportKind.DOORS_OPENED or bool(report.doors_open)
        if report.kind in _WITHIN:
            visit.ready_time = report.fix_time

    def _close(self, slot: int, report: VehicleReport, left_time: float | None) -> Iterator[Visit]:
        """End the visit; ``left_time`` None where the bus never said that it left."""
        visit = self._open.pop(slot)
        arrival = visit.entered_time if visit.arrived_time is None else visit.arrived_time
        last = visit.ready_time if visit.ready_time is not None else arrival
        passed = report.kind is ReportKind.STOP_PASSED
        yield Visit(
            slot=slot,
            report=report,
            arrival_time=arrival,
            departure_time=max(last if left_time is None else left_time, arrival),
            served=not passed and (visit.doors or visit.arrived_time is not None),
        )


_REPORTING_S = 900.0  # longer than the run between two stops

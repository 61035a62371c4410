"""The system on one screen: reports come in, the picture is updated, events go out. No I/O, no clock.

Two views of the same reports: the live one takes the newest fix at once; rules run ``hold_s`` behind, on every fix, in
fix-time order, so that late data cannot bend a conclusion. Live, replay and simulation all call ``step``.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatch.events import AnyEvent, PanicPressed, StopPassage, VehicleOnline
from dispatch.fleet.assignment import Assigner
from dispatch.fleet.axes import lay_axes
from dispatch.fleet.batch import Batch, batch_of
from dispatch.fleet.freshness import Freshness
from dispatch.fleet.gate import Gate
from dispatch.fleet.ground import Ground
from dispatch.fleet.headways import StopHeadways
from dispatch.fleet.in_order import InOrder
from dispatch.fleet.live_view import LiveView
from dispatch.fleet.missing import MissingTrips
from dispatch.fleet.passages import Passages
from dispatch.fleet.rules_view import RulesView
from dispatch.fleet.schedule import Schedule
from dispatch.fleet.targets import Targets
from dispatch.fleet.thresholds import Thresholds
from dispatch.fleet.tracker import Tracker
from dispatch.network.model import Network
from dispatch.network.timetable import Timetable
from dispatch.reports import Input, Reason, Rejected, SensorReport, VehicleReport, VehicleStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step concluded."""

    events: list[AnyEvent]
    verdicts: list[Reason | None]  # one per input, in order: None accepted, else why not


class ControlCentre:
    """The whole state of the city's control; advanced only by ``step``."""

    def __init__(self, network: Network, limits: Thresholds | None = None) -> None:
        limits = limits or Thresholds()
        self.network = network
        self.route_ids = list(network.routes)  # picture.route indexes this
        self.pattern_ids = list(network.patterns)  # picture.pattern indexes this
        self.timetable = Timetable(network)
        self.refused: Counter[Reason] = Counter()
        patterns = list(network.patterns.values())
        ground = Ground(patterns)
        self._gate = Gate(network, limits)
        self._in_order = InOrder(limits.hold_s)
        self._live = LiveView(
            Tracker(ground, Assigner(network, self.timetable, ground, limits), limits),
            ground,
            lay_axes(patterns, list(network.trips.values())),
            Schedule(self.timetable, ground),
            self.route_ids,
            limits,
        )
        self.picture = self._live.picture
        self._rules = RulesView(
            Tracker(ground, Assigner(network, self.timetable, ground, limits), limits),
            Passages(ground, limits),
            network,
            self.timetable,
        )
        self._headways = StopHeadways(Targets(self.timetable), limits)
        self._freshness = Freshness(limits)
        self._missing = MissingTrips(self.timetable, limits)
        self._hold_s = limits.hold_s
        self._vehicles_max = limits.vehicles_max

    def step(self, inputs: Sequence[Input], now: float) -> Outcome:
        """Advance the city to ``now`` (UTC s, never falling) with everything that came in since the last step."""
        events: list[AnyEvent] = []
        verdicts, arrived = self._admit(inputs, events)
        self._live.absorb(arrived)
        ruled = self._rules.observe(self._in_order.release(arrived, now), self.picture.vehicle_ids)
        passages = [event for event in ruled if isinstance(event, StopPassage)]
        events.extend(self._gate.take_conflicts())
        events.extend(ruled)
        events.extend(self._headways.observe(passages, now - self._hold_s))
        events.extend(self._freshness.observe(self.picture, now))
        events.extend(self._missing.observe(self._rules.performed, now, feed_alive=self.feed_alive))
        self._live.measure()
        return Outcome(events, verdicts)

    @property
    def feed_alive(self) -> bool:
        """Vehicles have been heard and the feed is not out."""
        return len(self.picture) > 0 and self._freshness.outage_since is None

    @property
    def outage_since(self) -> float | None:
        """When the feed as a whole fell silent, UTC s; None: it has not."""
        return self._freshness.outage_since

    @property
    def late(self) -> int:
        """Reports that came too late for the rules: stored, not judged."""
        return self._in_order.late

    def seed_departures(self, passages: Iterable[StopPassage]) -> None:
        """After a restart: departures already stored, to measure the next headways from."""
        self._headways.seed(passages)

    def _admit(self, inputs: Sequence[Input], events: list[AnyEvent]) -> tuple[list[Reason | None], Batch]:
        verdicts: list[Reason | None] = []
        verdict: Reason | None
        accepted: list[VehicleReport] = []
        slots: list[int] = []
        for item in inputs:
            if isinstance(item, Rejected):
                verdict = item.reason
            elif item.vehicle_id not in self.picture.slot_of and len(self.picture) >= self._vehicles_max:
                verdict = Reason.TOO_MANY_VEHICLES
            elif isinstance(item, VehicleReport):
                slot = self.picture.slot(item.vehicle_id)
                verdict = self._gate.judge(item, slot)
                if verdict is None:
                    accepted.append(item)
                    slots.append(slot)
            else:
                verdict = None
                events.extend(self._note(item))
            verdicts.append(verdict)
            if verdict is not None:
                self.refused[verdict] += 1
        return verdicts, batch_of(accepted, slots, [self._gate.speed_trusted(slot) for slot in slots])

    def _note(self, item: VehicleStatus | SensorReport) -> Iterable[AnyEvent]:
        slot = self.picture.slot(item.vehicle_id)
        picture = self.picture
        if isinstance(item, VehicleStatus):
            if picture.online[slot] != item.online:
                picture.online[slot] = item.online
                yield VehicleOnline(time=item.received_time, vehicle_id=item.vehicle_id, online=item.online)
            return
        if item.panic and not picture.panic[slot]:
            known = picture.fix_time[slot] == picture.fix_time[slot]
            yield PanicPressed(
                time=item.fix_time,
                vehicle_id=item.vehicle_id,
                lat=float(picture.lat[slot]) if known else None,
                lon=float(picture.lon[slot]) if known else None,
                position_age_s=round(item.fix_time - float(picture.fix_time[slot]), 3) if known else None,
            )
        picture.panic[slot] = item.panic

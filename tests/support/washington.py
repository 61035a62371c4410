"""The Washington recording through the control step, and what can be said of how well it was matched."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dispatch.control import ControlCentre
from dispatch.events import AnyEvent, HeadwayObserved, StopPassage, TripAssigned
from dispatch.fleet.thresholds import Thresholds
from dispatch.replay import Recording, open_recording
from dispatch.reports import VehicleReport
from dispatch.wire.decode import decode
from tests.support.brute_force import headways


@dataclass(frozen=True, slots=True)
class Washington:
    """Figures of one run."""

    fixes: int
    matched: int
    lateral_m_p50: float
    lateral_m_p99: float
    passages: int
    expected: int  # stops of trips driven, between the first and last fix of each
    compared: int  # headways found by both ways
    brute_force: int
    difference_s_p50: float
    difference_s_p90: float

    @property
    def matched_share(self) -> float:
        """Of the in-service fixes, those placed on their pattern."""
        return self.matched / self.fixes


def measure(folder: Path) -> Washington:
    """Run the recording and compare with the brute force."""
    recording = open_recording(folder, None, 30.0)
    fixes, laterals, events = _run(recording)
    passages = [e for e in events if isinstance(e, StopPassage)]
    ours: dict[tuple[str, int, str, str], list[tuple[float, float]]] = {}
    for event in events:
        if isinstance(event, HeadwayObserved):
            vehicle = event.vehicle_id.split("/")[1].lstrip("0")
            key = (event.route_id, event.direction_id, event.stop_id, vehicle)
            ours.setdefault(key, []).append((event.time, event.headway_s))
    theirs = headways(folder)
    differences = []
    for key, measured in theirs.items():
        for time, headway_s in measured:
            near = [h for t, h in ours.get(key, []) if abs(t - time) < 120.0]
            if near:
                differences.append(min(abs(h - headway_s) for h in near))
    return Washington(
        fixes=fixes,
        matched=len(laterals),
        lateral_m_p50=float(np.median(laterals)),
        lateral_m_p99=float(np.percentile(laterals, 99)),
        passages=len(passages),
        expected=_expected(recording, events),
        compared=len(differences),
        brute_force=sum(len(measured) for measured in theirs.values()),
        difference_s_p50=float(np.median(differences)),
        difference_s_p90=float(np.percentile(differences, 90)),
    )


def _run(recording: Recording) -> tuple[int, list[float], list[AnyEvent]]:
    centre = ControlCentre(recording.network, Thresholds(stale_after_s=recording.stale_after_s))
    fixes = 0
    laterals: list[float] = []
    events: list[AnyEvent] = []
    for step in recording.steps:
        inputs = [decode(m.topic, m.payload, m.received_time) for m in step.messages]
        events.extend(centre.step(inputs, step.now).events)
        for item in inputs:
            if isinstance(item, VehicleReport) and item.lat is not None:
                fixes += 1
                slot = centre.picture.slot(item.vehicle_id)
                lateral = float(centre.picture.lateral_m[slot])
                if not np.isnan(lateral) and not centre.picture.off_route[slot] and lateral <= Thresholds().off_route_m:
                    laterals.append(lateral)
    return fixes, laterals, events


def _expected(recording: Recording, events: list[AnyEvent]) -> int:
    """Stops scheduled between the first and last report of every trip driven, by the timetable of those trips."""
    driven = {(e.vehicle_id, e.trip_id): e for e in events if isinstance(e, TripAssigned) and e.trip_id}
    seen: dict[tuple[str, str | None], list[int]] = {}
    for event in events:
        if isinstance(event, StopPassage) and event.stop_sequence is not None:
            seen.setdefault((event.vehicle_id, event.trip_id), []).append(event.stop_sequence)
    return sum(max(stops) - min(stops) + 1 for key, stops in seen.items() if key in driven)

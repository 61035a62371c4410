"""The beat: take what arrived, step the control centre, hand the outcome to store and feeds. It decides nothing."""

import asyncio
import logging
import time
from collections.abc import Callable

import numpy as np

from dispatch.control import ControlCentre, Outcome
from dispatch.feeds.alerts import Alerts
from dispatch.feeds.frame import columns_of
from dispatch.feeds.hub import Hub, RegistryEntry
from dispatch.feeds.views import vehicle_label
from dispatch.feeds.vitals import Vitals
from dispatch.ingest.inbox import Inbox
from dispatch.ingest.listen import Listener
from dispatch.recording import Recorder
from dispatch.storing import Storing, job_of
from dispatch.wire.decode import decode

log = logging.getLogger(__name__)
_ARRIVALS_MAX = 5_000  # looked at in one step, so that a backlog does not stop the picture
_SAY_EVERY_S = 60.0
_HEALTH_EVERY_S = 5.0


class Loop:
    """One city's beat."""

    def __init__(
        self,
        centre: ControlCentre,
        inbox: Inbox,
        listener: Listener,
        storing: Storing,
        hub: Hub,
        alerts: Alerts,
        vitals: Vitals,
        clock: Callable[[], float],
        *,
        stale_after_s: float,
        recorder: Recorder | None = None,
    ) -> None:
        self._centre = centre
        self._inbox = inbox
        self._listener = listener
        self._storing = storing
        self._hub = hub
        self._alerts = alerts
        self._vitals = vitals
        self._clock = clock
        self._stale_after_s = stale_after_s
        self._recorder = recorder
        self._registry: list[RegistryEntry] = []
        self._alerts_said = -1
        self._now = float("-inf")
        self._say_time = self._health_time = float("-inf")

    async def run(self, tick_s: float) -> None:
        """Step every ``tick_s``, and earlier when the broker waits for an acknowledgement; until cancelled."""
        loop = asyncio.get_running_loop()
        beat = loop.time()
        while True:
            beat = max(beat + tick_s, loop.time())
            try:
                async with asyncio.timeout_at(beat):
                    await self._listener.arrived.wait()
            except TimeoutError:
                pass
            self._listener.arrived.clear()
            self.step(self._clock())

    def step(self, now: float) -> Outcome:
        """One step with what has arrived."""
        began = time.perf_counter()
        self._now = now = max(now, self._now)
        arrivals = self._inbox.take(_ARRIVALS_MAX)
        if self._recorder is not None:
            self._recorder.write(arrivals, now)
        inputs = [decode(a.topic, a.payload, a.received_time, retained=a.retained) for a in arrivals]
        outcome = self._centre.step(inputs, now)
        self._storing.put(job_of(arrivals, inputs, outcome.verdicts, outcome.events))
        self._alerts.fold(outcome.events, now)
        self._vitals.events += len(outcome.events)
        self._show(now)
        self._vitals.step_ms.append((time.perf_counter() - began) * 1000.0)
        self._note(now)
        return outcome

    def _show(self, now: float) -> None:
        picture = self._centre.picture
        for vehicle_id in picture.vehicle_ids[len(self._registry) :]:
            self._registry.append(RegistryEntry(len(self._registry), vehicle_id, vehicle_label(vehicle_id), ""))
        self._hub.publish(columns_of(picture, self._hub.base_time_s), self._registry, now)
        if self._alerts.version != self._alerts_said:
            self._alerts_said = self._alerts.version
            self._hub.tell_all({"type": "alerts", "alerts": self._alerts.listed()})
        if now - self._health_time >= _HEALTH_EVERY_S:
            self._health_time = now
            health = self._vitals.health(now, len(self._hub.clients), self._stale_after_s)
            self._hub.tell_all({"type": "health", "health": health})

    def _note(self, now: float) -> None:
        vitals, picture = self._vitals, self._centre.picture
        n = len(picture)
        vitals.received = self._inbox.received
        vitals.inbox_depth, vitals.inbox_depth_max = len(self._inbox), self._inbox.depth_max
        vitals.inbox_dropped = self._inbox.dropped
        vitals.broker_connected = self._listener.state.connected
        vitals.broker_reconnects = self._listener.state.reconnects
        vitals.bypass = self._listener.state.bypass
        vitals.late = self._centre.late
        for reason, count in self._centre.refused.items():
            vitals.rejected[str(reason)] = count
        vitals.vehicles, vitals.vehicles_stale = n, int(picture.stale[:n].sum())
        vitals.outage_since = self._centre.outage_since
        heard = picture.fix_time[:n][~np.isnan(picture.fix_time[:n])]
        vitals.newest_fix_time = float(heard.max()) if len(heard) else None
        if now - self._say_time >= _SAY_EVERY_S:
            self._say_time = now
            self._say(now)

    def _say(self, now: float) -> None:
        health = self._vitals.health(now, len(self._hub.clients), self._stale_after_s)
        log.info(
            "minute",
            extra={
                "received": health.received,
                "stored": health.stored,
                "rejected": sum(health.rejected.values()),
                "late": health.late,
                "step_ms_p99": health.step_ms_p99,
                "inbox": health.inbox_depth,
                "store_lag_s": health.store_lag_s,
                "clients": health.clients,
                "newest_fix_age_s": health.newest_fix_age_s,
            },
        )

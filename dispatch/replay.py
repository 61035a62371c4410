"""Play a recording: through the real broker into a running system, or straight through the control step.

Both give the same events. Through the broker the city's clock waits, at every step, until all that was published has
come back out: how long the broker takes then changes the wall's time and not the city's.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from dispatch.control import ControlCentre
from dispatch.events import AnyEvent, event_id
from dispatch.fleet.thresholds import Thresholds
from dispatch.gtfs_rt_csv import read_positions
from dispatch.mqtt.connection import Connection, connect
from dispatch.network.gtfs import read_feed
from dispatch.network.model import EMPTY, Network
from dispatch.recording import Message, Step, read_messages, steps
from dispatch.settings import Settings
from dispatch.system import System, open_system
from dispatch.wire.decode import decode

Say = Callable[[str], None]
Emit = Callable[[AnyEvent], None]
_TICK_S = 1.0
_IDLE_S_MAX = 600.0
_TAIL_S = 90.0  # stepped on after the last message, so that holding back and settling run out
_LOST_S = 30.0  # a message the broker has not given back by then is lost
_PERIODS_STALE = 3.0
_encode = msgspec.json.Encoder().encode


class ReplayFailed(Exception):
    """The recording cannot be played; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Steps with their messages, and the city they belong to."""

    name: str
    network: Network
    steps: list[Step]
    stale_after_s: float

    @property
    def messages(self) -> int:
        """How many messages it holds."""
        return sum(len(step.messages) for step in self.steps)


def open_recording(path: Path, gtfs: Path | None, stale_after_s: float) -> Recording:
    """A recording or dump, or a folder with vehicle_positions.csv and gtfs.zip.

    A bus is called silent after three of the recording's own report periods, if that is longer than ``stale_after_s``.
    Raises ReplayFailed.
    """
    if path.is_dir():
        positions = path / "vehicle_positions.csv"
        gtfs = gtfs or path / "gtfs.zip"
        if not positions.exists() or not gtfs.exists():
            raise ReplayFailed(f"{path}: a folder needs vehicle_positions.csv and gtfs.zip")
        network = read_feed(gtfs)
        entries: Iterator[Message | float] = iter(read_positions(positions, network))
    elif path.exists():
        network = read_feed(gtfs) if gtfs else EMPTY
        entries = read_messages(path)
    else:
        raise ReplayFailed(f"{path}: no such recording")
    found = list(steps(entries, _TICK_S, _IDLE_S_MAX))
    if not found:
        raise ReplayFailed(f"{path}: holds no messages")
    tail = [Step(found[-1].now + second * _TICK_S, []) for second in range(1, int(_TAIL_S / _TICK_S) + 1)]
    period_s = _report_period_s(found)
    return Recording(path.name, network, found + tail, max(stale_after_s, _PERIODS_STALE * period_s))


def _report_period_s(found: list[Step]) -> float:
    """Median time between two messages of a vehicle."""
    last: dict[str, float] = {}
    gaps = []
    for step in found:
        for message in step.messages:
            vehicle = "/".join(message.topic.split("/")[7:9])
            if vehicle in last:
                gaps.append(message.received_time - last[vehicle])
            last[vehicle] = message.received_time
    return float(np.median(gaps)) if gaps else 0.0


def event_line(event: AnyEvent) -> str:
    """The event as one line of JSON, with its id."""
    return f'{{"id":"{event_id(event)}",{_encode(event).decode()[1:]}'


def play_direct(recording: Recording, settings: Settings, emit: Emit, say: Say) -> int:
    """Through the control step alone, as fast as it goes; the number of events."""
    limits = Thresholds(hold_s=settings.feed.hold_s, stale_after_s=recording.stale_after_s)
    centre = ControlCentre(recording.network, limits)
    told = _Told()
    for step in _said(recording, say, told):
        inputs = [decode(m.topic, m.payload, m.received_time, retained=m.retained) for m in step.messages]
        for event in centre.step(inputs, step.now).events:
            emit(event)
            told.events += 1
    return told.events


async def play_through_broker(
    recording: Recording, settings: Settings, speed: float, emit: Emit, say: Say, *, stay: bool
) -> None:
    """Through a real broker into a system that stores and shows it, ``speed`` times as fast as it happened."""
    settings = replace(
        settings,
        data=replace(settings.data, dir=str(Path(settings.data.dir) / "replay")),
        feed=replace(settings.feed, stale_after_s=recording.stale_after_s),
    )
    clock = _CityClock(recording.steps[0].now)
    async with open_system(
        settings, recording.network, clock.now, arrival_clock=clock.arrival, beat=False, warm=False, say=say
    ) as system:
        await system.listener.connected.wait()
        publisher = await connect(system.broker.address, client_id="replay")
        say(f"dashboard: {system.address}")
        await _play(recording, system, publisher, clock, speed, emit, say)
        await publisher.close()
        await system.storing.drained()
        say(
            f"played {recording.messages} messages: {system.vitals.stored} reports stored, "
            f"{system.vitals.duplicates} known already, {sum(system.vitals.rejected.values())} refused"
        )
        if stay:
            say(f"the page stays at {system.address} until Ctrl-C")
            await asyncio.Event().wait()


class _CityClock:
    """The recording's time: each arrival gets the time it was received at when it was recorded."""

    def __init__(self, start: float) -> None:
        self.time = start
        self.arrivals: deque[float] = deque()

    def now(self) -> float:
        return self.time

    def arrival(self) -> float:
        return self.arrivals.popleft() if self.arrivals else self.time


async def _play(
    recording: Recording, system: System, publisher: Connection, clock: _CityClock, speed: float, emit: Emit, say: Say
) -> None:
    began, told, sent = time.monotonic(), _Told(), system.inbox.received
    first = recording.steps[0].now
    elapsed_s, before = 0.0, first
    part_size = max(1, system.listener.window // 2)
    for step in _said(recording, say, told):
        elapsed_s += min(step.now - before, _TICK_S * 10)  # a skipped silence is not waited for
        before = step.now
        wait_s = began + elapsed_s / speed - time.monotonic()
        await asyncio.sleep(max(0.0, wait_s))
        live = [m for m in step.messages if not m.retained]
        for at in range(0, max(len(live), 1), part_size):
            part = live[at : at + part_size]
            for message in part:
                clock.arrivals.append(message.received_time)
                publisher.publish(message.topic, message.payload, qos=1)
            sent += len(part)
            await _come_back(system, sent)
            clock.time = step.now
            for event in system.loop.step(step.now).events:
                emit(event)
                told.events += 1
            if len(live) > part_size:
                await system.storing.drained()


async def _come_back(system: System, sent: int) -> None:
    deadline = time.monotonic() + _LOST_S
    while system.inbox.received < sent:
        if time.monotonic() > deadline:
            raise ReplayFailed(f"the broker gave back {system.inbox.received} of {sent} messages")
        await asyncio.sleep(0.001)


@dataclass(slots=True)
class _Told:
    """How many events have been given out."""

    events: int = 0


def _said(recording: Recording, say: Say, told: _Told) -> Iterable[Step]:
    """The steps, with a word on how far they are once a second of the wall's time."""
    said, played = time.monotonic(), 0
    for number, step in enumerate(recording.steps, 1):
        yield step
        played += len(step.messages)
        if time.monotonic() - said >= 1.0:
            said = time.monotonic()
            share = number / len(recording.steps)
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(step.now))
            say(f"{share:4.0%}  {at} UTC  {played} messages  {told.events} events")

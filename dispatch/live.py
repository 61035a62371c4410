"""Run a city live: for real (``serve``), or with a demo city whose buses drive through the real broker (``run``)."""

import asyncio
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from dispatch.network.gtfs import read_feed
from dispatch.network.model import EMPTY, Network
from dispatch.processes import spawn
from dispatch.settings import Settings
from dispatch.system import System, open_system

log = logging.getLogger(__name__)
T = TypeVar("T")
Say = Callable[[str], None]
_MOVING_MPS = 1.0
_FIRST_BUS_S = 60.0


class DemoFailed(Exception):
    """The demo city cannot be made or run; the message says why in one line."""


def run_until_stopped(main: Coroutine[Any, Any, T]) -> T | None:
    """Run to the end, or until SIGINT or SIGTERM, which end it clean; None then."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        task = loop.create_task(main)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)

        async def wait() -> T | None:
            with suppress(asyncio.CancelledError):
                return await task
            return None

        return runner.run(wait())


async def serve_city(settings: Settings, say: Say) -> None:
    """The city of the settings, until cancelled."""
    network = load_network(settings, say)
    async with open_system(settings, network, time.time, say=say) as system:
        say(f"dashboard: {system.address}")
        await asyncio.Event().wait()


async def run_demo(settings: Settings, seed: int, say: Say) -> None:
    """A generated city with moving buses, until cancelled."""
    gtfs = Path(settings.data.dir) / "demo" / f"city-{seed}.zip"
    gtfs.parent.mkdir(parents=True, exist_ok=True)
    say("building the demo city")
    made = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "simulator", "gtfs", "--seed", str(seed), "--out", str(gtfs)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise DemoFailed(f"the demo city could not be built: {(made.stderr.strip().splitlines() or [''])[-1]}")
    network = read_feed(gtfs)
    async with open_system(settings, network, time.time, demo=True, say=say) as system:
        say("starting the buses")
        with (gtfs.parent / "simulator.log").open("ab") as out:
            child = spawn(
                [sys.executable, "-m", "simulator", "city", "--seed", str(seed), "--gtfs", str(gtfs), "--broker",
                 f"mqtt://{system.broker.address.host}:{system.broker.address.port}"],
                account=None,
                log=out,
            )  # fmt: skip
        try:
            moving = await _first_moving(system)
            say(f"{moving} buses are moving on {len(network.routes)} routes; Ctrl-C stops everything")
            say(f"dashboard: {system.address}")
            await _watch(child, gtfs.parent / "simulator.log")
        finally:
            child.terminate()
            await asyncio.to_thread(child.wait)


async def _first_moving(system: System) -> int:
    deadline = asyncio.get_running_loop().time() + _FIRST_BUS_S
    while asyncio.get_running_loop().time() < deadline:
        picture = system.centre.picture
        moving = int((picture.speed_mps[: len(picture)] > _MOVING_MPS).sum())
        if moving:
            await asyncio.sleep(1.0)
            return int((picture.speed_mps[: len(picture)] > _MOVING_MPS).sum())
        await asyncio.sleep(0.1)
    raise DemoFailed(f"no bus moved within {_FIRST_BUS_S:.0f} s; see simulator.log in the data folder")


async def _watch(child: "subprocess.Popen[bytes]", log_path: Path) -> None:
    await asyncio.to_thread(child.wait)
    lines = (await asyncio.to_thread(log_path.read_text, errors="replace")).strip().splitlines()[-1:]
    raise DemoFailed(f"the demo city's buses stopped: {' '.join(lines)}")


def load_network(settings: Settings, say: Say) -> Network:
    """The network of the settings; an empty one, said so, when none is set."""
    if not settings.network.gtfs:
        say("no timetable set (network.gtfs): buses are shown, and matched to nothing")
        return EMPTY
    say(f"importing {settings.network.gtfs}")
    network = read_feed(Path(settings.network.gtfs))
    say(
        f"{len(network.routes)} routes, {len(network.patterns)} patterns, {len(network.trips)} trips, "
        f"{len(network.problems)} problems (dispatch gtfs lists them)"
    )
    return network

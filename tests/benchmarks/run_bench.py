"""``make bench``: the measured figures as a table, with machine and date. Never a test: figures depend on the machine."""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import psycopg
import websockets

from dispatch.control import ControlCentre
from dispatch.feeds.frame import unpack
from dispatch.ingest.broker import open_broker
from dispatch.network.gtfs import read_feed
from dispatch.network.model import Network
from dispatch.recording import read_messages
from dispatch.reports import VehicleReport
from dispatch.store.embedded import embedded_postgres
from dispatch.wire.decode import decode
from dispatch.wire.hfp import encode_hfp
from simulator.gtfs_out import write_city
from simulator.load import Load
from tests.support.program import Program, free_port, get
from tests.support.washington import measure

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"


def row(name: str, value: str, aim: str = "") -> None:
    """One line of the table."""
    print(f"| {name:58} | {value:38} | {aim:26} |", flush=True)


@contextmanager
def folder() -> Iterator[Path]:
    """A short-lived folder that servers of another account can come to."""
    with tempfile.TemporaryDirectory(prefix="bcc-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def demo_network(at: Path) -> tuple[Path, Network]:
    """The demo city as a feed and as a network."""
    path = at / "city.zip"
    write_city(path, 1, datetime.now(UTC).date())
    return path, read_feed(path)


def bench_wire() -> None:
    """Codec, on the recorded Helsinki lines."""
    path = SHARED / "hfp" / "recorded.dump"
    if not path.exists():
        row("HFP codec", "skipped: no shared data")
        return
    messages = [m for m in read_messages(path) if not isinstance(m, float)]
    began = time.process_time()
    for _ in range(10):
        reports = [decode(m.topic, m.payload, m.received_time) for m in messages]
    decode_us = (time.process_time() - began) / 10 / len(messages) * 1e6
    began = time.process_time()
    for report in reports:
        assert isinstance(report, VehicleReport)
        encode_hfp(report, report)
    row(
        "HFP decode; encode, CPU per message",
        f"{decode_us:.1f} us; {(time.process_time() - began) / len(messages) * 1e6:.1f} us",
    )


def step_us(network: Network, vehicles: int, ticks: int = 25) -> tuple[float, float]:
    """Median and worst control.step per report, 1 Hz, vehicles spread over the network."""
    load = Load(network, vehicles)
    centre = ControlCentre(network)
    began = time.time()
    times = []
    for tick in range(ticks):
        now = began + tick
        inputs = [decode(*load.message(bus, now), now) for bus in load._buses]
        start = time.perf_counter()
        centre.step(inputs, now)
        times.append((time.perf_counter() - start) / vehicles * 1e6)
    return float(np.median(times[12:])), float(max(times[12:]))


def bench_step(network: Network) -> None:
    """Cost of the step and how it grows."""
    figures = {n: step_us(network, n) for n in (500, 2000, 8000)}
    row(
        "control.step at 2,000 buses, median (worst tick) per report",
        f"{figures[2000][0]:.1f} ({figures[2000][1]:.1f}) us",
        "<= 25 us",
    )
    row("growth 500 -> 8,000 buses, per report", f"{figures[8000][0] / figures[500][0]:.2f} x", "<= 1 (linear)")


def bench_washington() -> None:
    """Map matching on a real recording."""
    path = SHARED / "wmata-2026-02-16"
    if not path.exists():
        row("Washington recording", "skipped: no shared data")
        return
    w = measure(path)
    row("Washington: in-service fixes matched", f"{w.matched_share:.1%} of {w.fixes}")
    row("Washington: lateral distance p50; p99", f"{w.lateral_m_p50:.1f} m; {w.lateral_m_p99:.1f} m")
    row("Washington: passages found of stops driven", f"{w.passages} of {w.expected}")
    row("Washington: headways compared with brute force", f"{w.compared} of {w.brute_force}")
    row("Washington: difference to brute force p50; p90", f"{w.difference_s_p50:.1f} s; {w.difference_s_p90:.1f} s")


def bench_first_bus() -> None:
    """From the command to moving buses, packages already installed."""
    with folder() as at:
        for name, aim in (("first", "< 90 s with make setup"), ("second", "< 15 s")):
            began = time.monotonic()
            running = Program(["run", "--port", str(free_port()), "--data", str(at)])
            running.wait_for("dashboard: ", 90)
            row(f"dispatch run to moving buses, {name} time", f"{time.monotonic() - began:.1f} s", aim)
            running.stop()


async def watch_frames(port: int, until: float) -> list[float]:
    """publish -> frame received, s, for every new fix shown: a fix is stamped when it is published.

    A row may be sent again for another reason (its headway grew); only the first frame with a fix counts.
    """
    lags: list[float] = []
    newest = np.full(0, -(2**31), np.int64)
    async with websockets.connect(f"ws://127.0.0.1:{port}/ws/live", compression=None, max_size=None) as socket:
        await socket.send('{"type":"hello"}')
        base = 0.0
        first = True
        while time.time() < until:
            try:
                message = await asyncio.wait_for(socket.recv(), 1.0)
            except TimeoutError:
                continue
            if isinstance(message, str):
                told = msgspec.json.decode(message)
                base = told.get("base_time_s", base)
                continue
            now = time.time()
            columns = unpack(message).columns
            vehicle, fix = columns["vehicle"].astype(np.int64), columns["fix_ds"].astype(np.int64)
            if len(vehicle) and vehicle.max() >= len(newest):
                newest = np.concatenate([newest, np.full(int(vehicle.max()) + 1 - len(newest), -(2**31), np.int64)])
            fresh = (fix != 2_147_483_647) & (fix > newest[vehicle])
            newest[vehicle[fresh]] = fix[fresh]
            if not first:  # the first frame is the snapshot
                lags.extend((now - base - fix[fresh] / 10.0).tolist())
            first = False
    return lags


async def bench_load(vehicles: int, seconds: float, rate: float = 1.0) -> dict[str, float]:
    """The whole line under load: publisher, broker, ingest, step, store and a browser's feed on this machine."""
    with folder() as at:
        path, network = demo_network(at)
        del network
        config = at / "city.toml"
        config.write_text(f'[network]\ngtfs = "{path}"\n')
        async with open_broker(None, at / "broker") as broker, embedded_postgres(at / "pg") as dsn:
            url = f"mqtt://127.0.0.1:{broker.address.port}"
            port = free_port()
            running = Program(
                ["serve", "--config", str(config), "--port", str(port), "--data", str(at / "own")],
                {"DISPATCH_MQTT_URL": url, "DISPATCH_DATABASE_URL": dsn},
            )
            await asyncio.to_thread(running.wait_for, "dashboard: ")
            for _ in range(300):
                if get(port, "/api/health")["broker_connected"]:
                    break
                await asyncio.sleep(0.1)
            loader = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "simulator", "load", "--broker", url, "--gtfs", str(path), "--vehicles", str(vehicles),
                "--seconds", str(seconds), "--rate", str(rate), stdout=subprocess.PIPE,
            )  # fmt: skip
            await asyncio.sleep(3.0)
            lags = await watch_frames(port, time.time() + seconds - 4.0)
            out, _ = await loader.communicate()
            sent = json.loads(out)
            count = 0
            for _ in range(300):
                with psycopg.connect(dsn) as connection:
                    stored = connection.execute("SELECT count(*) FROM fleet.telemetry").fetchone()
                    refused = connection.execute("SELECT count(*) FROM fleet.telemetry_reject").fetchone()
                assert stored is not None
                assert refused is not None
                count = stored[0] + refused[0]
                if count >= sent["published"]:
                    break
                await asyncio.sleep(0.2)
            health = get(port, "/api/health")
            page = _metrics(port)
            running.stop()
    lags.sort()
    return {
        "published": sent["published"],
        "lost": sent["published"] - count,
        "p50_s": lags[len(lags) // 2] if lags else float("nan"),
        "p99_s": lags[int(0.99 * len(lags))] if lags else float("nan"),
        "step_ms_p99": health["step_ms_p99"],
        "inbox_max": page["dispatch_inbox_depth_max"],
        "generator_late_s": sent["late_s_max"],
    }


def _metrics(port: int) -> dict[str, float]:
    import urllib.request

    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {parts[0]: float(parts[1]) for parts in lines if len(parts) == 2}


def say_load(name: str, figures: dict[str, float], aim: str) -> None:
    """Two lines for a load run."""
    row(f"{name}: lost of published", f"{figures['lost']:.0f} of {figures['published']:.0f}", "0 lost")
    row(f"{name}: publish -> frame p50; p99", f"{figures['p50_s']:.2f} s; {figures['p99_s']:.2f} s", aim)
    row(
        f"{name}: inbox most; step p99; generator late",
        f"{figures['inbox_max']:.0f}; {figures['step_ms_p99']:.0f} ms; {figures['generator_late_s']:.1f} s",
        "inbox < 50,000",
    )


def bench_restart() -> None:
    """A restart with a full day stored: 2,000 buses, every 20 s, and the last two minutes each second."""
    with folder() as at:
        asyncio.run(_restart(at))


async def _restart(at: Path) -> None:
    path, network = demo_network(at)
    async with embedded_postgres(at / "pg") as dsn:
        from dispatch.store.migrate import migrate
        from dispatch.store.writer import Batch, Writer

        await migrate(dsn)
        writer = Writer(dsn)
        load = Load(network, 2000)
        now = time.time()
        rows = 0
        for second in [*range(-86_400, -120, 300), *range(-120, 0)]:
            told = [decode(*load.message(bus, now + second), now + second) for bus in load._buses]
            done = await writer.commit(Batch(reports=[r for r in told if isinstance(r, VehicleReport)]))
            rows += done.inserted
        await writer.close()
        config = at / "city.toml"
        config.write_text(f'[network]\ngtfs = "{path}"\n')
        began = time.monotonic()
        running = Program(
            ["serve", "--config", str(config), "--port", str(free_port()), "--data", str(at / "own")],
            {"DISPATCH_DATABASE_URL": dsn},
        )
        await asyncio.to_thread(running.wait_for, "dashboard: ", 90)
        row(
            f"restart, {rows:,} rows of a day stored, 2,000 buses", f"{time.monotonic() - began:.1f} s to live", "< 5 s"
        )
        running.stop()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure, and print a table.")
    parser.add_argument("--seconds", type=float, default=300.0, help="length of the load run (default 300)")
    parser.add_argument("--vehicles", type=int, default=2000)
    parser.add_argument("--knee", default="3000,4000,6000,8000", help="rates tried after it, messages per second")
    parser.add_argument("--only", help="names of parts, separated by commas")
    args = parser.parse_args()
    parts = (
        set(args.only.split(",")) if args.only else {"wire", "step", "washington", "first", "restart", "load", "knee"}
    )
    load = os.getloadavg()[0]
    print(
        f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load:.1f}; {datetime.now(UTC).date()}"
    )
    with folder() as at:
        _, network = demo_network(at)
        if "wire" in parts:
            bench_wire()
        if "step" in parts:
            bench_step(network)
    if "washington" in parts:
        bench_washington()
    if "first" in parts:
        bench_first_bus()
    if "restart" in parts:
        bench_restart()
    if "load" in parts:
        figures = asyncio.run(bench_load(args.vehicles, args.seconds))
        say_load(f"{args.vehicles} buses at 1 Hz, {args.seconds:.0f} s", figures, "p99 < 1 s")
    if "knee" in parts:
        for vehicles in map(int, args.knee.split(",")):
            say_load(f"{vehicles} msg/s, 30 s", asyncio.run(bench_load(vehicles, 30.0)), "where it breaks")


if __name__ == "__main__":
    main()

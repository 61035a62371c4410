"""``simulate``: a made-up city, its buses on the wire, and load."""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dispatch.mqtt.broker_address import parse_address
from dispatch.mqtt.connection import ConnectFailed
from dispatch.network.gtfs import NotAFeed, read_feed
from simulator.buses import Buses
from simulator.gtfs_out import write_city
from simulator.load import Load
from simulator.publish import drive


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 done, 1 failed with one line."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except (ConnectFailed, NotAFeed, ValueError, OSError) as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulate", description="A simulated city that speaks HFP over MQTT.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    city = commands.add_parser(
        "city",
        help="buses in real time through a broker",
        epilog="example: simulate city --broker mqtt://127.0.0.1:1883 --gtfs city.zip",
    )
    city.add_argument("--broker", required=True, metavar="URL")
    city.add_argument("--gtfs", required=True, type=Path, help="the timetable to run; blocks make vehicle days")
    city.add_argument("--seed", type=int, default=1)
    city.set_defaults(run=_city)
    gtfs = commands.add_parser(
        "gtfs", help="write a made-up city as GTFS", epilog="example: simulate gtfs --seed 1 --out city.zip"
    )
    gtfs.add_argument("--out", required=True, type=Path)
    gtfs.add_argument("--seed", type=int, default=1)
    gtfs.add_argument("--date", help="first day, YYYY-MM-DD (default today)")
    gtfs.set_defaults(run=_gtfs)
    load = commands.add_parser(
        "load",
        help="many light buses, for benchmarks",
        epilog="example: simulate load --broker mqtt://127.0.0.1:1883 --gtfs city.zip --vehicles 2000 --seconds 60",
    )
    load.add_argument("--broker", required=True, metavar="URL")
    load.add_argument("--gtfs", required=True, type=Path)
    load.add_argument("--vehicles", type=int, default=2000)
    load.add_argument("--first", type=int, default=0, help="number of the first vehicle, for a second process")
    load.add_argument("--seconds", type=float, default=60.0)
    load.add_argument("--rate", type=float, default=1.0, help="messages per vehicle and second")
    load.add_argument("--connections", type=int, default=20)
    load.set_defaults(run=_load)
    return parser


def _city(args: argparse.Namespace) -> int:
    network = read_feed(args.gtfs)
    if not network.trips:
        raise ValueError(f"{args.gtfs} holds no trips to run")
    buses = Buses(network, np.random.default_rng(args.seed))
    return _until_stopped(drive(buses, parse_address(args.broker)))


def _gtfs(args: argparse.Namespace) -> int:
    first = datetime.fromisoformat(args.date).date() if args.date else datetime.fromtimestamp(time.time(), UTC).date()
    write_city(args.out, args.seed, first)
    return 0


def _load(args: argparse.Namespace) -> int:
    load = Load(read_feed(args.gtfs), args.vehicles, args.first)

    async def run() -> None:
        result = await load.run(
            parse_address(args.broker), seconds=args.seconds, rate_hz=args.rate, connections=args.connections
        )
        print(json.dumps(asdict(result)))

    return _until_stopped(run())


def _until_stopped(main_work: Coroutine[Any, Any, None]) -> int:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        task = loop.create_task(main_work)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)

        async def wait() -> None:
            with suppress(asyncio.CancelledError):
                await task

        runner.run(wait())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``dispatch replay``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from dispatch.cli.common import EXPECTED, add_settings, say, settings_of, start_log
from dispatch.cli.failure import Failure, failing
from dispatch.events import AnyEvent
from dispatch.live import run_until_stopped
from dispatch.mqtt.connection import ConnectFailed
from dispatch.replay import ReplayFailed, event_line, open_recording, play_direct, play_through_broker


def add_parser(commands: Any, text: str) -> None:
    """Its arguments."""
    parser = commands.add_parser(
        "replay",
        help=text,
        description="Play a recording (a .rec of ours, an HFP dump, or a folder of vehicle_positions.csv and gtfs.zip) "
        "through a real broker into a running system, or with --direct through the control step alone.",
        epilog="example: dispatch replay ../shared/data/wmata-2026-02-16 --speed 60",
    )
    parser.add_argument("recording", type=Path, metavar="RECORDING")
    add_settings(parser)
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="N", help="times as fast as it happened (default 1)"
    )
    parser.add_argument("--gtfs", type=Path, metavar="FILE", help="the city's timetable, where the recording has none")
    parser.add_argument(
        "--direct", action="store_true", help="no broker, no database: events as JSON lines on standard output"
    )
    parser.add_argument("--events", type=Path, metavar="FILE", help="write the events as JSON lines")
    parser.add_argument("--stay", action="store_true", help="keep the page up after the end, until Ctrl-C")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if not args.speed > 0:
        raise Failure("--speed must be above 0")
    settings = settings_of(args)
    with failing(*EXPECTED, ReplayFailed, ConnectFailed):
        recording = open_recording(args.recording, args.gtfs, settings.feed.stale_after_s)
        say(f"{recording.name}: {recording.messages} messages, {len(recording.network.routes)} routes")
        out = args.events.open("w", encoding="utf-8") if args.events else sys.stdout if args.direct else None

        def emit(event: AnyEvent) -> None:
            if out is not None:
                out.write(event_line(event) + "\n")

        try:
            if args.direct:
                count = play_direct(recording, settings, emit, say)
                say(f"played {recording.messages} messages: {count} events")
            else:
                start_log(settings)
                run_until_stopped(play_through_broker(recording, settings, args.speed, emit, say, stay=args.stay))
        finally:
            if args.events and out is not None:
                out.close()
    return 0

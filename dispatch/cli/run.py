"""``dispatch run``."""

import argparse
from typing import Any

from dispatch.cli.common import EXPECTED, add_settings, say, settings_of, start_log
from dispatch.cli.failure import failing
from dispatch.live import run_demo, run_until_stopped


def add_parser(commands: Any, text: str) -> None:
    """Its arguments."""
    parser = commands.add_parser(
        "run",
        help=text,
        description="Start the embedded database and broker, a demo city with moving buses, and the dashboard.",
        epilog="example: dispatch run --port 8000 --seed 1",
    )
    add_settings(parser)
    parser.add_argument("--seed", type=int, default=1, help="which city (default 1)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    start_log(settings)
    with failing(*EXPECTED):
        run_until_stopped(run_demo(settings, args.seed, say))
    say("stopped")
    return 0

"""``dispatch serve``."""

import argparse
from typing import Any

from dispatch.cli.common import EXPECTED, add_settings, say, settings_of, start_log
from dispatch.cli.failure import failing
from dispatch.live import run_until_stopped, serve_city


def add_parser(commands: Any, text: str) -> None:
    """Its arguments."""
    parser = commands.add_parser(
        "serve",
        help=text,
        description="Run the command centre for a real city. DISPATCH_DATABASE_URL and DISPATCH_MQTT_URL name its "
        "database and broker; unset, embedded ones are used.",
        epilog="example: DISPATCH_MQTT_URL=mqtt://broker:1883 dispatch serve --config city.toml",
    )
    add_settings(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    start_log(settings)
    with failing(*EXPECTED):
        run_until_stopped(serve_city(settings, say))
    say("stopped")
    return 0

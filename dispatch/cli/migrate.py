"""``dispatch migrate``."""

import argparse
import asyncio
from typing import Any

from dispatch.cli.common import EXPECTED, say
from dispatch.cli.failure import Failure, failing
from dispatch.settings import load_settings
from dispatch.store.migrate import migrate


def add_parser(commands: Any, text: str) -> None:
    """Its arguments."""
    parser = commands.add_parser(
        "migrate",
        help=text,
        description="Apply the migrations that the database in DISPATCH_DATABASE_URL has not had.",
        epilog="example: DISPATCH_DATABASE_URL=postgresql://fleet@db/fleet dispatch migrate",
    )
    parser.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    with failing(*EXPECTED):
        url = load_settings().database_url
        if url is None:
            raise Failure("DISPATCH_DATABASE_URL is not set; the embedded database migrates by itself")
        applied = asyncio.run(migrate(url))
    say(f"applied {', '.join(applied)}" if applied else "up to date")
    return 0

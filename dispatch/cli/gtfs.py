"""``dispatch gtfs``."""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from dispatch.cli.failure import failing
from dispatch.network.gtfs import NotAFeed, read_feed
from dispatch.network.model import Network, Problem, ShapeSource


def add_parser(commands: Any, text: str) -> None:
    """Its arguments."""
    parser = commands.add_parser(
        "gtfs",
        help=text,
        description="Import a GTFS feed (zip or folder), say what is in it, and what is wrong with file and line.",
        epilog="example: dispatch gtfs city.zip --problems 20",
    )
    parser.add_argument("feed", type=Path, metavar="FILE")
    parser.add_argument("--problems", type=int, default=5, metavar="N", help="examples shown of each kind (default 5)")
    parser.add_argument("--json", action="store_true", help="counts and all problems as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    with failing(NotAFeed):
        network = read_feed(args.feed)
    if args.json:
        problems = [
            {"file": p.file, "row": p.row, "code": p.code, "message": p.message, "row_left_out": p.fatal_for_row}
            for p in network.problems
        ]
        print(json.dumps({"counts": counts(network), "problems": problems}, indent=1))
        return 0
    for name, count in counts(network).items():
        print(f"{name:24} {count}")
    print(f"{'time zone':24} {network.timezone}")
    _print_problems(network.problems, args.problems)
    return 0


def counts(network: Network) -> dict[str, int]:
    """How much of everything was imported."""
    trips = network.trips.values()
    return {
        "routes": len(network.routes),
        "stops": len(network.stops),
        "patterns": len(network.patterns),
        "patterns without shape": sum(p.shape_source is ShapeSource.STRAIGHT for p in network.patterns.values()),
        "trips": len(trips),
        "frequency rows": sum(len(trip.windows) for trip in trips),
        "blocks": len({trip.block_id for trip in trips if trip.block_id}),
        "services": len({trip.service_id for trip in trips}),
        "problems": len(network.problems),
    }


def _print_problems(problems: tuple[Problem, ...], examples: int) -> None:
    for (file, code), count in Counter((p.file, p.code) for p in problems).most_common():
        print(f"\n{file}: {code} ({count})")
        for problem in [p for p in problems if (p.file, p.code) == (file, code)][:examples]:
            line = f"line {problem.row}: " if problem.row else ""
            kept = "" if problem.fatal_for_row else " (kept)"
            print(f"  {line}{problem.message}{kept}")

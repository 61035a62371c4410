"""``dispatch``: the program. Commands are loaded when asked for, so that help is quick."""

import argparse
import sys
from importlib import import_module

from dispatch.cli.failure import Failure

_COMMANDS = {
    "run": "a demo city with moving buses, everything embedded",
    "serve": "the command centre for the city of a settings file",
    "replay": "a recording through a real broker, as buses would send it",
    "gtfs": "import a timetable and say what is wrong with it",
    "migrate": "bring a database up to date",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 done, 1 failed with one line, 2 not understood, 130 stopped by Ctrl-C."""
    told = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="dispatch",
        description="An open command centre for city bus fleets.",
        epilog="example: dispatch run --port 8000",
    )
    parser.add_argument("--version", action="version", version="dispatch 0.1.0")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in _COMMANDS.items():
        if told[:1] == [name]:
            import_module(f"dispatch.cli.{name}").add_parser(commands, text)
        else:
            commands.add_parser(name, help=text)
    parsed = parser.parse_args(told)
    try:
        return int(parsed.run(parsed))
    except Failure as failure:
        print(f"dispatch: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


if __name__ == "__main__":
    sys.exit(main())

"""What several commands share: the settings, the log, the words on standard error."""

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

from dispatch.cli.failure import failing
from dispatch.feeds.serve import PortTaken
from dispatch.ingest.broker import BrokerFailed
from dispatch.live import DemoFailed
from dispatch.network.gtfs import NotAFeed
from dispatch.settings import Settings, SettingsError, load_settings
from dispatch.store.embedded import DatabaseFailed
from dispatch.store.migrate import MigrationFailed

EXPECTED = (PortTaken, BrokerFailed, DatabaseFailed, MigrationFailed, NotAFeed, SettingsError, DemoFailed, ValueError)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _KeyValue(logging.Formatter):
    """A line a person can read and a program can parse: words, then key=value."""

    def format(self, record: logging.LogRecord) -> str:
        told = " ".join(f"{k}={v}" for k, v in record.__dict__.items() if k not in _STANDARD)
        line = f"{self.formatTime(record)} {record.levelname.lower()} {record.getMessage()}"
        text = f"{line} {told}" if told else line
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def add_settings(parser: argparse.ArgumentParser) -> None:
    """--config, --port, --data and --record, which override the file."""
    parser.add_argument("--config", metavar="FILE", help="settings (default: DISPATCH_CONFIG, else built-in)")
    parser.add_argument("--port", type=int, help="port of the dashboard (default 8000)")
    parser.add_argument("--data", metavar="DIR", help="folder for the embedded database and broker (default var)")
    parser.add_argument("--record", action="store_true", help="write every input to DIR/recordings")


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings with what the command line overrides."""
    with failing(SettingsError):
        settings = load_settings(args.config)
    if args.port is not None:
        settings = replace(settings, web=replace(settings.web, port=args.port))
    if args.data is not None:
        settings = replace(settings, data=replace(settings.data, dir=args.data))
    if args.record:
        settings = replace(settings, ingest=replace(settings.ingest, record=True))
    return settings


def start_log(settings: Settings) -> None:
    """Log to DIR/dispatch.log; the terminal is for people."""
    folder = Path(settings.data.dir)
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / "dispatch.log", encoding="utf-8")
    handler.setFormatter(_KeyValue())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for line in settings.describe():
        logging.info("setting %s", line)


def say(text: str) -> None:
    """A word to the person at the terminal."""
    print(text, file=sys.stderr, flush=True)

"""Recordings: every input in the order it came, as lines ``received-at topic payload``, with the steps between them.

A line ``# step T`` says that the control step ran at T (UTC s) with everything above it. Dumps of other systems have no
such lines; steps are then laid on a fixed beat.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dispatch.ingest.inbox import Arrival
from dispatch.wire.hfp import instant

_STEP = "# step "
_B64 = "base64:"


@dataclass(frozen=True, slots=True)
class Message:
    """One recorded message."""

    received_time: float  # UTC s
    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its time and what had come in since the one before."""

    now: float  # UTC s
    messages: list[Message]


class Recorder:
    """Writes a recording as the live loop goes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._out: IO[str] = path.open("a", encoding="utf-8", newline="\n")

    def write(self, arrivals: list[Arrival], now: float) -> None:
        """One step's arrivals."""
        lines = [_line(a.received_time, a.topic, a.payload, retained=a.retained) for a in arrivals]
        self._out.write("".join([*lines, f"{_STEP}{now!r}\n"]))

    def close(self) -> None:
        """Finish the file."""
        self._out.close()


def _line(received_time: float, topic: str, payload: bytes, *, retained: bool) -> str:
    """Times keep all their digits, so that the gate judges a replay as it judged the day."""
    text = payload.decode("utf-8", "surrogateescape")
    plain = text.startswith("{") and text.isprintable() and not retained and " {" not in topic and topic.isprintable()
    if plain:
        return f"{received_time!r} {topic} {text}\n"
    mark = "retained" if retained else "-"
    parts = (base64.b64encode(part).decode() for part in (topic.encode("utf-8", "surrogateescape"), payload))
    return f"{received_time!r} {_B64}{mark} {' '.join(parts)}\n"


def read_messages(path: Path) -> Iterator[Message | float]:
    """The messages of a recording or dump in order, and the times of steps; raises ValueError naming a bad line."""
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            text = line.rstrip("\n")
            if text.startswith(_STEP):
                yield float(text.removeprefix(_STEP))
            elif text and not text.startswith("#"):
                message = _message(text)
                if message is None:
                    raise ValueError(f"{path}: line {number} is not 'received-at topic payload'")
                yield message


def _message(text: str) -> Message | None:
    at, _, rest = text.partition(" ")
    received = _time(at)
    if received is None:
        return None
    if rest.startswith(_B64):
        mark, topic, payload = [*rest.removeprefix(_B64).split(" "), "", ""][:3]
        return Message(
            received,
            base64.b64decode(topic).decode("utf-8", "replace"),
            base64.b64decode(payload),
            mark == "retained",
        )
    topic, brace, payload = rest.partition(" {")
    if not brace:
        return None
    return Message(received, topic, ("{" + payload).encode("utf-8", "surrogateescape"))


def _time(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return instant(text)


def steps(entries: Iterator[Message | float], tick_s: float, idle_s_max: float) -> Iterator[Step]:
    """The steps of a recording; without step lines, a beat of ``tick_s`` in received time.

    A silence of the recording longer than ``idle_s_max`` is stepped through for that long and then skipped, as no
    dispatcher waits a week for the next line of a dump put together from several days.
    """
    waiting: list[Message] = []
    now: float | None = None
    stepped = False
    for entry in entries:
        if isinstance(entry, float):
            stepped = True
            yield Step(entry, waiting)
            waiting = []
            continue
        if not stepped:
            if now is None:
                now = entry.received_time // tick_s * tick_s + tick_s
            while entry.received_time >= now:
                yield Step(now, waiting)
                waiting = []
                silent_s = entry.received_time - now
                now = now + tick_s if silent_s <= idle_s_max else entry.received_time // tick_s * tick_s + tick_s
        waiting.append(entry)
    if waiting and now is not None:
        yield Step(now, waiting)

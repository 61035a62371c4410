"""The system on one screen: reports come in, the picture is updated, events go out. No I/O, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatch.events import AnyEvent
from dispatch.fleet.picture import Picture
from dispatch.network.model import Network
from dispatch.reports import Input, Reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step concluded."""

    events: list[AnyEvent]
    verdicts: list[Reason | None]  # one per input, in order: None accepted, else why not


class ControlCentre:
    """The whole state of the city's control; advanced only by ``step``."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.route_ids = list(network.routes)  # picture.route indexes this
        self.pattern_ids = list(network.patterns)  # picture.pattern indexes this
        self.picture = Picture()

    def step(self, inputs: Sequence[Input], now: float) -> Outcome:
        """Advance the city to ``now`` (UTC s); live, replay and simulation all call this."""
        raise NotImplementedError

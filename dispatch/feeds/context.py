"""What the feeds are given: the picture, the hub, the alerts, the vitals, the store's reader and the time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dispatch.answers import StoreReader
from dispatch.control import ControlCentre
from dispatch.feeds.alerts import Alerts
from dispatch.feeds.hub import Hub
from dispatch.feeds.vitals import Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Shared by all endpoints; they only read."""

    centre: ControlCentre
    hub: Hub
    alerts: Alerts
    vitals: Vitals
    reader: StoreReader
    clock: Callable[[], float]  # UTC s, the city's: in a replay not the wall's
    stale_after_s: float = 30.0
    demo: bool = False
    send_s: float = 5.0  # a client that takes nothing for so long is cut
    clients_max: int = 1_000
    static: Path | None = None  # the built dashboard

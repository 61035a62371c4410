"""The system's own signs of life, kept by the live loop, read by health, metrics and the dashboard."""

from collections import Counter, deque
from dataclasses import dataclass, field

import msgspec

_STEPS_KEPT = 240  # about a minute at four steps a second


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the system is; ``reasons`` says why it is not ok, in stable words."""

    status: str  # ok, degraded, down
    reasons: list[str]
    server_time_s: float
    newest_fix_age_s: float | None  # None: no vehicle heard yet
    vehicles: int
    vehicles_stale: int
    broker_connected: bool
    broker_kind: str
    store_lag_s: float
    store_away_s: float | None
    inbox_depth: int
    received: int
    stored: int
    rejected: dict[str, int]
    late: int
    step_ms_p50: float
    step_ms_p99: float
    clients: int
    uptime_s: float


@dataclass(slots=True)
class Vitals:
    """Counters since the start; all plain numbers so that updating costs nothing."""

    started_time: float
    broker_kind: str = "none"
    broker_connected: bool = False
    broker_reconnects: int = 0
    received: int = 0
    stored: int = 0
    duplicates: int = 0
    events: int = 0
    events_dropped: int = 0
    late: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    inbox_depth: int = 0
    inbox_depth_max: int = 0
    inbox_dropped: int = 0
    bypass: bool = False
    store_away_since: float | None = None
    oldest_unstored_time: float | None = None
    newest_fix_time: float | None = None
    vehicles: int = 0
    vehicles_stale: int = 0
    outage_since: float | None = None
    step_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_STEPS_KEPT))

    def health(self, now: float, clients: int, stale_after_s: float) -> Health:
        """How things stand at ``now`` (UTC s)."""
        fix_age_s = None if self.newest_fix_time is None else round(now - self.newest_fix_time, 1)
        away_s = None if self.store_away_since is None else round(now - self.store_away_since, 1)
        faults = {
            "broker_away": not self.broker_connected,
            "store_away": self.store_away_since is not None,
            "feed_outage": self.outage_since is not None,
            "no_fix_yet": fix_age_s is None,
            "fixes_old": fix_age_s is not None and fix_age_s > stale_after_s,
        }
        reasons = [name for name, present in faults.items() if present]
        steps = sorted(self.step_ms)
        return Health(
            status="ok" if not reasons else "down" if "broker_away" in reasons else "degraded",
            reasons=reasons,
            server_time_s=now,
            newest_fix_age_s=fix_age_s,
            vehicles=self.vehicles,
            vehicles_stale=self.vehicles_stale,
            broker_connected=self.broker_connected,
            broker_kind=self.broker_kind,
            store_lag_s=0.0 if self.oldest_unstored_time is None else round(now - self.oldest_unstored_time, 2),
            store_away_s=away_s,
            inbox_depth=self.inbox_depth,
            received=self.received,
            stored=self.stored,
            rejected=dict(self.rejected),
            late=self.late,
            step_ms_p50=_quantile(steps, 0.5),
            step_ms_p99=_quantile(steps, 0.99),
            clients=clients,
            uptime_s=round(now - self.started_time, 1),
        )


def _quantile(ordered: list[float], share: float) -> float:
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 2) if ordered else 0.0

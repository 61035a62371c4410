"""/metrics: the vitals in Prometheus's words."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatch.feeds.context import Context


class _VitalsCollector(Collector):
    """Reads the vitals when asked, so that nothing is kept twice."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        c, v, now = self._context, self._context.vitals, self._context.clock()
        health = v.health(now, len(c.hub.clients), c.stale_after_s)
        counters = {
            "dispatch_messages_received": ("Messages taken from the broker", v.received),
            "dispatch_reports_stored": ("Reports committed", v.stored),
            "dispatch_reports_duplicate": ("Reports that were stored already", v.duplicates),
            "dispatch_reports_late": ("Reports too late for the rules", v.late),
            "dispatch_events": ("Events concluded", v.events),
            "dispatch_events_dropped": ("Events lost while the database was away too long", v.events_dropped),
            "dispatch_inbox_dropped": ("Positions dropped by a full inbox", v.inbox_dropped),
            "dispatch_broker_reconnects": ("Connections to the broker lost", v.broker_reconnects),
            "dispatch_frames_sent": ("Live frames sent to clients", c.hub.frames_sent),
            "dispatch_clients_cut": ("Clients cut for not taking their frames", c.hub.clients_cut),
        }
        gauges = {
            "dispatch_vehicles": ("Vehicles ever heard", v.vehicles),
            "dispatch_vehicles_stale": ("Vehicles fallen silent", v.vehicles_stale),
            "dispatch_newest_fix_age_seconds": ("Age of the newest fix", health.newest_fix_age_s),
            "dispatch_inbox_depth": ("Messages waiting", v.inbox_depth),
            "dispatch_inbox_depth_max": ("Most messages that ever waited", v.inbox_depth_max),
            "dispatch_store_lag_seconds": ("Age of the oldest message not stored", health.store_lag_s),
            "dispatch_store_away": ("1 while the database is away", int(v.store_away_since is not None)),
            "dispatch_broker_connected": ("1 while the broker is there", int(v.broker_connected)),
            "dispatch_bypass": ("1 while the live picture is fed past the store", int(v.bypass)),
            "dispatch_step_ms_p99": ("Control step, 99th percentile of the last minute", health.step_ms_p99),
            "dispatch_clients": ("Live clients", len(c.hub.clients)),
        }
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(name, text, value=float(value))
        for name, (text, number) in gauges.items():
            yield GaugeMetricFamily(name, text, value=float("nan") if number is None else float(number))
        rejected = CounterMetricFamily("dispatch_inputs_rejected", "Inputs refused", labels=["reason"])
        for reason, count in sorted(v.rejected.items()):
            rejected.add_metric([reason], float(count))
        yield rejected


class MetricsPage:
    """The page's text, from a registry of its own."""

    def __init__(self, context: Context) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_VitalsCollector(context))

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)

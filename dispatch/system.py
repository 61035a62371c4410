"""A whole running system: everything opened in order, run together, closed in reverse."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import psycopg

from dispatch.control import ControlCentre
from dispatch.feeds.alerts import Alerts
from dispatch.feeds.app import create_app
from dispatch.feeds.context import Context
from dispatch.feeds.hub import Hub
from dispatch.feeds.serve import bind, serve
from dispatch.feeds.vitals import Vitals
from dispatch.fleet.thresholds import Thresholds
from dispatch.ingest.broker import RunningBroker, open_broker
from dispatch.ingest.inbox import Inbox
from dispatch.ingest.listen import Listener
from dispatch.loop import Loop
from dispatch.network.model import Network
from dispatch.recording import Recorder
from dispatch.reports import VehicleReport
from dispatch.settings import Settings
from dispatch.store.embedded import embedded_postgres
from dispatch.store.migrate import migrate
from dispatch.store.reader import Reader
from dispatch.store.writer import Writer
from dispatch.storing import Storing
from dispatch.wire.fleet import FLEET_FILTERS
from dispatch.wire.topics import HFP_FILTER, route_filters

log = logging.getLogger(__name__)
_HEADWAYS_FROM_S = 3 * 3600.0  # departures read back at a restart
_MAINTAIN_EVERY_S = 3600.0
_WARM_STEP_S = 1.0


@dataclass(frozen=True, slots=True)
class System:
    """What is running, for those who drive or watch it."""

    address: str  # of the dashboard
    broker: RunningBroker
    centre: ControlCentre
    inbox: Inbox
    listener: Listener
    loop: Loop
    storing: Storing
    vitals: Vitals
    dsn: str


@asynccontextmanager
async def open_system(
    settings: Settings,
    network: Network,
    clock: Callable[[], float],
    *,
    arrival_clock: Callable[[], float] | None = None,
    demo: bool = False,
    beat: bool = True,
    warm: bool = True,
    say: Callable[[str], None] = log.info,
) -> AsyncIterator[System]:
    """Open everything and run it while the body runs; ``beat`` False leaves stepping to the body.

    ``clock`` is the city's time in UTC s, ``arrival_clock`` what arrivals are stamped with where that differs.
    Raises PortTaken, DatabaseFailed, BrokerFailed or MigrationFailed before anything is served.
    """
    async with AsyncExitStack() as stack:
        listening = bind(settings.web.host, settings.web.port)
        stack.callback(listening.close)
        data = Path(settings.data.dir)
        say("starting the database" if settings.database_url is None else "connecting to the database")
        dsn = settings.database_url
        if dsn is None:
            dsn = await stack.enter_async_context(embedded_postgres(data / "postgres"))
        applied = await migrate(dsn)
        if applied:
            say(f"database made ready: {', '.join(applied)}")
        say("starting the broker" if settings.mqtt_url is None else "connecting to the broker")
        broker = await stack.enter_async_context(
            open_broker(settings.mqtt_url, data / "broker", window=settings.ingest.window)
        )
        if broker.development_grade:
            say("broker: embedded iotcore, development grade: it forgets what it holds when it restarts")
        limits = Thresholds(hold_s=settings.feed.hold_s, stale_after_s=settings.feed.stale_after_s)
        centre = ControlCentre(network, limits)
        if warm:
            await _warm_up(centre, Reader(dsn), clock(), settings.store.warm_up_s, say)
        system, app_context = _assemble(
            settings, network, clock, arrival_clock or clock, demo, dsn, broker, centre, stack
        )
        tasks: dict[str, Awaitable[None]] = {
            "listen": system.listener.run(),
            "store": system.storing.run(),
            "web": serve(create_app(app_context), listening),
            "broker": broker.supervise(),
            "maintain": _maintain(dsn, settings.store.retention_days, clock),
        }
        if beat:
            tasks["beat"] = system.loop.run(settings.ingest.tick_s)
        async with _together(tasks):
            yield system


def _assemble(
    settings: Settings,
    network: Network,
    clock: Callable[[], float],
    arrival_clock: Callable[[], float],
    demo: bool,
    dsn: str,
    broker: RunningBroker,
    centre: ControlCentre,
    stack: AsyncExitStack,
) -> tuple[System, Context]:
    vitals = Vitals(started_time=clock(), broker_kind=broker.kind)
    inbox = Inbox(settings.ingest.inbox_capacity)
    filters = topic_filters(network, *settings.share())
    digest = sha256("\n".join(filters).encode()).hexdigest()[:8]
    listener = Listener(
        broker.address,
        filters,
        inbox,
        arrival_clock,
        client_id=f"dispatch-{settings.ingest.share.replace('/', 'of')}-{digest}",
        window=min(broker.window, settings.ingest.window),
    )
    writer = Writer(dsn)
    stack.push_async_callback(writer.close)
    recorder = None
    if settings.ingest.record:
        stamp = datetime.fromtimestamp(clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        recorder = Recorder(Path(settings.data.dir) / "recordings" / f"{stamp}.rec")
        stack.callback(recorder.close)
    storing = Storing(writer, listener, vitals, clock)
    hub, alerts = Hub(base_time_s=float(int(clock()))), Alerts()
    loop = Loop(
        centre, inbox, listener, storing, hub, alerts, vitals, clock,
        stale_after_s=settings.feed.stale_after_s, recorder=recorder,
    )  # fmt: skip
    context = Context(
        centre=centre,
        hub=hub,
        alerts=alerts,
        vitals=vitals,
        reader=Reader(dsn),
        clock=clock,
        stale_after_s=settings.feed.stale_after_s,
        demo=demo,
    )
    address = f"http://{settings.web.host}:{settings.web.port}/"
    return System(address, broker, centre, inbox, listener, loop, storing, vitals, dsn), context


def topic_filters(network: Network, share: int, shares: int) -> list[str]:
    """Disjoint filters of the k-th of n shares of the routes; the first also takes what names no route."""
    if shares == 1:
        return [HFP_FILTER, *FLEET_FILTERS]
    mine = [route_id for route_id in network.routes if crc32(route_id.encode()) % shares == share - 1]
    filters = route_filters(mine, with_unrouted=share == 1)
    return filters + (list(FLEET_FILTERS) if share == 1 else [])


async def _warm_up(
    centre: ControlCentre, reader: Reader, now: float, warm_up_s: float, say: Callable[[str], None]
) -> None:
    """Run the last stored minutes through the step: starting and recovering are one path."""
    centre.seed_departures(await reader.recent_passages(now - _HEADWAYS_FROM_S))
    count = 0
    step_time = now - warm_up_s
    async for batch in reader.recent_reports(now - warm_up_s):
        held: list[VehicleReport] = []
        for report in batch:
            if report.received_time > step_time + _WARM_STEP_S:
                centre.step(held, max(step_time, held[-1].received_time) if held else step_time)
                held = []
                step_time = report.received_time
            held.append(report)
        centre.step(held, held[-1].received_time)
        count += len(batch)
        await asyncio.sleep(0)
    if count:
        say(f"read back {count} reports of {len(centre.picture)} vehicles")


async def _maintain(dsn: str, retention_days: int, clock: Callable[[], float]) -> None:
    """Drop telemetry past its time, hourly; a database that is away is tried again at the next turn."""
    while True:
        oldest = datetime.fromtimestamp(clock(), UTC).date() - timedelta(days=retention_days)
        try:
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                await connection.execute("SELECT fleet.drop_telemetry_before(%s)", (oldest,))
        except (psycopg.Error, OSError) as error:
            log.warning("maintenance put off", extra={"reason": str(error).splitlines()[0]})
        await asyncio.sleep(_MAINTAIN_EVERY_S)


@asynccontextmanager
async def _together(tasks: dict[str, Awaitable[None]]) -> AsyncIterator[None]:
    """Run the tasks while the body runs; the first failure of any ends all and is raised."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(_named(work), name=name) for name, work in tasks.items()]
        yield
        for task in running:
            task.cancel()


async def _named(work: Awaitable[None]) -> None:
    await work

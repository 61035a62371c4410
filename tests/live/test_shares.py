"""Two processes that share the routes: each stores its own half, together all, and nothing twice."""

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from dispatch.ingest.broker import open_broker
from dispatch.network.gtfs import read_feed
from dispatch.store.embedded import embedded_postgres
from dispatch.store.migrate import migrate
from simulator.gtfs_out import write_city
from simulator.load import Load
from tests.live.test_live import eventually
from tests.support.program import free_port, get, program

pytestmark = pytest.mark.services


async def test_two_processes_take_half_of_the_routes_each(server_dir):
    feed = server_dir / "city.zip"
    write_city(feed, 1, datetime.now(UTC).date())
    async with open_broker(None, server_dir / "broker") as broker, embedded_postgres(server_dir / "pg") as dsn:
        await migrate(dsn)
        environment = {
            "DISPATCH_MQTT_URL": f"mqtt://127.0.0.1:{broker.address.port}",
            "DISPATCH_DATABASE_URL": dsn,
        }
        ports = []
        running = []
        for share in ("1/2", "2/2"):
            config = server_dir / f"share-{share[0]}.toml"
            config.write_text(f'[network]\ngtfs = "{feed}"\n[ingest]\nshare = "{share}"\n')
            ports.append(free_port())
            context = program(
                "serve", "--config", str(config), "--port", str(ports[-1]), "--data", str(server_dir / share[0]), environment=environment
            )  # fmt: skip
            running.append(context)
            await asyncio.to_thread(context.__enter__().wait_for, "dashboard: ")
            await asyncio.to_thread(eventually, lambda port=ports[-1]: get(port, "/api/health")["broker_connected"])
        sent = await Load(read_feed(feed), 180).run(broker.address, seconds=5.0, rate_hz=1.0, connections=4)

        def stored():
            with psycopg.connect(dsn) as connection:
                return connection.execute("SELECT count(*) FROM fleet.telemetry").fetchone()[0]

        await asyncio.to_thread(eventually, lambda: stored() == sent.published == 900)
        seen = [{v["id"] for v in get(port, "/api/vehicles")} for port in ports]
        assert not seen[0] & seen[1]
        assert len(seen[0]) + len(seen[1]) == 180
        assert min(map(len, seen)) >= 30
        for context in running:
            context.__exit__(None, None, None)

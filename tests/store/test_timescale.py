"""The migration set on TimescaleDB, as far as its WASM build goes: DDL, policies and aggregates, not COPY."""

import asyncio
import shutil
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from dispatch.ingest.broker import free_port
from dispatch.store.migrate import migrate

pytestmark = pytest.mark.services
HERE = Path(__file__).parent / "pglite"


@pytest.fixture(scope="module")
def timescale():
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules").is_dir():
        pytest.skip("the WASM build of TimescaleDB is not installed (npm ci in tests/store/pglite)")
    port = free_port()
    with subprocess.Popen(
        [node, "server.mjs", str(port)], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout.readline().strip() == "listening"
        yield (
            f"host=127.0.0.1 port={port} user=postgres password=password dbname=postgres sslmode=disable gssencmode=disable"
        )
        server.stdin.close()
        server.wait(20)


def connected(dsn):
    """The WASM server takes one connection at a time and needs a moment to let go of the last."""
    for _ in range(50):
        try:
            return psycopg.connect(dsn, autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise AssertionError("the server takes no second connection")


def test_the_migrations_run_on_timescale_with_its_policies(timescale):
    assert asyncio.run(migrate(timescale)) == ["001_fleet.sql"]
    with connected(timescale) as connection:
        tables = {
            row[0] for row in connection.execute("SELECT hypertable_name FROM timescaledb_information.hypertables")
        }
        assert tables >= {"telemetry", "stop_event", "headway_obs"}
        jobs = connection.execute(
            "SELECT job_id, proc_name FROM timescaledb_information.jobs WHERE job_id >= 1000"
        ).fetchall()
        assert {name for _, name in jobs} >= {
            "policy_compression",
            "policy_retention",
            "policy_refresh_continuous_aggregate",
        }
        for job, _ in jobs:
            connection.execute(f"CALL run_job({job})".encode())
        flavour = connection.execute("SELECT DISTINCT flavour FROM public.dispatch_migration").fetchall()
        assert flavour == [("timescale-community",)]
        connection.execute("SELECT * FROM fleet.route_headway_5m")
        assert connection.execute("SELECT fleet.drop_telemetry_before('2026-01-01')").fetchone() == (0,)

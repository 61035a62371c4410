"""The whole system in processes of its own: broker, database, buses, browser feed, and every way they can be killed."""

import asyncio
import json
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from dispatch.ingest.broker import open_broker
from dispatch.mqtt.connection import connect
from dispatch.recording import read_messages
from dispatch.store.embedded import embedded_postgres
from dispatch.wire.hfp import encode_hfp
from tests.support.city import M_PER_DEG, report, straight
from tests.support.program import children_of, free_port, get, program

pytestmark = pytest.mark.services


def eventually(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (OSError, psycopg.Error, ValueError):
            pass
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


def test_run_shows_moving_buses_says_its_address_last_and_leaves_nothing_running(server_dir):
    port = free_port()
    with program("run", "--port", str(port), "--data", str(server_dir)) as running:
        running.wait_for("dashboard: ")
        assert running.said[-1] == f"dashboard: http://127.0.0.1:{port}/"
        first = {v["id"]: (v["lat"], v["lon"]) for v in get(port, "/api/vehicles")}
        eventually(lambda: get(port, "/api/health")["stored"] > 500)
        now = {v["id"]: (v["lat"], v["lon"]) for v in get(port, "/api/vehicles")}
        assert sum(now[v] != place for v, place in first.items()) >= 30
        assert sum(v["state"] in ("in_service", "layover") for v in get(port, "/api/vehicles")) >= 60
        health = get(port, "/api/health")
        assert (health["status"], health["rejected"], health["inbox_depth"]) == ("ok", {}, 0)
        with program("run", "--port", str(port), "--data", str(server_dir / "other")) as second:
            assert second.process.wait(30) == 1
            second.wait_for(f"port {port} on 127.0.0.1 is taken")
        assert running.stop() == 0
    assert children_of(server_dir) == []


def test_killed_without_warning_it_leaves_nothing_running_and_comes_back_knowing_every_bus(server_dir):
    port = free_port()
    with program("run", "--port", str(port), "--data", str(server_dir)) as running:
        running.wait_for("dashboard: ")
        eventually(lambda: get(port, "/api/health")["stored"] > 1000)
        running.stop(signal.SIGKILL)
    eventually(lambda: not children_of(server_dir))
    with program("run", "--port", str(port), "--data", str(server_dir)) as again:
        again.wait_for(r"read back \d+ reports of \d+ vehicles")
        again.wait_for("dashboard: ")
        assert again.stop(signal.SIGTERM) == 0


async def _publish(address, numbers, now):
    """One position each second of its number, at QoS 1; gives how many the broker acknowledged."""
    line = straight()
    bus = await connect(address, client_id="tester")
    done = []
    for number in numbers:
        told = report(line, now - 3600 + number, 2.0 * number, vehicle_id=f"0001/{number % 5:05d}")
        topic, payload = encode_hfp(told)
        done.append(bus.publish(topic, payload, qos=1))
    await asyncio.gather(*done)
    await bus.close()
    return len(done)


def serve(broker, dsn, server_dir, port, *more):
    environment = {
        "DISPATCH_MQTT_URL": f"mqtt://{broker.address.host}:{broker.address.port}",
        "DISPATCH_DATABASE_URL": dsn,
    }
    return program("serve", "--port", str(port), "--data", str(server_dir / "own"), *more, environment=environment)


async def test_what_the_broker_acknowledged_is_stored_over_three_kills_without_loss_or_double(server_dir):
    async with open_broker(None, server_dir / "broker") as broker, embedded_postgres(server_dir / "pg") as dsn:
        port, now, sent = free_port(), time.time(), 0
        for kill in range(3):
            with serve(broker, dsn, server_dir, port) as running:
                await asyncio.to_thread(running.wait_for, "dashboard: ")
                await asyncio.to_thread(eventually, lambda: get(port, "/api/health")["broker_connected"])
                sent += await _publish(broker.address, range(kill * 400, kill * 400 + 300), now)
                running.stop(signal.SIGKILL)
            sent += await _publish(broker.address, range(kill * 400 + 300, kill * 400 + 400), now)
        with serve(broker, dsn, server_dir, port) as running:
            await asyncio.to_thread(eventually, lambda: _count(dsn) == sent)
            assert sent == 1200
            running.stop()


def _count(dsn):
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT count(*) FROM fleet.telemetry").fetchone()[0]


async def test_while_the_database_is_away_the_picture_goes_on_and_nothing_is_lost(server_dir):
    async with open_broker(None, server_dir / "broker") as broker:
        port, line = free_port(), straight()
        async with embedded_postgres(server_dir / "pg") as dsn:
            running_context = serve(broker, dsn, server_dir, port)
            running = running_context.__enter__()
            await asyncio.to_thread(running.wait_for, "dashboard: ")
            await asyncio.to_thread(eventually, lambda: get(port, "/api/health")["broker_connected"])
            sent = await _publish(broker.address, range(100), time.time())
            await asyncio.to_thread(eventually, lambda: _count(dsn) == 100)
        bus = await connect(broker.address, client_id="during")
        began = time.time()
        along = 0.0
        while time.time() - began < 8.0:
            along += 10.0
            told = report(line, round(time.time(), 3), along % 4000, vehicle_id="0001/00077")
            await bus.publish(*encode_hfp(told), qos=1)
            sent += 1
            await asyncio.sleep(0.1)
        health = get(port, "/api/health")
        assert "store_away" in health["reasons"]
        assert health["newest_fix_age_s"] < 2.0
        shown = get(port, "/api/vehicles/0001/00077")
        assert abs(shown["lat"] - told.lat) < 30 / M_PER_DEG
        async with embedded_postgres(server_dir / "pg") as dsn:
            await asyncio.to_thread(eventually, lambda: _count(dsn) == sent)
            await asyncio.to_thread(eventually, lambda: get(port, "/api/health")["store_away_s"] is None)
            await bus.close()
            running_context.__exit__(None, None, None)


async def test_poison_of_every_kind_is_counted_and_the_other_buses_are_untouched(server_dir):
    async with open_broker(None, server_dir / "broker") as broker, embedded_postgres(server_dir / "pg") as dsn:
        port = free_port()
        with serve(broker, dsn, server_dir, port) as running:
            await asyncio.to_thread(running.wait_for, "dashboard: ")
            await asyncio.to_thread(eventually, lambda: get(port, "/api/health")["broker_connected"])
            bus = await connect(broker.address, client_id="hostile")
            topic = "/hfp/v2/journey/ongoing/vp/bus/0001/00009/1/1/x/08:00/1/0/60;24/00/00/00"
            for payload in (
                b"\xff\xfe",
                b"{",
                b'{"VP":{"tst":null}}',
                b"[]",
                b"x" * 1_000_000,
                b'{"VP":{"tst":"1970-01-01T00:00:00Z"}}',
            ):
                await bus.publish(topic, payload, qos=1)
            await bus.publish("/hfp/v2/journey", b"{}", qos=1)
            sent = await _publish(broker.address, range(50), time.time())
            await asyncio.to_thread(eventually, lambda: _count(dsn) == sent)
            rejected = get(port, "/api/rejects")
            assert sum(rejected["counts"].values()) == 7
            assert set(rejected["counts"]) == {
                "payload_not_json", "field_missing", "payload_shape", "payload_too_large", "fix_too_old", "topic_too_short"
            }  # fmt: skip
            assert len(rejected["newest"]) == 7
            await bus.close()


async def test_a_live_run_recorded_replays_to_identical_events(server_dir):
    port = free_port()
    async with embedded_postgres(server_dir / "pg") as dsn:
        environment = {"DISPATCH_DATABASE_URL": dsn}
        with program(
            "run", "--port", str(port), "--data", str(server_dir), "--record", environment=environment
        ) as running:
            await asyncio.to_thread(running.wait_for, "dashboard: ")
            await asyncio.sleep(25)
            await asyncio.to_thread(running.stop)
        with psycopg.connect(dsn) as connection:
            stored = {
                str(row[0])
                for table in ("stop_event", "headway_obs", "event_log")
                for row in connection.execute(f"SELECT event_id FROM fleet.{table}".encode())
            }
    (recording,) = (server_dir / "recordings").iterdir()
    replayed = await asyncio.to_thread(_direct, recording, next((server_dir / "demo").glob("*.zip")))
    assert len(replayed) > 50
    assert len(set(replayed)) == len(replayed)
    # What the last steps concluded may not have been committed when the program was stopped.
    assert stored <= set(replayed)
    assert len(stored) >= 0.9 * len(replayed)
    assert sum(1 for entry in read_messages(recording) if not isinstance(entry, float)) > 1000


def _direct(recording, gtfs):
    done = subprocess.run(
        [sys.executable, "-m", "dispatch", "replay", str(recording), "--gtfs", str(gtfs), "--direct"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]

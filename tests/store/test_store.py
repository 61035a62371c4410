"""What is committed can be read back as it was; nothing is stored twice, and nothing acknowledged is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.events import FeedOutage, HeadwayObserved, Source, StopPassage
from dispatch.reports import (
    Duty,
    LocationSource,
    Reason,
    Rejected,
    ReportKind,
    SensorReport,
    VehicleReport,
    VehicleStatus,
)
from dispatch.store.embedded import DatabaseFailed, embedded_postgres
from dispatch.store.migrate import Flavour, Migration, MigrationFailed, migrate, packaged
from dispatch.store.reader import Reader
from dispatch.store.writer import Batch, StoreAway, Writer

pytestmark = pytest.mark.services
T0 = 1_767_600_000.0


def a_report(number: int = 0, **told) -> VehicleReport:
    fields = {
        "vehicle_id": "0012/01913",
        "received_time": T0 + number + 0.25,
        "kind": ReportKind.POSITION,
        "duty": Duty.IN_SERVICE,
        "fix_time": T0 + number,
        "lat": 60.171325,
        "lon": 24.925031,
    }
    return VehicleReport(**(fields | told))


async def read_all(dsn: str) -> list[VehicleReport]:
    return [r async for batch in Reader(dsn).recent_reports(0.0) for r in batch]


async def test_every_field_of_a_report_comes_back_as_it_was(dsn):
    full = a_report(
        kind=ReportKind.STOP_ARRIVED,
        speed_mps=4.53,
        heading_deg=274.0,
        acceleration_mps2=-1.7,
        odometer_m=746.0,
        location_source=LocationSource.DEAD_RECKONING,
        doors_open=False,
        upcoming=True,
        route_id="4400",
        direction_id=1,
        headsign="Vantaan/koski é",
        service_date="2026-01-05",
        trip_start_clock_s=15 * 3600 + 21 * 60,
        next_stop_id="1130110",
        end_of_line=True,
        stop_id="1130110",
        route_label="400",
        company_id="12",
        schedule_deviation_s=112.0,
        occupancy_share=0.5,
        scheduled_arrival_time=T0 - 60,
        scheduled_departure_time=T0 + 60,
        extra={"jrn": 663, "tlp-reason": "AHEAD"},
    )
    empty = a_report(1, lat=None, lon=None, vehicle_id="x/y")
    writer = Writer(dsn)
    done = await writer.commit(Batch(reports=[full, empty]))
    await writer.close()
    assert (done.reports, done.inserted) == (2, 2)
    for found, stored in zip(await read_all(dsn), (full, empty), strict=True):
        assert {f: getattr(found, f) for f in found.__struct_fields__ if getattr(found, f) != getattr(stored, f)} == {}


async def test_a_batch_stored_twice_is_stored_once(dsn):
    passage = StopPassage(
        time=T0, vehicle_id="1/1", route_id="1", direction_id=0, stop_id="s", arrival_time=T0 - 20, departure_time=T0,
        dwell_s=20.0, served=True, source=Source.INTERPOLATED,
    )  # fmt: skip
    headway = HeadwayObserved(
        time=T0, vehicle_id="1/1", route_id="1", direction_id=0, stop_id="s", leader_vehicle_id="1/2", headway_s=300.0
    )
    outage = FeedOutage(time=T0, began=True, stale_vehicles=30, vehicles=40)
    batch = Batch(
        reports=[a_report(n) for n in range(10)],
        events=[passage, headway, outage],
        statuses=[VehicleStatus(vehicle_id="1/1", received_time=T0, online=True)],
        sensors=[SensorReport(vehicle_id="1/1", received_time=T0, fix_time=T0, panic=True, extra={"a": "\0"})],
    )
    writer = Writer(dsn)
    first, second = await writer.commit(batch), await writer.commit(batch)
    await writer.close()
    assert (first.inserted, second.inserted) == (10, 0)
    counts = {t: await Reader(dsn).count(t) for t in ("telemetry", "stop_event", "headway_obs", "event_log", "sensor")}
    assert counts == {"telemetry": 10, "stop_event": 1, "headway_obs": 1, "event_log": 1, "sensor": 1}


async def test_reports_of_any_year_find_a_partition(dsn):
    writer = Writer(dsn)
    old = [a_report(fix_time=t, received_time=t) for t in (0.0, 1_698_585_850.211, 4_000_000_000.0)]
    assert (await writer.commit(Batch(reports=old))).inserted == 3
    await writer.close()


async def test_the_last_position_is_the_newest_however_the_batches_came(dsn):
    writer = Writer(dsn)
    await writer.commit(Batch(reports=[a_report(5, lat=60.5)]))
    await writer.commit(Batch(reports=[a_report(3, lat=60.3)]))
    await writer.close()
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT lat_e6 FROM fleet.vehicle_last").fetchall() == [(60_500_000,)]


@given(
    text=st.text(max_size=600),
    number=st.floats(allow_nan=True, allow_infinity=True),
    extra=st.dictionaries(st.text(max_size=20), st.text(max_size=20) | st.integers(-(2**70), 2**70), max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_no_content_can_make_a_batch_fail(server_for_poison, text, number, extra):
    async def store():
        writer = Writer(server_for_poison)
        stamp = time.time()
        bad = a_report(
            vehicle_id=f"p/{text}", headsign=text, stop_id=text, speed_mps=number, odometer_m=number,
            schedule_deviation_s=number, occupancy_share=number, extra=extra, fix_time=stamp, received_time=stamp,
        )  # fmt: skip
        good = a_report(vehicle_id="sane/1", fix_time=stamp, received_time=stamp)
        refused = Rejected(reason=Reason.FIELD_TYPE, received_time=stamp, topic=text, detail=text, payload=b"\0\xff")
        done = await writer.commit(Batch(reports=[bad, good], rejected=[refused]))
        await writer.close()
        assert done.inserted + done.poisoned == 2

    asyncio.run(store())


@pytest.fixture(scope="module")
def server_for_poison(server):
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE poison")
    dsn = server.replace("dbname=postgres", "dbname=poison")
    asyncio.run(migrate(dsn))
    yield dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE poison WITH (FORCE)")


async def test_questions_about_tracks_headways_rejects_and_departures_are_answered(dsn):
    writer = Writer(dsn)
    passage = StopPassage(
        time=T0, vehicle_id="1/1", route_id="1", direction_id=0, stop_id="s", arrival_time=T0, departure_time=T0,
        dwell_s=0.0, served=None, source=Source.INTERPOLATED,
    )  # fmt: skip
    headway = HeadwayObserved(
        time=T0, vehicle_id="1/1", route_id="1", direction_id=0, stop_id="s", leader_vehicle_id="1/2", headway_s=300.0
    )
    refused = Rejected(reason=Reason.FIX_IN_FUTURE, received_time=T0, topic="/hfp", detail="why")
    await writer.commit(Batch(reports=[a_report(n) for n in range(5)], events=[passage, headway], rejected=[refused]))
    await writer.close()
    reader = Reader(dsn)
    track = await reader.track("0012/01913", T0 + 1, T0 + 3, 100)
    assert [p.time - T0 for p in track] == [1.0, 2.0, 3.0]
    assert track[0].lat == pytest.approx(60.171325)
    assert [h.headway_s for h in await reader.headways("1", T0 - 1, T0 + 1)] == [300.0]
    assert [r.reason for r in await reader.rejects(T0 - 1, 10)] == ["fix_in_future"]
    assert [(p.stop_id, p.departure_time) for p in await reader.recent_passages(T0 - 1)] == [("s", T0)]
    assert await reader.track("nobody", T0, T0 + 1, 10) == []


async def test_a_database_that_went_away_is_said_and_the_same_batch_goes_in_when_it_is_back(server_dir):
    batch = Batch(reports=[a_report(n) for n in range(3)])
    async with embedded_postgres(server_dir / "pg") as dsn:
        await migrate(dsn)
        writer = Writer(dsn)
        await writer.commit(Batch(reports=[a_report(100)]))
    with pytest.raises(StoreAway):
        await writer.commit(batch)
    async with embedded_postgres(server_dir / "pg") as dsn:
        assert (await writer.commit(batch)).inserted == 3
        assert await Reader(dsn).count("telemetry") == 4
        await writer.close()


async def test_every_acknowledged_row_survives_kill_9_of_the_server(server_dir):
    async with embedded_postgres(server_dir / "pg") as dsn:
        await migrate(dsn)
        writer = Writer(dsn)
        acknowledged = 0
        pid = int((server_dir / "pg" / "cluster" / "postmaster.pid").read_text().split()[0])
        for number in range(200):
            if number == 50:
                os.kill(pid, signal.SIGKILL)
            try:
                done = await writer.commit(Batch(reports=[a_report(number)]))
            except StoreAway:
                break
            acknowledged += done.inserted
    async with embedded_postgres(server_dir / "pg") as dsn:
        assert await Reader(dsn).count("telemetry") >= acknowledged >= 50


def test_the_server_ends_with_us_even_of_kill_9_and_starts_again(server_dir):
    program = (
        "import asyncio, sys, pathlib\n"
        "from dispatch.store.embedded import embedded_postgres\n"
        "async def main():\n"
        "    async with embedded_postgres(pathlib.Path(sys.argv[1])) as dsn:\n"
        "        print(dsn, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", program, server_dir / "pg"], stdout=subprocess.PIPE, text=True
        ) as parent:
            dsn = parent.stdout.readline().strip()
            assert dsn.startswith("host=")
            parent.kill()
    deadline = time.monotonic() + 20
    while (server_dir / "pg" / "cluster" / "postmaster.pid").exists():
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.05)


async def test_a_lock_naming_another_living_program_does_not_keep_it_down(server_dir):
    async with embedded_postgres(server_dir / "pg"):
        pass
    lock = server_dir / "pg" / "cluster" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n/nowhere\n0\n5432\n\n\n")
    async with embedded_postgres(server_dir / "pg") as dsn:
        await migrate(dsn)


async def test_a_second_server_on_the_same_folder_says_so(server_dir):
    async with embedded_postgres(server_dir / "pg"):
        with pytest.raises(DatabaseFailed, match="another server already runs"):
            async with embedded_postgres(server_dir / "pg"):
                pass


async def test_a_long_path_still_gets_a_socket(server_dir):
    deep = server_dir / ("d" * 60) / ("e" * 60)
    deep.parent.mkdir(mode=0o755)
    async with embedded_postgres(deep) as dsn:
        assert len(dsn.split()[0]) < 107


async def test_migrations_run_once_and_a_changed_one_is_refused(dsn):
    assert await migrate(dsn) == []
    changed = [Migration(m.name, m.text + "\n-- changed") for m in packaged()]
    with pytest.raises(MigrationFailed, match="changed after"):
        await migrate(dsn, changed)


async def test_a_database_of_another_flavour_is_refused(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE public.dispatch_migration SET flavour = %s", (Flavour.COMMUNITY,))
    with pytest.raises(MigrationFailed, match="dump and reload"):
        await migrate(dsn)


async def test_a_migration_that_fails_leaves_nothing_behind(dsn):
    broken = Migration("999_broken.sql", "-- @all\nCREATE TABLE fleet.half (a int);\nSELECT no_such_function();")
    with pytest.raises(MigrationFailed, match="no_such_function"):
        await migrate(dsn, [*packaged(), broken])
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT to_regclass('fleet.half')").fetchone() == (None,)


async def test_old_telemetry_is_dropped_by_whole_days(dsn):
    writer = Writer(dsn)
    await writer.commit(Batch(reports=[a_report(0), a_report(0, fix_time=T0 - 30 * 86_400)]))
    await writer.close()
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert connection.execute("SELECT fleet.drop_telemetry_before('2026-01-01')").fetchone() == (1,)
    assert await Reader(dsn).count("telemetry") == 1


def test_a_full_disk_is_said_and_the_batch_goes_in_when_there_is_room(server_dir):
    mounted = Path(server_dir / "small")
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "none", mounted], check=False).returncode:
        pytest.skip("no right to mount a small file system here")
    try:
        asyncio.run(_fill(mounted))
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)


async def _commit_often(writer: Writer, batch: Batch) -> None:
    for _ in range(20):
        await writer.commit(batch)
        batch = Batch(reports=[a_report(n + 10_000, vehicle_id=r.vehicle_id) for n, r in enumerate(batch.reports)])


async def _fill(mounted: Path) -> None:
    async with embedded_postgres(mounted / "pg") as dsn:
        await migrate(dsn)
        writer = Writer(dsn)
        await writer.commit(Batch(reports=[a_report(0)]))
        stuffing = mounted / "stuffing"
        with stuffing.open("wb") as out:
            try:
                while True:
                    out.write(b"\0" * 65536)
                    out.flush()
            except OSError:
                pass
        big = Batch(reports=[a_report(n, vehicle_id=f"1/{v}") for n in range(1, 300) for v in range(40)])
        with pytest.raises(StoreAway):
            await _commit_often(writer, big)
        stuffing.unlink()
        for _ in range(100):
            try:
                done = await writer.commit(Batch(reports=[a_report(5_000)]))
                break
            except StoreAway:
                await asyncio.sleep(0.2)
        assert done.inserted == 1
        await writer.close()

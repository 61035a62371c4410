"""The made-up city: a valid feed, plausible lines, and buses that move, speak and keep time as buses do."""

import hashlib
import io
from collections import Counter
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from dispatch.network.gtfs import read_feed
from dispatch.network.service_time import service_midnight_time
from dispatch.network.timetable import Timetable
from dispatch.reports import ReportKind
from dispatch.wire.decode import decode
from dispatch.wire.hfp import encode_hfp
from simulator.buses import Buses
from simulator.gtfs_out import write_city

DAY = date(2026, 1, 5)
NOON = service_midnight_time(DAY, "UTC") + 12 * 3600


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("city") / "city.zip"
    write_city(path, 1, DAY)
    return read_feed(path)


@pytest.fixture(scope="module")
def hour(network):
    buses = Buses(network, np.random.default_rng(1))
    return [report for second in range(3600) for report in buses.advance(NOON + second)]


def test_the_same_seed_and_day_write_the_same_bytes(tmp_path):
    digests = set()
    for number in range(2):
        write_city(tmp_path / f"{number}.zip", 5, DAY)
        digests.add(hashlib.sha256((tmp_path / f"{number}.zip").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_city_is_a_feed_without_problems_and_of_the_promised_size(network):
    assert network.problems == ()
    assert len(network.routes) >= 6
    assert all(15 <= len(p.stop_ids) <= 30 for p in network.patterns.values())
    assert any(p.is_loop for p in network.patterns.values())
    shared = Counter(stop for p in network.patterns.values() for stop in set(p.stop_ids))
    assert sum(count > 1 for count in shared.values()) >= 20


def test_service_is_frequent_all_day(network):
    timetable = Timetable(network)
    for pattern in network.patterns.values():
        starts = sorted(d.start_time for d in timetable.trips_on(DAY) if d.trip.pattern_id == pattern.pattern_id)
        gaps = {b - a for a, b in pairwise(starts)}
        assert min(gaps) >= 240
        assert max(gaps) <= 720


def test_at_any_hour_at_least_sixty_buses_run(network):
    timetable = Timetable(network)
    for hour_of_day in range(24):
        running = timetable.running_at(NOON + hour_of_day * 3600.0)
        assert len({(d.service_date, d.trip.block_id) for d in running}) >= 60


def test_no_block_is_in_two_places_at_once(network):
    trips = Timetable(network).trips_on(DAY)
    for block in {d.trip.block_id for d in trips}:
        own = sorted((d for d in trips if d.trip.block_id == block), key=lambda d: d.start_time)
        assert all(after.start_time >= before.end_time for before, after in pairwise(own))


def test_the_same_seed_drives_the_same_way(network):
    def digest():
        buses = Buses(network, np.random.default_rng(3))
        out = io.StringIO()
        for second in range(60):
            for report in buses.advance(NOON + second):
                out.write(repr(report))
        return hashlib.sha256(out.getvalue().encode()).hexdigest()

    assert digest() == digest()


def test_buses_never_jump_and_stay_within_noise_of_their_speed(hour):
    last = {}
    for report in hour:
        if report.kind is not ReportKind.POSITION:
            continue
        before = last.get(report.vehicle_id)
        last[report.vehicle_id] = report
        if before is None or report.trip_start_clock_s != before.trip_start_clock_s:
            continue
        moved = np.hypot(report.lat - before.lat, (report.lon - before.lon) * np.cos(np.radians(41))) * 111_195
        assert moved < 16 * (report.fix_time - before.fix_time) + 12


def test_stop_events_come_in_their_order(hour, network):
    twice = {p.stop_ids[0] for p in network.patterns.values() if p.is_loop}
    rank = {
        ReportKind.STOP_ENTERED: 0,
        ReportKind.STOP_ARRIVED: 1,
        ReportKind.DOORS_OPENED: 2,
        ReportKind.DOORS_CLOSED: 3,
        ReportKind.STOP_READY_TO_LEAVE: 4,
        ReportKind.STOP_LEFT: 5,
    }
    visits = {}
    for report in hour:
        if report.kind in rank and report.stop_id not in twice:
            visits.setdefault((report.vehicle_id, report.trip_start_clock_s, report.stop_id), []).append(
                rank[report.kind]
            )
    assert len(visits) > 3000
    assert all(order == sorted(order) for order in visits.values())


def test_a_bus_at_the_end_of_its_day_signs_off(network):
    night = service_midnight_time(DAY, "UTC") + 28 * 3600
    buses = Buses(network, np.random.default_rng(1))
    kinds = Counter(report.kind for second in range(1500) for report in buses.advance(night + second))
    assert kinds[ReportKind.BLOCK_LEFT] == kinds[ReportKind.DRIVER_SIGNED_OUT] >= 5


def test_after_an_hour_the_buses_neither_all_run_early_nor_late(hour):
    late = [r.schedule_deviation_s for r in hour if r.fix_time > NOON + 3000 and r.kind is ReportKind.POSITION]
    assert abs(float(np.mean(late))) < 180


def test_what_the_buses_say_survives_the_wire(hour):
    previous = {}
    for report in hour[:3000]:
        topic, payload = encode_hfp(report, previous.get(report.vehicle_id))
        previous[report.vehicle_id] = report
        assert decode(topic, payload, report.received_time) == report

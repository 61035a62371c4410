"""The whole step on small cities: what goes in, what comes out."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.control import ControlCentre, Outcome
from dispatch.events import (
    AnyEvent,
    DeviceConflict,
    FeedOutage,
    HeadwayObserved,
    OffRoute,
    PanicPressed,
    Source,
    StopPassage,
    TripAssigned,
    TripEnded,
    TripMissing,
    VehicleOnline,
    VehicleStale,
    event_id,
)
from dispatch.fleet.picture import VehicleState
from dispatch.fleet.thresholds import Thresholds
from dispatch.network.model import EMPTY
from dispatch.reports import Duty, Input, Reason, ReportKind, SensorReport, VehicleReport, VehicleStatus
from tests.support.city import EIGHT, city, drive, pattern, point, report, straight, trips


def run(
    centre: ControlCentre, inputs: Sequence[VehicleReport], tick_s: float = 1.0, until: float = 0.0
) -> list[AnyEvent]:
    """Feed the reports as they arrive, tick by tick, and let the hold and settling run out at the end."""
    ordered = sorted(inputs, key=lambda r: r.received_time)
    events: list[AnyEvent] = []
    now = ordered[0].received_time
    for number, group in groupby(ordered, key=lambda r: int((r.received_time - ordered[0].received_time) // tick_s)):
        now = ordered[0].received_time + (number + 1) * tick_s
        events.extend(centre.step(list(group), now).events)
    events.extend(centre.step([], max(now + 60.0, until)).events)
    return events


def only(kind: type, events: Sequence[AnyEvent]) -> list:
    return [event for event in events if isinstance(event, kind)]


@pytest.fixture
def line():
    return straight()


@pytest.fixture
def centre(line):
    return ControlCentre(city([line], trips(line, [8 * 3600, 8 * 3600 + 600, 8 * 3600 + 1200])))


def test_a_bus_that_serves_every_stop_passes_each_once_with_its_dwell(centre, line):
    events = run(centre, drive(line, EIGHT, dwell_s=20.0))
    passages = only(StopPassage, events)
    assert [p.stop_sequence for p in passages] == list(range(11))
    middle = passages[3]
    assert middle.served is True
    assert middle.dwell_s == pytest.approx(20.0, abs=2.0)
    assert middle.arrival_time == pytest.approx(EIGHT + 120 + 60, abs=2.0)
    assert middle.source is Source.INTERPOLATED
    assert middle.trip_id == "1-0@28800"


def test_a_bus_that_drives_through_passed_its_stops_and_served_none(centre, line):
    passages = only(StopPassage, run(centre, drive(line, EIGHT)))
    assert [p.served for p in passages[1:-1]] == [False] * 9
    assert all(p.dwell_s == 0.0 for p in passages[1:-1])
    assert passages[4].departure_time == pytest.approx(EIGHT + 160, abs=0.5)


def test_a_sparse_feed_tells_times_but_not_whether_a_stop_was_served(centre, line):
    passages = only(StopPassage, run(centre, drive(line, EIGHT, every_s=30.0)))
    assert passages[4].served is None
    assert passages[4].departure_time == pytest.approx(EIGHT + 160, abs=3.0)


def test_deviation_is_actual_less_scheduled_so_late_is_positive(centre, line):
    passages = only(StopPassage, run(centre, drive(line, EIGHT + 90)))
    assert passages[5].schedule_deviation_s == pytest.approx(90.0, abs=1.5)


def test_headways_at_stops_are_times_between_departures_against_the_timetable(centre, line):
    first = drive(line, EIGHT, vehicle_id="1/1")
    second = drive(line, EIGHT + 420, vehicle_id="1/2", trip_start_clock_s=8 * 3600 + 600)
    observed = only(HeadwayObserved, run(centre, first + second))
    assert len(observed) == 11
    assert {h.leader_vehicle_id for h in observed} == {"1/1"}
    assert all(h.headway_s == pytest.approx(420.0, abs=1.5) for h in observed[1:-1])
    assert {h.target_headway_s for h in observed} == {600.0}


def test_live_headway_is_the_time_since_the_bus_ahead_was_here(centre, line):
    first = drive(line, EIGHT, vehicle_id="1/1")
    second = drive(line, EIGHT + 200, vehicle_id="1/2", trip_start_clock_s=8 * 3600 + 600)
    upto = EIGHT + 350
    for group in range(int(EIGHT), int(upto)):
        now_in = [r for r in first + second if group <= r.fix_time < group + 1]
        centre.step(now_in, group + 1.0)
    picture = centre.picture
    ahead, behind = picture.slot("1/1"), picture.slot("1/2")
    assert picture.headway_s[behind] == pytest.approx(200.0, abs=6.0)
    assert picture.ahead[behind] == ahead
    assert picture.behind[ahead] == behind
    assert picture.headway_behind_s[ahead] == picture.headway_s[behind]
    assert picture.target_headway_s[behind] == 600.0
    assert np.isnan(picture.headway_s[ahead])


def test_a_standing_bus_sees_its_headway_grow(centre, line):
    first = drive(line, EIGHT, vehicle_id="1/1")
    second = [r for r in drive(line, EIGHT + 200, vehicle_id="1/2") if r.fix_time <= EIGHT + 250]
    halted = [report(line, EIGHT + 250 + s, 500.0, vehicle_id="1/2", speed_mps=0.0) for s in range(1, 100)]
    for second_no in range(int(EIGHT), int(EIGHT) + 350):
        centre.step([r for r in first + second + halted if second_no <= r.fix_time < second_no + 1], second_no + 1.0)
    assert centre.picture.headway_s[centre.picture.slot("1/2")] == pytest.approx(295.0, abs=8.0)


def test_the_trip_is_assigned_by_sign_on_and_ends_completed_at_the_last_stop(centre, line):
    events = run(centre, drive(line, EIGHT))
    assigned, ended = only(TripAssigned, events), only(TripEnded, events)
    assert [(a.trip_id, a.signed_on) for a in assigned] == [("1-0@28800", True)]
    assert [(e.trip_id, e.completed) for e in ended] == [("1-0@28800", True)]


def test_a_trip_left_midway_ends_not_completed(centre, line):
    half = [r for r in drive(line, EIGHT) if r.fix_time < EIGHT + 200]
    away = [report(line, EIGHT + 200 + s, 2000.0, duty=Duty.DEADHEAD, route_id=None) for s in range(5)]
    ended = only(TripEnded, run(centre, half + away))
    assert [e.completed for e in ended] == [False]


def test_a_bus_that_names_only_its_line_is_found_on_its_trip(centre, line):
    told = {"direction_id": None, "trip_start_clock_s": None, "service_date": None}
    events = run(centre, drive(line, EIGHT + 620, every_s=20.0, **told))
    assigned = only(TripAssigned, events)
    assert [(a.trip_id, a.signed_on) for a in assigned[:1]] == [("1-0@29400", False)]
    assert len(only(StopPassage, events)) >= 8


def test_a_line_that_is_not_in_the_network_leaves_the_bus_on_the_map_unmatched(centre, line):
    centre.step([report(line, EIGHT, 100.0, route_id="unknown")], EIGHT + 1)
    slot = centre.picture.slot("1/1")
    assert centre.picture.route[slot] == -1
    assert np.isnan(centre.picture.along_m[slot])
    assert centre.picture.state[slot] == VehicleState.IN_SERVICE
    assert centre.picture.lat[slot] == pytest.approx(50.0)


def test_reported_stop_events_give_the_passage_and_silence_the_interpolated_one(centre, line):
    told = drive(line, EIGHT, dwell_s=20.0)
    for number in range(11):
        at, stop_id = EIGHT + number * 60, f"1-0-{number}"
        for kind, after in (
            (ReportKind.STOP_ENTERED, -3.0),
            (ReportKind.STOP_ARRIVED, 0.2),
            (ReportKind.STOP_LEFT, 21.5),
        ):
            told.append(report(line, at + after, number * 400.0, kind=kind, stop_id=stop_id, doors_open=None))
    passages = only(StopPassage, run(centre, told))
    assert [p.stop_sequence for p in passages] == list(range(11))
    assert {p.source for p in passages} == {Source.REPORTED}
    assert passages[5].dwell_s == pytest.approx(21.3, abs=0.01)


def test_stop_events_without_a_network_still_give_passages():
    centre = ControlCentre(EMPTY)
    line = straight()
    kinds = (ReportKind.STOP_ARRIVED, ReportKind.DOORS_OPENED, ReportKind.STOP_LEFT)
    told = [report(line, EIGHT + n * 10, 0.0, kind=k, stop_id="somewhere") for n, k in enumerate(kinds)]
    (passage,) = only(StopPassage, run(centre, told))
    assert (passage.stop_id, passage.served, passage.dwell_s) == ("somewhere", True, 20.0)
    assert passage.trip_id is None


def test_off_route_begins_after_three_fixes_and_ends_back_on_the_line(centre, line):
    told = []
    for s in range(240):
        aside_m = 300.0 if 60 <= s < 140 else 0.0
        lat, lon = point(s * 10.0, aside_m)
        told.append(report(line, EIGHT + s, s * 10.0, lat=lat, lon=lon, heading_deg=90.0))
    strayed = only(OffRoute, run(centre, told))
    assert [e.began for e in strayed] == [True, False]
    assert strayed[0].time == pytest.approx(EIGHT + 75, abs=2)
    assert strayed[1].time == pytest.approx(EIGHT + 140, abs=2)


def test_one_wild_fix_is_not_off_route(centre, line):
    told = drive(line, EIGHT)
    lat, lon = point(1000.0, 250.0)
    told[100] = report(line, EIGHT + 100, 1000.0, lat=lat, lon=lon)
    assert only(OffRoute, run(centre, told)) == []


def test_a_bus_fallen_silent_is_stale_and_one_heard_again_is_not(centre, line):
    told = [r for r in drive(line, EIGHT) if r.fix_time < EIGHT + 60 or r.fix_time > EIGHT + 160]
    events: list[AnyEvent] = []
    for s in range(200):
        events.extend(centre.step([r for r in told if EIGHT + s <= r.fix_time < EIGHT + s + 1], EIGHT + s + 1).events)
    stale = only(VehicleStale, events)
    assert [e.began for e in stale] == [True, False]
    assert stale[0].time == EIGHT + 59 + 30.0


def test_a_feed_that_falls_silent_is_one_fact_not_a_thousand(line):
    starts = [8 * 3600 + 60 * n for n in range(40)]
    centre = ControlCentre(city([line], trips(line, starts)))
    told = [
        report(line, EIGHT + s + n / 50, 10.0 * s + 20 * n, vehicle_id=f"1/{n}", trip_start_clock_s=starts[n])
        for s in range(20)
        for n in range(40)
    ]
    events = run(centre, told)
    for s in range(200):
        events.extend(centre.step([], EIGHT + 80 + s).events)
    back = [report(line, EIGHT + 300 + n / 50, 900.0 + 20 * n, vehicle_id=f"1/{n}") for n in range(40)]
    events.extend(centre.step(back, EIGHT + 301).events)
    assert [e.began for e in only(FeedOutage, events)] == [True, False]
    assert only(VehicleStale, events) == []


def test_a_scheduled_trip_with_no_bus_is_missing_until_one_signs_on(line):
    centre = ControlCentre(city([line], trips(line, [8 * 3600, 8 * 3600 + 600], speed_mps=2.0)))
    events = run(centre, drive(line, EIGHT, speed_mps=2.0), tick_s=5.0)
    late = drive(line, EIGHT + 1700, speed_mps=2.0, vehicle_id="1/2", trip_start_clock_s=8 * 3600 + 600)
    missing = only(TripMissing, events)
    assert [(e.trip_id, e.began) for e in missing][:1] == [("1-0@29400", True)]
    assert missing[0].time == EIGHT + 600 + 300
    centre2 = ControlCentre(city([line], trips(line, [8 * 3600, 8 * 3600 + 600], speed_mps=2.0)))
    both = only(TripMissing, run(centre2, drive(line, EIGHT, speed_mps=2.0) + late, tick_s=5.0))
    assert [e.began for e in both] == [True, False]


def test_an_out_and_back_shape_keeps_the_legs_apart():
    out_and_back = pattern("1", [(0, 0), (1000, 0), (2000, 0), (1000, 1), (0, 1)], [0, 1000, 2000, 3000, 4000])
    centre = ControlCentre(city([out_and_back], trips(out_and_back, [8 * 3600])))
    passages = only(StopPassage, run(centre, drive(out_and_back, EIGHT)))
    assert [p.stop_sequence for p in passages] == [0, 1, 2, 3, 4]
    assert passages[3].departure_time == pytest.approx(EIGHT + 300, abs=2)


def test_a_loop_starts_at_its_start_and_ends_at_its_end():
    loop = pattern("1", [(0, 0), (1000, 0), (1000, 1000), (0, 1000), (0, 0)], [0, 500, 1500, 2500, 3500, 4000])
    centre = ControlCentre(city([loop], trips(loop, [8 * 3600])))
    events = run(centre, drive(loop, EIGHT, dwell_s=15.0))
    assert [p.stop_sequence for p in only(StopPassage, events)] == [0, 1, 2, 3, 4, 5]
    assert [e.completed for e in only(TripEnded, events)] == [True]


def test_across_a_long_silence_no_passage_is_made_up(centre, line):
    told = [r for r in drive(line, EIGHT) if r.fix_time < EIGHT + 50 or r.fix_time > EIGHT + 300]
    stops = [p.stop_sequence for p in only(StopPassage, run(centre, told))]
    assert stops[:2] == [0, 1]
    assert not set(stops) & {2, 3, 4, 5, 6}
    assert {9, 10} <= set(stops)


def test_online_and_offline_come_from_status_reports_and_are_said_once(centre):
    said: list[Input] = [VehicleStatus(vehicle_id="1/1", received_time=EIGHT, online=True)] * 2
    said.append(VehicleStatus(vehicle_id="1/1", received_time=EIGHT + 1, online=False))
    assert [e.online for e in only(VehicleOnline, centre.step(said, EIGHT + 1).events)] == [True, False]


def test_panic_skips_the_hold_and_gives_the_last_position_with_its_age(centre, line):
    centre.step([report(line, EIGHT, 100.0)], EIGHT + 1)
    press = SensorReport(vehicle_id="1/1", received_time=EIGHT + 7, fix_time=EIGHT + 7, panic=True)
    (event,) = only(PanicPressed, centre.step([press], EIGHT + 7).events)
    assert event.position_age_s == 7.0
    assert event.lat == pytest.approx(50.0)


def verdict(centre: ControlCentre, told: VehicleReport) -> Reason | None:
    return centre.step([told], told.received_time + 1).verdicts[0]


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("a clock three hours ahead", {"received_time": EIGHT - 3 * 3600}, Reason.FIX_IN_FUTURE),
        ("a clock in 1970", {"fix_time": 1000.0}, Reason.FIX_TOO_OLD),
        ("a GPS week behind", {"received_time": EIGHT + 604_800}, Reason.FIX_TOO_OLD),
        ("a GPS roll-over behind", {"received_time": EIGHT + 1024 * 604_800}, Reason.FIX_TOO_OLD),
        ("swapped coordinates", {"lat": 10.02, "lon": 50.0}, Reason.COORDINATES_SWAPPED),
        ("another continent", {"lat": -30.0, "lon": 100.0}, Reason.POSITION_OUTSIDE_CITY),
        ("zero coordinates", {"lat": 0.0, "lon": 0.0}, Reason.POSITION_OUTSIDE_CITY),
    ],
)
def test_a_report_that_cannot_be_true_is_refused_with_its_reason(centre, line, name, fields, reason):
    assert verdict(centre, report(line, EIGHT, 100.0, **fields)) is reason, name
    assert centre.refused[reason] == 1


def test_a_leap_no_bus_makes_is_refused_until_the_new_place_proves_itself(centre, line):
    centre.step([report(line, EIGHT, 100.0)], EIGHT + 1)
    leaps = [report(line, EIGHT + 1 + s, 3000.0 + 10 * s) for s in range(4)]
    verdicts = [verdict(centre, leap) for leap in leaps]
    assert verdicts == [Reason.JUMP_IMPOSSIBLE, Reason.JUMP_IMPOSSIBLE, None, None]


def test_two_devices_claiming_one_vehicle_are_found_and_the_first_is_believed(centre, line):
    told = []
    for s in range(20):
        told.append(report(line, EIGHT + 2 * s, 100.0 + 20 * s))
        told.append(report(line, EIGHT + 2 * s + 1, 3500.0 + s))
    outcomes = [centre.step([r], r.received_time + 1) for r in told]
    events = [event for outcome in outcomes for event in outcome.events]
    assert len(only(DeviceConflict, events)) == 1
    assert outcomes[-1].verdicts == [Reason.DEVICE_CONFLICT]
    assert centre.picture.along_m[0] < 1000


def test_a_duplicate_is_counted_and_changes_nothing(centre, line):
    told = drive(line, EIGHT, dwell_s=5.0)
    once = run(ControlCentre(centre.network), told)
    twice = run(centre, [r for r in told for _ in range(2)])
    assert [event_id(e) for e in twice] == [event_id(e) for e in once]
    assert centre.refused[Reason.DUPLICATE] == len(told)


def test_a_ten_hertz_burst_is_accepted_and_forty_hertz_is_not(centre, line):
    ten = [report(line, EIGHT + n / 10, 100.0 + n) for n in range(20)]
    assert centre.step(ten, EIGHT + 3).verdicts == [None] * 20
    forty = [report(line, EIGHT + 10 + n / 40, 200.0) for n in range(5)]
    assert centre.step(forty, EIGHT + 11).verdicts == [None, Reason.TOO_FREQUENT, None, Reason.TOO_FREQUENT, None]


@pytest.mark.parametrize("factor", [1.943844, 3.6], ids=["knots", "km/h"])
def test_a_speed_in_the_wrong_unit_becomes_unknown_not_wrong(centre, line, factor):
    for told in drive(line, EIGHT):
        wrong = report(line, told.fix_time, 10.0 * (told.fix_time - EIGHT), speed_mps=10.0 * factor)
        centre.step([wrong], told.fix_time + 1)
    assert np.isnan(centre.picture.speed_mps[0])


def test_a_true_speed_stays_known(centre, line):
    for told in drive(line, EIGHT):
        centre.step([told], told.fix_time + 1)
    assert centre.picture.speed_mps[0] == pytest.approx(10.0)


def test_late_reports_fix_history_but_never_the_live_picture(centre, line):
    told = drive(line, EIGHT)
    centre.step(told[:200], EIGHT + 200)
    along = centre.picture.along_m[0]
    late = report(line, EIGHT + 50.5, 500.0, received_time=EIGHT + 200)
    outcome = centre.step([late], EIGHT + 201)
    assert outcome.verdicts == [None]
    assert centre.picture.along_m[0] == along
    assert centre.late == 1


def test_a_city_without_stops_takes_any_position():
    centre = ControlCentre(EMPTY)
    assert verdict(centre, report(straight(), EIGHT, 100.0)) is None


def test_invented_vehicles_beyond_the_most_a_city_has_are_refused_and_known_ones_are_not(line):
    centre = ControlCentre(city([line], []), Thresholds(vehicles_max=3))
    names = [f"1/{n}" for n in range(5)]
    told = [report(line, EIGHT + n, 100.0, vehicle_id=name) for n, name in enumerate([*names, "1/0"])]
    many = Reason.TOO_MANY_VEHICLES
    assert centre.step(told, EIGHT + 9).verdicts == [None, None, None, many, many, None]


def test_the_other_buses_are_untouched_by_one_bus_gone_mad(line):
    network = city([line], trips(line, [8 * 3600, 8 * 3600 + 600]))
    sane = drive(line, EIGHT, dwell_s=5.0, vehicle_id="1/1")
    mad = [
        report(line, EIGHT + s, (s * 977.0) % 4000, vehicle_id="1/2", heading_deg=(s * 77) % 360, speed_mps=99.0)
        for s in range(400)
    ]
    alone = [e for e in run(ControlCentre(network), sane) if getattr(e, "vehicle_id", "1/1") == "1/1"]
    together = [e for e in run(ControlCentre(network), sane + mad) if getattr(e, "vehicle_id", "") == "1/1"]
    kinds = (StopPassage, TripAssigned, TripEnded)
    assert [e for e in together if isinstance(e, kinds)] == [e for e in alone if isinstance(e, kinds)]


def _facts(events: Sequence[AnyEvent]) -> set:
    """Facts that do not depend on when somebody looked."""
    return {
        event_id(e)
        for e in events
        if isinstance(e, StopPassage | HeadwayObserved | TripAssigned | TripEnded | OffRoute)
    }


@given(seed=st.integers(0, 2**32 - 1), tick_s=st.sampled_from([0.25, 1.0, 2.0, 5.0]))
@settings(max_examples=5, deadline=None)
def test_shuffling_within_the_hold_and_the_length_of_ticks_change_no_fact(seed, tick_s):
    line = straight(length_m=1200.0)
    network = city([line], trips(line, [8 * 3600, 8 * 3600 + 600]))
    rng = np.random.default_rng(seed)
    told = drive(line, EIGHT, dwell_s=8.0, vehicle_id="1/1") + drive(
        line, EIGHT + 100, dwell_s=3.0, vehicle_id="1/2", trip_start_clock_s=8 * 3600 + 600
    )
    delayed = [
        report(
            line,
            r.fix_time,
            0.0,
            **{f: getattr(r, f) for f in r.__struct_fields__ if f != "received_time"},
            received_time=r.fix_time + float(rng.uniform(0.05, 4.0)),
        )
        for r in told
    ]
    assert _facts(run(ControlCentre(network), delayed, tick_s)) == _facts(run(ControlCentre(network), told, 1.0))


def test_a_step_with_nothing_in_it_changes_nothing_but_time(centre):
    assert centre.step([], EIGHT) == Outcome([], [])

"""Feeds as they come: everything usable is imported, everything wrong is listed with file and line."""

import csv
import io
import zipfile
from contextlib import suppress
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.network.gtfs import NotAFeed, read_feed
from dispatch.network.model import ShapeSource
from dispatch.network.service_time import service_dates_at, service_midnight_time
from dispatch.network.timetable import Timetable

FEEDS = [
    "gtfs/bullrunner.zip",
    "gtfs/cairns.zip",
    "gtfs/porto-alegre.zip",
    "gtfs/sao-paulo.zip",
    "wmata-2026-02-16/gtfs.zip",
]
GOOD = {
    "agency.txt": "agency_name,agency_url,agency_timezone\nA,http://a.example,Europe/Helsinki\n",
    "routes.txt": "route_id,route_short_name,route_type,route_color\nR,1,3,00FF00\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\nA,Aa,60.0,25.0\nB,Bb,60.0,25.01\nC,Cc,60.0,25.02\n",
    "trips.txt": "route_id,service_id,trip_id,shape_id,block_id\nR,S,T,H,B1\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "T,23:50:00,23:50:00,A,1\nT,,,B,2\nT,24:10:00,24:10:00,C,3\n",
    "shapes.txt": "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\nH,60.0,25.0,1\nH,60.0,25.01,2\nH,60.0,25.02,3\n",
    "calendar.txt": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
    "S,1,1,1,1,1,0,0,20260101,20261231\n",
    "calendar_dates.txt": "service_id,date,exception_type\nS,20260103,1\nS,20260105,2\n",
}


def feed(tmp_path, folder="", **changed):
    path = tmp_path / "feed.zip"
    files = GOOD | {name.replace("__", "."): text for name, text in changed.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            if text is not None:
                archive.writestr(folder + name, text)
    return read_feed(path)


def problems(network):
    return [(p.file, p.row, p.code) for p in network.problems]


def test_a_good_feed_has_no_problems_and_its_blanks_are_filled_by_distance(tmp_path):
    network = feed(tmp_path)
    trip = network.trips["T"]
    assert network.problems == ()
    assert trip.arrival_service_s.tolist() == [85_800, 86_400, 87_000]
    assert trip.block_id == "B1"
    assert network.routes["R"].color == "00FF00"
    assert network.timezone == "Europe/Helsinki"


def test_exceptions_add_and_remove_service(tmp_path):
    calendar = feed(tmp_path).calendar
    assert calendar.services_on(date(2026, 1, 2)) == {"S"}
    assert calendar.services_on(date(2026, 1, 3)) == {"S"}  # a Saturday, added
    assert calendar.services_on(date(2026, 1, 5)) == frozenset()  # a Monday, removed
    assert calendar.services_on(date(2027, 1, 1)) == frozenset()


def test_files_in_a_folder_of_the_zip_with_a_bom_and_spaces_in_the_header_are_read(tmp_path):
    routes = "\ufeffroute_id, route_short_name, route_type\r\nR,1,3\r\n"
    assert list(feed(tmp_path, "city/", routes__txt=routes).routes) == ["R"]


def test_a_feed_without_shapes_gets_straight_lines_and_says_so(tmp_path):
    network = feed(tmp_path, shapes__txt=None)
    (pattern,) = network.patterns.values()
    assert pattern.shape_source is ShapeSource.STRAIGHT
    assert problems(network) == [("trips.txt", None, "no_shape")]
    assert pattern.stop_along_m[1] == pytest.approx(pattern.length_m / 2, rel=0.01)


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("stops__txt", GOOD["stops.txt"] + "A,again,60,25\n", ("stops.txt", 5, "duplicate_key")),
        ("stops__txt", GOOD["stops.txt"] + "D,D,sixty,25\n", ("stops.txt", 5, "not_a_number")),
        ("stops__txt", GOOD["stops.txt"] + "D,D,0,0\n", ("stops.txt", 5, "invalid_position")),
        ("stops__txt", GOOD["stops.txt"] + "D,D,95,25\n", ("stops.txt", 5, "invalid_position")),
        ("stops__txt", GOOD["stops.txt"] + "D,D,nan,25\n", ("stops.txt", 5, "not_a_number")),
        ("trips__txt", GOOD["trips.txt"] + "X,S,T2,H,\n", ("trips.txt", 3, "unknown_route")),
        ("trips__txt", GOOD["trips.txt"] + "R,X,T2,H,\n", ("trips.txt", 3, "unknown_service")),
        ("trips__txt", GOOD["trips.txt"] + "R,S,T2,H,\n", ("trips.txt", 3, "trip_without_times")),
        ("stop_times__txt", GOOD["stop_times.txt"] + "T,25:00:00,25:00:00,Z,4\n", ("stop_times.txt", 5, "unknown_stop")),
        ("stop_times__txt", GOOD["stop_times.txt"] + "Z,25:00:00,25:00:00,C,4\n", ("stop_times.txt", 5, "unknown_trip")),
        ("stop_times__txt", GOOD["stop_times.txt"] + "T,25:61:00,,C,4\n", ("stop_times.txt", 5, "not_a_time")),
        ("stop_times__txt", GOOD["stop_times.txt"] + "T,23:00:00,23:00:00,C,4\n", ("stop_times.txt", 5, "time_runs_backwards")),
        ("calendar_dates__txt", GOOD["calendar_dates.txt"] + "S,20261340,1\n", ("calendar_dates.txt", 4, "not_a_date")),
        ("calendar_dates__txt", GOOD["calendar_dates.txt"] + "S,20260601,7\n", ("calendar_dates.txt", 4, "unknown_exception_type")),
        ("routes__txt", "route_id,route_short_name,route_type,route_color\nR,1,3,green\n", ("routes.txt", 2, "invalid_color")),
        ("agency__txt", "agency_name,agency_timezone\nA,Mars/Base\n", ("agency.txt", 2, "unknown_timezone")),
        ("shapes__txt", "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\nH,60,25,1\n", ("shapes.txt", 2, "shape_too_short")),
        ("shapes__txt", "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\nH,61.0,25.0,1\nH,61.0,25.02,3\n",
         ("shapes.txt", None, "stop_far_from_shape")),
        ("frequencies__txt", "trip_id,start_time,end_time,headway_secs\nT,06:00:00,05:00:00,600\n", ("frequencies.txt", 2, "empty_window")),
        ("calendar__txt", "service_id,monday\nS,1\n", ("calendar.txt", 1, "missing_column")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_listed_with_file_and_line_and_the_rest_is_imported(tmp_path, file, text, found):
    network = feed(tmp_path, **{file: text})
    assert found in problems(network)
    assert set(network.stops) >= {"A", "B", "C"}
    if file != "calendar__txt":
        assert "T" in network.trips


@pytest.mark.parametrize("name", ["stops.txt", "routes.txt", "trips.txt", "stop_times.txt"])
def test_a_feed_without_one_of_its_pillars_is_no_feed(tmp_path, name):
    with pytest.raises(NotAFeed, match=name):
        feed(tmp_path, **{name.replace(".", "__"): None})


def test_what_is_no_zip_is_no_feed(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"not a zip")
    for path in (tmp_path / "x.zip", tmp_path / "none.zip", tmp_path):
        with pytest.raises(NotAFeed):
            read_feed(path)


@given(st.sampled_from(sorted(GOOD)), st.data())
@settings(max_examples=60, deadline=None)
def test_no_damage_to_a_feed_raises_anything_but_not_a_feed(tmp_path_factory, name, data):
    text = GOOD[name]
    at = data.draw(st.integers(0, len(text)))
    broken = text[:at] + data.draw(st.text(max_size=12)) + text[at + data.draw(st.integers(0, 8)) :]
    with suppress(NotAFeed):
        feed(tmp_path_factory.mktemp("feed"), **{name.replace(".", "__"): broken})


@pytest.mark.parametrize("name", FEEDS)
def test_the_counts_of_a_real_feed_are_those_an_independent_count_gives(shared_data, name):
    network = read_feed(shared_data / name)
    with zipfile.ZipFile(shared_data / name) as archive:
        rows = {
            file: list(csv.DictReader(io.TextIOWrapper(archive.open(file), "utf-8-sig")))
            for file in archive.namelist()
            if file != "shapes.txt"
        }
    sequences = {}
    for row in rows["stop_times.txt"]:
        sequences.setdefault(row["trip_id"], []).append((int(row["stop_sequence"]), row["stop_id"]))
    trips = {r["trip_id"]: (r["route_id"], r.get("direction_id") or "0") for r in rows["trips.txt"]}
    distinct = {(trips[t], tuple(s for _, s in sorted(stops))) for t, stops in sequences.items() if t in trips}
    assert len(network.routes) == len(rows["routes.txt"])
    assert len(network.stops) == len(rows["stops.txt"])
    assert len(network.trips) == len(rows["trips.txt"])
    assert len(network.patterns) == len(distinct)
    assert sum(len(t.windows) for t in network.trips.values()) == len(rows.get("frequencies.txt", []))


@pytest.mark.parametrize("name", FEEDS)
def test_every_pattern_of_a_real_feed_keeps_what_the_model_promises(shared_data, name):
    for pattern in read_feed(shared_data / name).patterns.values():
        assert (np.diff(pattern.along_m) > 0).all(), pattern.pattern_id
        assert (np.diff(pattern.stop_along_m) >= 0).all(), pattern.pattern_id
        assert pattern.stop_along_m[0] >= 0
        assert pattern.stop_along_m[-1] <= pattern.length_m
        assert len(pattern.stop_ids) == len(pattern.stop_along_m)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_service_day_begins_at_noon_less_twelve_hours_whatever_the_clocks_do(day, hours):
    begin = service_midnight_time(day, "Europe/Helsinki")
    following = service_midnight_time(date.fromordinal(day.toordinal() + 1), "Europe/Helsinki")
    noon = datetime.fromtimestamp(begin + 12 * 3600, UTC)
    assert noon.hour in (9, 10)
    assert (following - begin) / 3600 in (hours, 24)


def test_just_after_midnight_the_trips_of_yesterday_still_run(tmp_path):
    network = feed(tmp_path)
    late = service_midnight_time(date(2026, 1, 6), "Europe/Helsinki") + 86_400 + 300  # 00:05 of the 7th
    assert service_dates_at(late, network.timezone) == [date(2026, 1, 6), date(2026, 1, 7)]
    (running,) = Timetable(network).running_at(late)
    assert running.service_date == date(2026, 1, 6)


def test_a_trip_is_found_by_the_clock_at_its_start_even_past_midnight(tmp_path):
    times = GOOD["stop_times.txt"].replace("23:50", "24:50").replace("24:10", "25:10")
    timetable = Timetable(feed(tmp_path, stop_times__txt=times))
    (found,) = timetable.find_trips("R", 0, date(2026, 1, 6), 50 * 60)
    assert found.start_time == service_midnight_time(date(2026, 1, 6), "Europe/Helsinki") + 24 * 3600 + 50 * 60


def test_frequencies_repeat_a_trip_and_give_its_headway(tmp_path):
    windows = (
        "trip_id,start_time,end_time,headway_secs,exact_times\nT,06:00:00,07:00:00,600,0\nT,07:00:00,08:00:00,1200,1\n"
    )
    timetable = Timetable(feed(tmp_path, frequencies__txt=windows))
    trips = timetable.trips_on(date(2026, 1, 6))
    assert [t.dated_trip_id for t in trips][:2] == ["T@06:00:00", "T@06:10:00"]
    assert [t.exact for t in trips] == [False] * 6 + [True] * 3
    assert timetable.target_headways_s(trips[2]).tolist() == [600.0] * 3
    assert timetable.target_headways_s(trips[-1]).tolist() == [1200.0] * 3

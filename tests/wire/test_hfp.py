"""HFP bytes to reports and back; no bytes make it raise, and every documented quirk has a test by its number."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.recording import read_messages
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
from dispatch.wire.decode import decode
from dispatch.wire.fleet import encode_sensor, encode_status, status_topic
from dispatch.wire.hfp import encode_hfp
from dispatch.wire.topics import route_filters, split_topic

NOW = 1_698_609_480.0
JOURNEY = "/hfp/v2/journey/ongoing/{event}/bus/0018/00679/1064/2/Rautatientori/21:57/1353117/5/60;24/29/56/11"
DEADRUN = "/hfp/v2/deadrun/ongoing/{event}/bus/0012/01211"


def body(**told) -> dict:
    fields = {"desi": "64", "dir": "2", "oper": 6, "veh": 679, "tst": "2023-10-29T19:57:59.346Z", "tsi": 1698609479,
              "spd": 4.5, "hdg": 200, "lat": 60.251234, "long": 24.961987, "acc": 0.0, "dl": -60, "odo": 120, "drst": 1,
              "oday": "2023-10-29", "jrn": 1249, "line": 80, "start": "21:57", "loc": "GPS", "stop": 1353117,
              "route": "1064", "occu": 0}  # fmt: skip
    return fields | told


def vp(topic: str = JOURNEY.format(event="vp"), **told):
    return decode(topic, json.dumps({"VP": body(**told)}).encode(), NOW)


def test_a_position_says_what_it_said_in_si_units_and_our_signs():
    report = vp()
    assert isinstance(report, VehicleReport)
    assert report.vehicle_id == "0018/00679"
    assert (report.kind, report.duty) == (ReportKind.POSITION, Duty.IN_SERVICE)
    assert report.fix_time == 1_698_609_479.346
    assert (report.route_id, report.direction_id, report.trip_start_clock_s) == ("1064", 1, 21 * 3600 + 57 * 60)
    assert report.company_id == "6"
    assert report.doors_open is True
    assert report.extra == {"jrn": 1249, "line": 80}


def test_dl_is_turned_once_so_that_late_is_positive():
    assert vp(dl=-60).schedule_deviation_s == 60.0
    assert vp(dl=25).schedule_deviation_s == -25.0


def test_quirk_1_stop_may_be_a_number_or_a_text_and_is_written_as_a_number():
    assert vp(stop=1353117).stop_id == vp(stop="1353117").stop_id == "1353117"
    assert json.loads(encode_hfp(vp(stop="1353117"))[1])["VP"]["stop"] == 1353117


def test_quirk_2_fields_nobody_documented_are_kept():
    assert vp(block=104, **{"new-thing": [1, {"a": None}]}).extra["new-thing"] == [1, {"a": None}]
    assert vp(block=104).extra["block"] == 104


def test_quirk_3_an_answer_to_a_priority_request_names_its_junction_in_the_topic_only():
    topic = "/hfp/v2/journey/ongoing/tla/tram/0040/00407/1010B/2/Kolmikulma/22:00/1140441/4/60;24/19/91/13/75"
    payload = json.dumps({"TLA": body(veh=407, **{"tlp-requestid": 219, "tlp-decision": "ACK"})}).encode()
    report = decode(topic, payload, NOW)
    assert (report.kind, report.extra["sid"], report.extra["tlp-decision"]) == (ReportKind.PRIORITY_ANSWERED, 75, "ACK")
    assert decode(*encode_hfp(report), NOW) == report


def test_quirk_4_a_decision_may_stand_in_a_request():
    payload = json.dumps({"TLR": body(**{"tlp-decision": "NAK", "tlp-reason": "AHEAD"})}).encode()
    assert decode(JOURNEY.format(event="tlr"), payload, NOW).extra["tlp-decision"] == "NAK"


def test_quirk_5_a_deadrun_with_a_stale_route_and_stop_is_a_deadrun():
    fields = body(veh=1211, desi=None, dir=None, oper=None, dl=None, oday=None, jrn=None, line=None, start=None)
    report = decode(DEADRUN.format(event="vp"), json.dumps({"VP": fields}).encode(), NOW)
    assert (report.duty, report.route_id, report.stop_id) == (Duty.DEADHEAD, None, None)
    assert report.extra == {"route": "1064", "stop": 1353117}


@pytest.mark.parametrize("event", ["doo", "doc", "bout"])
def test_quirk_6_door_and_block_events_come_on_deadruns_too(event):
    payload = json.dumps({event.upper(): body(veh=1211)}).encode()
    assert decode(DEADRUN.format(event=event), payload, NOW).duty is Duty.DEADHEAD


def test_quirk_6_a_sign_on_has_no_deviation_and_no_odometer():
    payload = json.dumps({"VJA": body(dl=None, odo=None)}).encode()
    report = decode(JOURNEY.format(event="vja"), payload, NOW)
    assert (report.kind, report.schedule_deviation_s, report.odometer_m) == (ReportKind.TRIP_SIGNED_ON, None, None)


def test_quirk_7_whole_number_speeds_are_speeds():
    assert vp(spd=4).speed_mps == 4.0


def test_quirk_8_the_largest_odometer_means_unknown():
    report = vp(odo=2_147_483_647)
    assert (report.odometer_m, report.extra["odo"]) == (None, 2_147_483_647)


def test_quirk_9_a_negative_dl_survives_the_round_trip():
    assert json.loads(encode_hfp(vp(dl=-525))[1])["VP"]["dl"] == -525


def test_quirk_10_the_time_of_arrival_is_ours_and_the_clock_of_the_bus_is_kept_as_told():
    report = vp(tst="2030-01-01T00:00:00.000Z", tsi=1893456000)
    assert (report.received_time, report.fix_time) == (NOW, 1_893_456_000.0)


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        ("garbage bytes", b"\xff\xfe\x00garbage", Reason.PAYLOAD_NOT_JSON),
        ("truncated JSON", b'{"VP":{"tst":"2023', Reason.PAYLOAD_NOT_JSON),
        ("NaN", b'{"VP":{"tst":"2023-10-29T19:57:59.346Z","spd":NaN}}', Reason.PAYLOAD_NOT_JSON),
        ("Infinity", b'{"VP":{"tst":"2023-10-29T19:57:59.346Z","spd":Infinity}}', Reason.PAYLOAD_NOT_JSON),
        ("empty", b"", Reason.PAYLOAD_NOT_JSON),
        ("a list", b"[1]", Reason.PAYLOAD_SHAPE),
        ("two keys", b'{"VP":{},"DUE":{}}', Reason.PAYLOAD_SHAPE),
        ("null body", b'{"VP":null}', Reason.PAYLOAD_SHAPE),
        ("another event", b'{"DUE":{}}', Reason.EVENT_MISMATCH),
        ("no time", b'{"VP":{}}', Reason.FIELD_MISSING),
        ("a time that is a number", b'{"VP":{"tst":12}}', Reason.FIELD_TYPE),
        ("a time that is none", b'{"VP":{"tst":"yesterday"}}', Reason.FIELD_RANGE),
        ("a megabyte", b" " * 1_000_000, Reason.PAYLOAD_TOO_LARGE),
        ("brackets a thousand deep", b"[" * 60_000, Reason.PAYLOAD_NOT_JSON),
    ],
)
def test_a_payload_that_says_nothing_is_rejected_with_its_reason(name, payload, reason):
    refused = decode(JOURNEY.format(event="vp"), payload, NOW)
    assert isinstance(refused, Rejected), name
    assert refused.reason is reason
    assert refused.vehicle_id == "0018/00679"
    assert len(refused.payload) <= 1000


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"veh": 680}, Reason.VEHICLE_MISMATCH),
        ({"tsi": 1698609999}, Reason.FIELD_RANGE),
        ({"lat": 0, "long": 0}, Reason.COORDINATES_ZERO),
        ({"lat": 124.9, "long": 60.2}, Reason.COORDINATES_SWAPPED),
        ({"lat": 60.2, "long": 1000.0}, Reason.FIELD_RANGE),
        ({"tst": None}, Reason.FIELD_MISSING),
    ],
)
def test_a_message_that_contradicts_itself_is_rejected_with_its_reason(fields, reason):
    assert vp(**fields).reason is reason


@pytest.mark.parametrize(
    ("field", "value", "attribute"),
    [
        ("hdg", 361, "heading_deg"),
        ("hdg", -1, "heading_deg"),
        ("hdg", "north", "heading_deg"),
        ("spd", -10.0, "speed_mps"),
        ("spd", 999, "speed_mps"),
        ("spd", "12", "speed_mps"),
        ("spd", True, "speed_mps"),
        ("dl", 10**12, "schedule_deviation_s"),
        ("odo", -5, "odometer_m"),
        ("drst", -100, "doors_open"),
        ("drst", 2, "doors_open"),
        ("occu", 101, "occupancy_share"),
        ("oday", "2023-13-45", "service_date"),
        ("stop", {"a": 1}, "stop_id"),
        ("lat", "60.2", "lat"),
        ("lat", None, "lon"),
    ],
)
def test_a_measurement_that_cannot_be_is_unknown_and_what_stood_there_is_kept(field, value, attribute):
    report = vp(**{field: value})
    assert isinstance(report, VehicleReport)
    assert getattr(report, attribute) is None
    if value is not None:
        assert report.extra[field] == value


def test_heading_360_is_north():
    assert vp(hdg=360).heading_deg == 0.0


def test_an_unknown_source_of_location_is_unknown_and_kept():
    assert (vp(loc="GPSi").location_source, vp(loc="GPSi").extra["loc"]) == (LocationSource.UNKNOWN, "GPSi")
    assert vp(loc="DR").location_source is LocationSource.DEAD_RECKONING


@pytest.mark.parametrize(
    "topic",
    ["", "/", "/hfp/v2", "/hfp/v2/journey/ongoing/vp/bus/0018", "/hfp/v2/journey/ongoing/vp/bus/0018/00679/1064/2"],
)
def test_a_topic_with_too_few_levels_is_rejected(topic):
    assert decode(topic, b"{}", NOW).reason in (Reason.TOPIC_TOO_SHORT, Reason.TOPIC_UNKNOWN)


@pytest.mark.parametrize(
    "topic",
    ["/hfp/v2/odd/ongoing/vp/bus/1/2", "/hfp/v2/journey/never/vp/bus/1/2", DEADRUN.format(event="zz"), "x/y"],
)
def test_a_topic_of_another_kind_is_rejected(topic):
    assert decode(topic, b"{}", NOW).reason is Reason.TOPIC_UNKNOWN


def test_a_headsign_with_slashes_is_read_whole_and_written_without():
    topic = JOURNEY.format(event="vp").replace("Rautatientori", "Vantaa/koski/A+B #2")
    report = vp(topic)
    assert report.headsign == "Vantaa/koski/A+B #2"
    assert (report.trip_start_clock_s, report.next_stop_id) == (21 * 3600 + 57 * 60, "1353117")
    written = encode_hfp(report)[0]
    assert written.count("/") == 18
    assert not set("+#") & set(written)


def test_the_end_of_the_line_and_leaving_the_area_are_told_apart():
    assert vp(JOURNEY.format(event="vp").replace("1353117", "EOL")).end_of_line
    left = vp(JOURNEY.format(event="vp").replace("1353117", ""))
    assert (left.end_of_line, left.next_stop_id) == (False, None)


def test_a_retained_position_is_never_live_but_a_retained_status_is_a_status():
    payload = json.dumps({"VP": body()}).encode()
    assert decode(JOURNEY.format(event="vp"), payload, NOW, retained=True).reason is Reason.RETAINED
    assert decode("fleet/v1/1/2/sensor", b"{}", NOW, retained=True).reason is Reason.RETAINED
    assert decode("fleet/v1/1/2/status", b'{"state":"online"}', NOW, retained=True).online is True


def test_status_and_sensor_go_there_and_back():
    status = decode(status_topic("1/2"), encode_status(online=False, time=NOW), NOW)
    assert status == VehicleStatus(vehicle_id="1/2", received_time=NOW, online=False, status_time=NOW)
    sensor = SensorReport(
        vehicle_id="1/2", received_time=NOW, fix_time=NOW, hdop=0.9, satellites=11, boardings=3, panic=True
    )
    assert decode(*encode_sensor(sensor), NOW) == sensor


def test_a_call_for_help_is_heard_even_with_a_broken_clock():
    report = decode("fleet/v1/1/2/sensor", b'{"at":"rubbish","panic":true}', NOW)
    assert (report.panic, report.fix_time) == (True, NOW)


@pytest.mark.parametrize("name", ["hfp-sample-vp.json", "hfp-sample-pas.json", "hfp-tlr-sample.json"])
def test_the_official_samples_decode(shared_data, name):
    assert isinstance(_sample(shared_data, name), VehicleReport)


def test_the_official_sample_with_a_field_missing_decodes_with_that_unknown(shared_data):
    assert _sample(shared_data, "hfp-tlr-sample-missing.json").location_source is LocationSource.UNKNOWN


def test_the_official_invalid_sample_decodes_with_the_invalid_words_kept_apart(shared_data):
    report = _sample(shared_data, "hfp-tlr-sample-invalid.json")
    assert (report.location_source, report.extra["loc"]) == (LocationSource.UNKNOWN, "GPSi")


def test_the_official_garbage_sample_has_a_time_and_nothing_else_that_can_be_used(shared_data):
    report = _sample(shared_data, "garbage-data.json")
    assert isinstance(report, VehicleReport)
    assert (report.lat, report.speed_mps, report.doors_open, report.service_date) == (None, None, None, None)


def test_the_official_passenger_counts_decode_to_sums(shared_data):
    payload = (shared_data / "hfp" / "passenger-count-sample.json").read_bytes()
    report = decode("/hfp/v2/journey/ongoing/apc/bus/0012/00010", payload, NOW)
    assert (report.boardings, report.alightings) == (1, 2)


def _sample(shared_data, name):
    payload = (shared_data / "hfp" / name).read_bytes()
    ((event, fields),) = json.loads(payload).items()
    topic = f"/hfp/v2/journey/ongoing/{event.lower()}/bus/0022/{fields.get('veh', 1):05d}/1064/1/X/10:15/1/0////"
    return decode(topic, payload, NOW)


def test_every_recorded_line_decodes_and_encodes_to_the_same_values(shared_data):
    previous = {}
    count = 0
    for message in read_messages(shared_data / "hfp" / "recorded.dump"):
        report = decode(message.topic, message.payload, message.received_time)
        assert isinstance(report, VehicleReport), message
        topic, payload = encode_hfp(report, previous.get(report.vehicle_id))
        previous[report.vehicle_id] = report
        assert decode(topic, payload, message.received_time) == report
        told, written = (next(iter(json.loads(p).values())) for p in (message.payload, payload))
        assert _known(written) == _known(told)
        ours, theirs = topic.split("/"), message.topic.split("/")
        assert [a for a, b in zip(ours, theirs, strict=True) if a != b] in ([], [ours[14:15][0]] if ours[14:] else [])
        count += 1
    assert count == 639


def _known(fields):
    return {name: value for name, value in fields.items() if value is not None}


wire_time = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000.0)
name_text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/+#"), min_size=1, max_size=12)
report_strategy = st.builds(
    VehicleReport,
    vehicle_id=st.builds("{}/{:05d}".format, st.sampled_from(["0012", "0018"]), st.integers(0, 99_999)),
    received_time=st.just(NOW),
    kind=st.sampled_from([k for k in ReportKind if k.name not in ("PRIORITY_ASKED", "PRIORITY_ANSWERED")]),
    duty=st.just(Duty.IN_SERVICE),
    fix_time=wire_time,
    lat=st.integers(-89_000_000, 89_000_000).filter(bool).map(lambda v: v / 1e6),
    lon=st.integers(-179_000_000, 179_000_000).map(lambda v: v / 1e6),
    speed_mps=st.none() | st.integers(0, 15_000).map(lambda v: v / 100),
    heading_deg=st.none() | st.integers(0, 359).map(float),
    acceleration_mps2=st.none() | st.integers(-5000, 5000).map(lambda v: v / 100),
    odometer_m=st.none() | st.integers(0, 10**8).map(float),
    location_source=st.sampled_from(LocationSource),
    doors_open=st.none() | st.booleans(),
    upcoming=st.booleans(),
    route_id=st.none() | name_text,
    direction_id=st.sampled_from([None, 0, 1]),
    headsign=st.none() | name_text,
    service_date=st.none() | st.dates().map(lambda d: d.isoformat()),
    trip_start_clock_s=st.none() | st.integers(0, 1439).map(lambda m: m * 60),
    next_stop_id=st.none() | st.integers(1, 10**9).map(str),
    stop_id=st.none() | st.integers(0, 10**9).map(str),
    route_label=st.none() | name_text,
    company_id=st.none() | st.integers(0, 999).map(str),
    schedule_deviation_s=st.none() | st.integers(-80_000, 80_000).map(float),
    occupancy_share=st.none() | st.integers(0, 100).map(lambda v: v / 100),
    scheduled_arrival_time=st.none() | wire_time,
    scheduled_departure_time=st.none() | wire_time,
)


@given(report_strategy)
@settings(max_examples=150, deadline=None)
def test_what_is_encoded_decodes_to_the_same_report(report):
    assert decode(*encode_hfp(report), NOW) == report


@given(topic=st.text(max_size=200), payload=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_topic_and_no_bytes_raise(topic, payload):
    for start in (
        "",
        "/hfp/v2/journey/ongoing/vp/bus/1/2/",
        "/hfp/v2/journey/ongoing/apc/",
        "fleet/v1/1/2/sensor",
        "fleet/v1/",
    ):
        decode(start + topic, payload, NOW)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(body())), json_values))
@settings(max_examples=300, deadline=None)
def test_no_value_in_any_field_raises(wrong):
    outcome = vp(**wrong)
    assert isinstance(outcome, VehicleReport | Rejected)
    if isinstance(outcome, VehicleReport):
        encode_hfp(outcome)


def test_shares_of_routes_are_disjoint_filters_and_odd_routes_are_left_out():
    one = route_filters(["A", "B/C"], with_unrouted=True)
    two = route_filters(["D"], with_unrouted=False)
    assert not set(one) & set(two)
    assert "/hfp/v2/deadrun/#" in one
    assert not any("B/C" in f for f in one)


def test_the_geohash_level_is_the_place_of_the_first_digit_that_changed():
    first = vp(lat=60.123456, long=24.056789)
    for second, level in (
        (vp(lat=61.123456, long=24.056789), "0"),
        (vp(lat=60.223456, long=24.056789), "1"),
        (vp(lat=60.123456, long=24.066789), "2"),
        (vp(lat=60.124456, long=24.056789), "3"),
        (vp(lat=60.123556, long=24.056789), "4"),
        (vp(lat=60.123457, long=24.056789), "5"),
    ):
        assert encode_hfp(second, first)[0].split("/")[14] == level
    assert encode_hfp(vp(lat=60.123, long=24.789))[0].split("/")[15:] == ["60;24", "17", "28", "39"]


def test_a_topic_is_taken_apart_by_its_levels():
    parts = split_topic(JOURNEY.format(event="vp"))
    assert (parts.operator, parts.vehicle, parts.journey.route_id) == ("0018", "00679", "1064")

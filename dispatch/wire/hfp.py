"""HFP v2 payloads to reports and back. HFP's words stay in here; bad bytes come out as Rejected.

Required are the vehicle (topic) and the time (``tst``). A measurement that is out of range or of the wrong type
becomes unknown, and what stood there is kept in ``extra`` under its HFP name, like every field that has no name in
the vocabulary. Null and absent mean the same.
"""

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from dispatch.reports import Duty, Input, LocationSource, Reason, Rejected, VehicleReport
from dispatch.units import iso_from_time
from dispatch.wire.topics import (
    EVENT_OF_KIND,
    KIND_OF_EVENT,
    JourneyLevels,
    Topic,
    clock,
    clock_s,
    join_topic,
    split_topic,
)

_PAYLOAD_KEPT = 1_000
_ODOMETER_UNKNOWN = 2_147_483_647  # seen in HSL's own tests
_LOCATION = {
    "GPS": LocationSource.GNSS,
    "ODO": LocationSource.ODOMETER,
    "DR": LocationSource.DEAD_RECKONING,
    "MAN": LocationSource.MANUAL,
    "N/A": LocationSource.UNKNOWN,
}
_LOCATION_WORD = {source: word for word, source in _LOCATION.items()}
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode_hfp(topic: str, payload: bytes, received_time: float) -> Input:
    """A report, or Rejected with the reason; never raises."""
    parts = split_topic(topic)
    if isinstance(parts, str):
        return rejected(
            Reason.TOPIC_TOO_SHORT if "levels" in parts else Reason.TOPIC_UNKNOWN, received_time, topic, parts, payload
        )
    kind = KIND_OF_EVENT.get(parts.event)
    if kind is None:
        return rejected(Reason.TOPIC_UNKNOWN, received_time, topic, f"event {parts.event[:20]!r}", payload)
    try:
        message = _decode_any(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return rejected(Reason.PAYLOAD_NOT_JSON, received_time, topic, str(error), payload)
    if not isinstance(message, dict) or len(message) != 1:
        return rejected(Reason.PAYLOAD_SHAPE, received_time, topic, "not an object with one key", payload)
    ((event, body),) = message.items()
    if event.lower() != parts.event:
        return rejected(Reason.EVENT_MISMATCH, received_time, topic, f"payload says {event[:20]!r}", payload)
    if not isinstance(body, dict):
        return rejected(Reason.PAYLOAD_SHAPE, received_time, topic, f"{event} holds no object", payload)
    refusal = _refusal(parts, body)
    if refusal is not None:
        return rejected(refusal[0], received_time, topic, refusal[1], payload)
    fix_time = instant(body.get("tst"))
    assert fix_time is not None
    return _report(parts, body, fix_time, received_time)


def rejected(reason: Reason, received_time: float, topic: str, detail: str, payload: bytes) -> Rejected:
    """A refusal with the head of what was refused; the vehicle is named where the topic does."""
    levels = topic.split("/", 9)
    vehicle_id = f"{levels[7]}/{levels[8]}" if len(levels) > 8 and levels[1] == "hfp" else None
    return Rejected(
        reason=reason,
        received_time=received_time,
        topic=topic[:_PAYLOAD_KEPT],
        detail=detail[:200],
        vehicle_id=vehicle_id,
        payload=payload[:_PAYLOAD_KEPT],
    )


def instant(text: object) -> float | None:
    """UTC s from ISO 8601 with an offset; None if it is none."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else (found - _EPOCH).total_seconds()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _refusal(parts: Topic, body: dict[str, Any]) -> tuple[Reason, str] | None:
    """Why the whole message cannot be used."""
    if body.get("tst") is None:
        return Reason.FIELD_MISSING, "tst"
    fix_time = instant(body["tst"])
    if fix_time is None:
        wrong_type = not isinstance(body["tst"], str)
        return (Reason.FIELD_TYPE if wrong_type else Reason.FIELD_RANGE), f"tst {str(body['tst'])[:40]!r}"
    whole = body.get("tsi")
    if isinstance(whole, int | float) and abs(whole - fix_time) > 1.0:
        return Reason.FIELD_RANGE, f"tsi {whole} is not tst {body['tst']}"
    veh = body.get("veh")
    if isinstance(veh, int) and parts.vehicle.isascii() and parts.vehicle.isdigit() and int(parts.vehicle) != veh:
        return Reason.VEHICLE_MISMATCH, f"veh {veh}"
    return _position_refusal(body.get("lat"), body.get("long"))


def _position_refusal(lat: object, lon: object) -> tuple[Reason, str] | None:
    if not _is_number(lat) or not _is_number(lon):
        return None
    assert isinstance(lat, int | float)
    assert isinstance(lon, int | float)
    if lat == 0 and lon == 0:
        return Reason.COORDINATES_ZERO, "lat 0, long 0"
    if abs(lat) <= 90 and abs(lon) <= 180:
        return None
    swapped = abs(lon) <= 90 and abs(lat) <= 180
    return (Reason.COORDINATES_SWAPPED if swapped else Reason.FIELD_RANGE), f"lat {lat}, long {lon}"


class _Reader:
    """Takes known fields out of a body; what it could not use stays, to be kept as extra."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.left = {name: value for name, value in body.items() if value is not None}

    def number(self, name: str, low: float, high: float) -> float | None:
        value: Any = self.left.get(name)
        if not _is_number(value) or not low <= value <= high:
            return None
        del self.left[name]
        return float(value)

    def flag(self, name: str) -> bool | None:
        value = self.left.get(name)
        if value is True or value is False or value not in (0, 1) or isinstance(value, float):
            return None
        del self.left[name]
        return bool(value)

    def identifier(self, name: str) -> str | None:
        """A text, or a whole number written as text."""
        value = self.left.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            return None
        del self.left[name]
        return str(value)

    def time(self, name: str) -> float | None:
        value = instant(self.left.get(name))
        if value is not None:
            del self.left[name]
        return value

    def drop(self, name: str, value: object) -> None:
        """Forget a field that only repeats what is known."""
        if name in self.left and self.left[name] == value:
            del self.left[name]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _report(parts: Topic, body: dict[str, Any], fix_time: float, received_time: float) -> VehicleReport:
    take = _Reader(body)
    for name in ("tst", "tsi"):
        take.left.pop(name, None)
    take.left.pop("veh", None)
    lat, lon = take.left.get("lat"), take.left.get("long")
    placed = _is_number(lat) and _is_number(lon)
    if placed:
        del take.left["lat"], take.left["long"]
    odometer = take.number("odo", 0, _ODOMETER_UNKNOWN - 1)
    heading = take.number("hdg", 0, 360)
    late = take.number("dl", -86_400, 86_400) if parts.journey else None
    occupied = take.number("occu", 0, 100)
    location = take.left.get("loc")
    if isinstance(location, str) and location in _LOCATION:
        del take.left["loc"]
    journey = parts.journey
    return VehicleReport(
        vehicle_id=f"{parts.operator}/{parts.vehicle}",
        received_time=received_time,
        kind=KIND_OF_EVENT[parts.event],
        duty=parts.duty,
        fix_time=fix_time,
        lat=float(lat) if placed and lat is not None else None,
        lon=float(lon) if placed and lon is not None else None,
        speed_mps=take.number("spd", 0, 150),
        heading_deg=None if heading is None else heading % 360.0,
        acceleration_mps2=take.number("acc", -50, 50),
        odometer_m=odometer,
        location_source=_LOCATION.get(location, LocationSource.UNKNOWN)
        if isinstance(location, str)
        else LocationSource.UNKNOWN,
        doors_open=take.flag("drst"),
        upcoming=parts.upcoming,
        transport_mode=parts.transport_mode,
        route_id=journey.route_id if journey else None,
        direction_id=journey.direction_id if journey else None,
        headsign=journey.headsign if journey else None,
        service_date=_service_date(take) if journey else None,
        trip_start_clock_s=_start(take, journey) if journey else None,
        next_stop_id=journey.next_stop_id if journey else None,
        end_of_line=journey.end_of_line if journey else False,
        stop_id=take.identifier("stop") if journey else None,
        route_label=take.identifier("desi") if journey else None,
        company_id=take.identifier("oper"),
        schedule_deviation_s=None if late is None else 0.0 - late,  # HFP: negative is late
        occupancy_share=None if occupied is None else occupied / 100.0,
        scheduled_arrival_time=take.time("ttarr"),
        scheduled_departure_time=take.time("ttdep"),
        extra=_extra(take, journey),
    )


def _service_date(take: _Reader) -> str | None:
    value = take.left.get("oday")
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        found = None
    if found is not None:
        del take.left["oday"]
    return None if found is None else found.isoformat()


def _start(take: _Reader, journey: JourneyLevels) -> int | None:
    told = clock_s(take.left.get("start"))
    if journey.start_clock_s is None:
        if told is not None:
            del take.left["start"]
        return told
    take.drop("start", clock(journey.start_clock_s))
    return journey.start_clock_s


def _extra(take: _Reader, journey: JourneyLevels | None) -> dict[str, Any]:
    """What is left, less what only repeats the topic; the junction of a priority message is kept from the topic."""
    if journey is not None:
        take.drop("route", journey.route_id)
        take.drop("dir", None if journey.direction_id is None else str(journey.direction_id + 1))
        if journey.junction and "sid" not in take.left:
            take.left["sid"] = int(journey.junction) if _is_plain_int(journey.junction) else journey.junction
    return take.left


def encode_hfp(report: VehicleReport, previous: VehicleReport | None = None) -> tuple[str, bytes]:
    """Topic and payload of a report; ``previous`` is the vehicle's message before, for the geohash level."""
    event = EVENT_OF_KIND[report.kind]
    _, _, vehicle = report.vehicle_id.partition("/")
    body: dict[str, Any] = {}
    in_service = report.duty is Duty.IN_SERVICE
    if in_service:
        body["desi"] = report.route_label
        body["dir"] = None if report.direction_id is None else str(report.direction_id + 1)
    body["oper"] = _wire_id(report.company_id)
    body["veh"] = int(vehicle) if vehicle.isascii() and vehicle.isdigit() else None
    body["tst"] = iso_from_time(report.fix_time)
    body["tsi"] = int(report.fix_time // 1)
    body["spd"] = report.speed_mps
    body["hdg"] = None if report.heading_deg is None else round(report.heading_deg)
    body["lat"], body["long"] = _rounded(report.lat), _rounded(report.lon)
    body["acc"] = report.acceleration_mps2
    body["dl"] = None if report.schedule_deviation_s is None else 0 - round(report.schedule_deviation_s)
    body["odo"] = None if report.odometer_m is None else round(report.odometer_m)
    body["drst"] = None if report.doors_open is None else int(report.doors_open)
    if in_service:
        body["oday"] = report.service_date
        body["start"] = None if report.trip_start_clock_s is None else clock(report.trip_start_clock_s)
    body["loc"] = _LOCATION_WORD[report.location_source]
    if in_service:
        body["stop"] = _wire_id(report.stop_id)
        body["route"] = report.route_id
    body["occu"] = None if report.occupancy_share is None else round(report.occupancy_share * 100)
    for name, time in (("ttarr", report.scheduled_arrival_time), ("ttdep", report.scheduled_departure_time)):
        if time is not None:
            body[name] = iso_from_time(time)
    body.update(report.extra)
    return join_topic(report, previous), _encode({event.upper(): body})


def _rounded(degrees: float | None) -> float | None:
    return None if degrees is None else round(degrees, 6)


def _wire_id(text: str | None) -> int | str | None:
    """HFP writes ids as whole numbers where they are."""
    return int(text) if text is not None and _is_plain_int(text) else text


def _is_plain_int(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16 and str(int(text)) == text

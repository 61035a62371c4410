"""Our own topics under ``fleet/v1``: the retained online status, and what HFP has no field for."""

from typing import Any

import msgspec

from dispatch.reports import Input, Reason, Rejected, SensorReport, VehicleStatus
from dispatch.units import iso_from_time
from dispatch.wire.hfp import instant, rejected

FLEET_FILTERS = ("fleet/v1/+/+/status", "fleet/v1/+/+/sensor")
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_LEVELS = 5


def status_topic(vehicle_id: str) -> str:
    """Where a vehicle's online status is retained, and its last will goes."""
    return f"fleet/v1/{vehicle_id}/status"


def encode_status(*, online: bool, time: float | None = None) -> bytes:
    """Payload of a status; a last will carries no time, for it is written before the end."""
    body: dict[str, Any] = {"state": "online" if online else "offline"}
    if time is not None:
        body["at"] = iso_from_time(time)
    return _encode(body)


def encode_sensor(report: SensorReport) -> tuple[str, bytes]:
    """Topic and payload of a sensor report."""
    body: dict[str, Any] = {"at": iso_from_time(report.fix_time)}
    for name in ("hdop", "satellites", "h_acc_m", "can_speed_mps", "boardings", "alightings"):
        if getattr(report, name) is not None:
            body[name] = getattr(report, name)
    if report.panic:
        body["panic"] = True
    return f"fleet/v1/{report.vehicle_id}/sensor", _encode(body | report.extra)


def decode_fleet(topic: str, payload: bytes, received_time: float) -> Input:
    """A status or sensor report, or Rejected with the reason; never raises."""
    levels = topic.split("/")
    if len(levels) < _LEVELS:
        return _refused(Reason.TOPIC_TOO_SHORT, received_time, topic, f"{len(levels)} levels", payload)
    vehicle_id, what = f"{levels[2]}/{levels[3]}", levels[4]
    if len(levels) > _LEVELS or what not in ("status", "sensor") or not levels[2] or not levels[3]:
        return _refused(Reason.TOPIC_UNKNOWN, received_time, topic, "", payload)
    try:
        body = _decode_any(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _refused(Reason.PAYLOAD_NOT_JSON, received_time, topic, str(error), payload)
    if not isinstance(body, dict):
        return _refused(Reason.PAYLOAD_SHAPE, received_time, topic, "not an object", payload)
    if what == "status":
        return _status(vehicle_id, body, received_time, topic, payload)
    return _sensor(vehicle_id, body, received_time, topic, payload)


def _status(vehicle_id: str, body: dict[str, Any], received_time: float, topic: str, payload: bytes) -> Input:
    if body.get("state") not in ("online", "offline"):
        return _refused(Reason.FIELD_RANGE, received_time, topic, f"state {str(body.get('state'))[:40]!r}", payload)
    return VehicleStatus(
        vehicle_id=vehicle_id,
        received_time=received_time,
        online=body["state"] == "online",
        status_time=instant(body.get("at")),
    )


def _sensor(vehicle_id: str, body: dict[str, Any], received_time: float, topic: str, payload: bytes) -> Input:
    left = {name: value for name, value in body.items() if value is not None}
    fix_time = instant(left.get("at"))
    panic = left.get("panic")
    if fix_time is None:
        if panic is not True:  # a call for help is never lost for a bad clock
            return _refused(Reason.FIELD_MISSING, received_time, topic, "at", payload)
        fix_time = received_time
    else:
        del left["at"]
    if isinstance(panic, bool):
        del left["panic"]
    return SensorReport(
        vehicle_id=vehicle_id,
        received_time=received_time,
        fix_time=fix_time,
        hdop=_take(left, "hdop", 100.0),
        satellites=_whole(_take(left, "satellites", 200.0)),
        h_acc_m=_take(left, "h_acc_m", 100_000.0),
        can_speed_mps=_take(left, "can_speed_mps", 150.0),
        boardings=_whole(_take(left, "boardings", 1_000.0)),
        alightings=_whole(_take(left, "alightings", 1_000.0)),
        panic=panic is True,
        extra=left,
    )


def decode_counts(topic: str, payload: bytes, received_time: float) -> Input:
    """HSL's passenger counts (``apc``, ``apc-partial``): sums of doors, all else kept as it came."""
    levels = topic.split("/")
    vehicle_id = f"{levels[7]}/{levels[8]}" if len(levels) > 8 else ""
    try:
        message = _decode_any(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return rejected(Reason.PAYLOAD_NOT_JSON, received_time, topic, str(error), payload)
    body = message.get("APC") if isinstance(message, dict) else None
    if not isinstance(body, dict):
        return rejected(Reason.PAYLOAD_SHAPE, received_time, topic, "no APC object", payload)
    fix_time = instant(body.get("tst"))
    if fix_time is None or not vehicle_id:
        return rejected(Reason.FIELD_MISSING, received_time, topic, "tst", payload)
    boardings, alightings = _sums(body.get("vehiclecounts"))
    return SensorReport(
        vehicle_id=vehicle_id,
        received_time=received_time,
        fix_time=fix_time,
        boardings=boardings,
        alightings=alightings,
        extra={name: value for name, value in body.items() if name != "tst" and value is not None},
    )


def _sums(counts: object) -> tuple[int | None, int | None]:
    doors = counts.get("doorcounts") if isinstance(counts, dict) else None
    if not isinstance(doors, list):
        return None, None
    rows = [
        row
        for door in doors
        if isinstance(door, dict) and isinstance(door.get("count"), list)
        for row in door["count"]
        if isinstance(row, dict)
    ]
    sums = [sum(row[way] for row in rows if isinstance(row.get(way), int)) for way in ("in", "out")]
    return sums[0], sums[1]


def _take(left: dict[str, Any], name: str, high: float) -> float | None:
    value = left.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
        return None
    del left[name]
    return float(value)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _refused(reason: Reason, received_time: float, topic: str, detail: str, payload: bytes) -> Rejected:
    levels = topic.split("/")
    vehicle_id = f"{levels[2]}/{levels[3]}" if len(levels) > 3 else None
    return Rejected(
        reason=reason,
        received_time=received_time,
        topic=topic[:1000],
        detail=detail[:200],
        vehicle_id=vehicle_id,
        payload=payload[:1000],
    )

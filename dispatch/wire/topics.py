"""HFP v2 topics: their levels, both ways, and the filters that share routes among ingest processes."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatch.reports import Duty, ReportKind, VehicleReport

KIND_OF_EVENT = {
    "vp": ReportKind.POSITION,
    "due": ReportKind.STOP_AHEAD,
    "arr": ReportKind.STOP_ENTERED,
    "ars": ReportKind.STOP_ARRIVED,
    "pde": ReportKind.STOP_READY_TO_LEAVE,
    "dep": ReportKind.STOP_LEFT,
    "pas": ReportKind.STOP_PASSED,
    "wait": ReportKind.STOP_WAITING,
    "doo": ReportKind.DOORS_OPENED,
    "doc": ReportKind.DOORS_CLOSED,
    "tlr": ReportKind.PRIORITY_ASKED,
    "tla": ReportKind.PRIORITY_ANSWERED,
    "da": ReportKind.DRIVER_SIGNED_IN,
    "dout": ReportKind.DRIVER_SIGNED_OUT,
    "ba": ReportKind.BLOCK_TAKEN,
    "bout": ReportKind.BLOCK_LEFT,
    "vja": ReportKind.TRIP_SIGNED_ON,
    "vjout": ReportKind.TRIP_SIGNED_OFF,
}
EVENT_OF_KIND = {kind: event for event, kind in KIND_OF_EVENT.items()}
DUTY_OF_JOURNEY = {"journey": Duty.IN_SERVICE, "deadrun": Duty.DEADHEAD, "signoff": Duty.SIGNED_OFF}
JOURNEY_OF_DUTY = {duty: journey for journey, duty in DUTY_OF_JOURNEY.items()}
HFP_FILTER = "/hfp/v2/#"
END_OF_LINE = "EOL"
_VEHICLE_LEVELS = 9  # up to and with the vehicle number
_JOURNEY_LEVELS = 19
_TAIL = 7  # levels after the headsign: start, next stop, geohash level and its four parts
_NO_HEADSIGN_CHARS = str.maketrans({"/": "\u2215", "+": "\uff0b", "#": "\uff03"})


@dataclass(frozen=True, slots=True)
class JourneyLevels:
    """The levels only journey topics have; None where empty."""

    route_id: str | None
    direction_id: int | None
    headsign: str | None
    start_clock_s: int | None
    next_stop_id: str | None
    end_of_line: bool
    junction: str | None


@dataclass(frozen=True, slots=True)
class Topic:
    """An HFP topic taken apart."""

    duty: Duty
    upcoming: bool
    event: str  # lower case
    transport_mode: str
    operator: str
    vehicle: str
    journey: JourneyLevels | None


def split_topic(topic: str) -> Topic | str:
    """The topic's levels, or one line on what is wrong with it."""
    levels = topic.split("/")
    if len(levels) < _VEHICLE_LEVELS:
        return f"{len(levels)} levels, a vehicle's topic has at least {_VEHICLE_LEVELS}"
    duty = DUTY_OF_JOURNEY.get(levels[3])
    if duty is None or levels[4] not in ("ongoing", "upcoming"):
        return f"journey type {levels[3][:20]!r}, temporal type {levels[4][:20]!r}"
    if not levels[7] or not levels[8]:
        return "the operator or the vehicle number is empty"
    journey = None
    if duty is Duty.IN_SERVICE:
        if len(levels) < _JOURNEY_LEVELS:
            return f"{len(levels)} levels, a journey topic has {_JOURNEY_LEVELS}"
        journey = _journey(levels)
    return Topic(duty, levels[4] == "upcoming", levels[5], levels[6], levels[7], levels[8], journey)


def _journey(levels: list[str]) -> JourneyLevels:
    """A headsign may hold slashes: what stands between the direction and the fixed tail is all headsign."""
    junction = None
    tail = _TAIL
    if levels[5] in ("tlr", "tla") and len(levels) > _JOURNEY_LEVELS:
        junction, tail = levels[-1], _TAIL + 1
    start = len(levels) - tail
    next_stop = levels[start + 1]
    direction = levels[10]
    return JourneyLevels(
        route_id=levels[9] or None,
        direction_id=int(direction) - 1 if direction in ("1", "2") else None,
        headsign="/".join(levels[11:start]) or None,
        start_clock_s=clock_s(levels[start]),
        next_stop_id=None if next_stop in ("", END_OF_LINE) else next_stop,
        end_of_line=next_stop == END_OF_LINE,
        junction=junction,
    )


def clock_s(text: object) -> int | None:
    """Seconds after midnight from HH:MM on the 24 h clock; None if it is none."""
    if not isinstance(text, str) or len(text) != 5 or text[2] != ":":
        return None
    hours, minutes = text[:2], text[3:]
    if not (hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()):
        return None
    if int(hours) > 23 or int(minutes) > 59:
        return None
    return int(hours) * 3600 + int(minutes) * 60


def clock(start_clock_s: int) -> str:
    """HH:MM from seconds after midnight."""
    return f"{start_clock_s // 3600:02d}:{start_clock_s // 60 % 60:02d}"


def join_topic(report: VehicleReport, previous: VehicleReport | None) -> str:
    """The report's topic; ``previous`` is the vehicle's message before, which the geohash level is counted from.

    Characters of a headsign that MQTT gives a meaning (/ + #) are replaced by look-alikes.
    """
    time = "upcoming" if report.upcoming else "ongoing"
    event = EVENT_OF_KIND[report.kind]
    head = f"/hfp/v2/{JOURNEY_OF_DUTY[report.duty]}/{time}/{event}/{report.transport_mode}/{report.vehicle_id}"
    if report.duty is not Duty.IN_SERVICE:
        return head
    direction = "" if report.direction_id is None else str(report.direction_id + 1)
    headsign = (report.headsign or "").translate(_NO_HEADSIGN_CHARS)
    start = "" if report.trip_start_clock_s is None else clock(report.trip_start_clock_s)
    next_stop = END_OF_LINE if report.end_of_line else report.next_stop_id or ""
    geohash = _geohash(report, previous)
    topic = f"{head}/{report.route_id or ''}/{direction}/{headsign}/{start}/{next_stop}/{geohash}"
    junction = report.extra.get("sid")
    return f"{topic}/{junction}" if event in ("tlr", "tla") and junction is not None else topic


def _geohash(report: VehicleReport, previous: VehicleReport | None) -> str:
    if report.lat is None or report.lon is None:
        return "0////"
    lat, lon = _digits(report.lat), _digits(report.lon)
    pairs = "/".join(a + b for a, b in zip(lat[1][:3], lon[1][:3], strict=True))
    return f"{_geohash_level(report, previous)}/{lat[0]};{lon[0]}/{pairs}"


def _geohash_level(report: VehicleReport, previous: VehicleReport | None) -> int:
    """Place of the first decimal digit that changed, 0-5; 0 too when anything else in the topic did."""
    if previous is None or previous.lat is None or previous.lon is None or _rest(report) != _rest(previous):
        return 0
    assert report.lat is not None
    assert report.lon is not None
    for now, before in ((report.lat, previous.lat), (report.lon, previous.lon)):
        if _digits(now)[0] != _digits(before)[0]:
            return 0
    new = (_digits(report.lat)[1], _digits(report.lon)[1])
    old = (_digits(previous.lat)[1], _digits(previous.lon)[1])
    for place in range(4):
        if any(n[place] != o[place] for n, o in zip(new, old, strict=True)):
            return place + 1
    return 5


def _digits(degrees: float) -> tuple[str, str]:
    """Integer part with its sign, and five decimals, cut and not rounded."""
    whole, decimals = f"{abs(degrees):.7f}".split(".")
    return ("-" if degrees < 0 else "") + whole, decimals[:5]


def _rest(report: VehicleReport) -> tuple[object, ...]:
    return (
        report.duty,
        report.upcoming,
        report.transport_mode,
        report.route_id,
        report.direction_id,
        report.headsign,
        report.trip_start_clock_s,
        report.next_stop_id,
        report.end_of_line,
    )


def route_filters(route_ids: Sequence[str], *, with_unrouted: bool) -> list[str]:
    """Disjoint MQTT filters for a share of the routes; deadruns and sign-offs, which name none, go to one share.

    A route id that holds / + or # cannot be a topic level and is left out: no bus can publish under it.
    """
    usable = [route_id for route_id in route_ids if route_id and not set("/+#") & set(route_id)]
    filters = [f"/hfp/v2/journey/+/+/+/+/+/{route_id}/#" for route_id in usable]
    return filters + (["/hfp/v2/deadrun/#", "/hfp/v2/signoff/#"] if with_unrouted else [])

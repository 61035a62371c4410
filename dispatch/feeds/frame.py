"""The live frame: packed columns of the rows that changed, as ``frame.json`` lays them out for both sides."""

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.picture import Picture

_SCHEMA = json.loads((resources.files("dispatch.feeds") / "frame.json").read_text(encoding="utf-8"))
_TYPES = {"u8": "<u1", "u16": "<u2", "u32": "<u4", "i16": "<i2", "i32": "<i4", "f64": "<f8"}
_HEADER = np.dtype([(name, _TYPES[kind]) for name, kind in _SCHEMA["header"]])
_FLEET = _SCHEMA["kinds"]["fleet"]
COLUMNS: tuple[tuple[str, np.dtype[np.generic]], ...] = tuple(
    (name, np.dtype(_TYPES[kind])) for name, kind, _ in _SCHEMA["columns"]
)
HEADER_BYTES = _HEADER.itemsize
_UNKNOWN_I32 = 2_147_483_647
_UNKNOWN_U16 = 65_535
_UNKNOWN_I16 = -32_768
_UNKNOWN_U8 = 255
_DOUBTFUL = 0.5  # match quality below which the place is shown as doubtful

FleetColumns = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Frame:
    """An unpacked frame."""

    epoch: int
    seq: int
    server_time_s: float
    columns: FleetColumns


def columns_of(picture: Picture, base_time_s: float) -> FleetColumns:
    """Every vehicle's row as sent; values that do not fit or are not known become the schema's unknown."""
    n = len(picture)
    quality = picture.match_quality[:n]
    matched = ~np.isnan(picture.along_m[:n])
    return {
        "vehicle": np.arange(n, dtype="<u4"),
        "lon_e6": _whole(picture.lon[:n] * 1e6, "<i4", _UNKNOWN_I32),
        "lat_e6": _whole(picture.lat[:n] * 1e6, "<i4", _UNKNOWN_I32),
        "fix_ds": _whole((picture.fix_time[:n] - base_time_s) * 10.0, "<i4", _UNKNOWN_I32),
        "along_dm": _whole(picture.along_m[:n] * 10.0, "<i4", -1),
        "deviation_s": _whole(picture.deviation_s[:n], "<i2", _UNKNOWN_I16),
        "headway_s": _whole(picture.headway_s[:n], "<u2", _UNKNOWN_U16),
        "headway_behind_s": _whole(picture.headway_behind_s[:n], "<u2", _UNKNOWN_U16),
        "target_headway_s": _whole(picture.target_headway_s[:n], "<u2", _UNKNOWN_U16),
        "heading_deg": _whole(picture.heading_deg[:n], "<u2", _UNKNOWN_U16),
        "speed_cmps": _whole(picture.speed_mps[:n] * 100.0, "<u2", _UNKNOWN_U16),
        "route": _index(picture.route[:n]),
        "pattern": _index(picture.pattern[:n]),
        "state": picture.state[:n].astype("<u1"),
        "flags": _flags(picture, n, matched & (quality < _DOUBTFUL)),
        "occupancy_pct": _whole(picture.occupancy_share[:n] * 100.0, "<u1", _UNKNOWN_U8),
        "match_pct": np.where(matched, _whole(quality * 100.0, "<u1", 0), _UNKNOWN_U8).astype("<u1"),
    }


def pack(columns: FleetColumns, rows: NDArray[np.int64], *, epoch: int, seq: int, server_time_s: float) -> bytes:
    """The frame of the chosen rows."""
    header = np.zeros(1, _HEADER)
    header["magic"], header["version"], header["kind"] = _SCHEMA["magic"], _SCHEMA["version"], _FLEET
    header["epoch"], header["seq"], header["server_time_s"], header["n"] = epoch, seq, server_time_s, len(rows)
    parts = [header.tobytes()]
    at = HEADER_BYTES
    for name, dtype in COLUMNS:
        padding = -at % dtype.itemsize
        data = columns[name][rows].tobytes()
        parts += [b"\0" * padding, data]
        at += padding + len(data)
    return b"".join(parts)


def unpack(data: bytes) -> Frame:
    """The frame's rows; raises ValueError when it is none."""
    if len(data) < HEADER_BYTES:
        raise ValueError("shorter than a header")
    header = np.frombuffer(data, _HEADER, 1)[0]
    if header["magic"] != _SCHEMA["magic"] or header["version"] != _SCHEMA["version"]:
        raise ValueError("not a live frame of this version")
    n, at = int(header["n"]), HEADER_BYTES
    columns: FleetColumns = {}
    for name, dtype in COLUMNS:
        at += -at % dtype.itemsize
        columns[name] = np.frombuffer(data, dtype, n, at)
        at += n * dtype.itemsize
    return Frame(int(header["epoch"]), int(header["seq"]), float(header["server_time_s"]), columns)


def _whole(values: NDArray[np.floating], dtype: str, unknown: int) -> NDArray[np.generic]:
    """Rounded and held within the type, NaN as ``unknown``; a value that would look unknown is held one short of it."""
    limits = np.iinfo(np.dtype(dtype))
    low, high = limits.min + (unknown == limits.min), limits.max - (unknown == limits.max)
    known = ~np.isnan(values)
    rounded = np.clip(np.rint(np.where(known, values, 0.0).astype(np.float64)), low, high)
    return np.where(known, rounded, unknown).astype(dtype)


def _index(values: NDArray[np.int32]) -> NDArray[np.generic]:
    return np.where((values >= 0) & (values < _UNKNOWN_U16), values, _UNKNOWN_U16).astype("<u2")


def _flags(picture: Picture, n: int, doubtful: NDArray[np.bool_]) -> NDArray[np.generic]:
    bits = (
        picture.stale[:n],
        picture.off_route[:n],
        picture.online[:n] == 0,
        picture.doors[:n] == 1,
        picture.inferred[:n],
        doubtful,
        picture.panic[:n],
    )
    return sum((bit.astype(np.uint8) << place for place, bit in enumerate(bits)), np.zeros(n, np.uint8)).astype("<u1")

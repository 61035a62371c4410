"""Write the golden frame both sides read: ``python tests/feeds/make_golden.py`` after a meant change of frame.json."""

import json
from pathlib import Path

import numpy as np

from dispatch.feeds.frame import COLUMNS, FleetColumns, pack

FOLDER = Path(__file__).parent / "golden"


def golden_columns() -> FleetColumns:
    """Five vehicles whose columns hold the extremes of their types and plain values between."""
    rng = np.random.default_rng(7)
    columns: FleetColumns = {}
    for name, dtype in COLUMNS:
        limits = np.iinfo(dtype)
        plain = rng.integers(max(limits.min, -30_000), min(limits.max, 30_000), 3)
        columns[name] = np.array([limits.min, *plain, limits.max]).astype(dtype)
    columns["vehicle"] = np.arange(5, dtype="<u4")
    return columns


def golden_bytes() -> bytes:
    """The frame of rows 0, 1, 2 and 4."""
    return pack(golden_columns(), np.array([0, 1, 2, 4]), epoch=77, seq=12, server_time_s=1_767_600_000.25)


def main() -> None:
    """Write the bytes, and what they mean as JSON."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "frame.bin").write_bytes(golden_bytes())
    meaning = {name: column[[0, 1, 2, 4]].tolist() for name, column in golden_columns().items()}
    (FOLDER / "frame.json").write_text(
        json.dumps({"epoch": 77, "seq": 12, "server_time_s": 1_767_600_000.25, "columns": meaning}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()

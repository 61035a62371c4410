"""The live picture of the fleet: one slot per vehicle, one numpy column per fact, the newest fix wins.

Columns are grown by doubling and written in batches; readers slice ``[:n]``. NaN and -1 mean not known.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dispatch.fleet.columns import Columns

FloatColumn = NDArray[np.float64]
SmallFloatColumn = NDArray[np.float32]
IntColumn = NDArray[np.int32]
FlagColumn = NDArray[np.bool_]


class VehicleState(IntEnum):
    """What a vehicle is doing (TIDES trip types). Sent to the dashboard: never renumber."""

    UNKNOWN = 0
    IN_SERVICE = 1
    LAYOVER = 2
    DEADHEAD = 3
    SIGNED_OFF = 4


class Picture(Columns):
    """Every vehicle ever heard of, by slot; a slot is never reused, so it can name a vehicle on the wire."""

    fix_time: FloatColumn  # [UTC s] of the newest fix
    received_time: FloatColumn  # [UTC s]
    lat: FloatColumn  # [deg]
    lon: FloatColumn  # [deg]
    speed_mps: SmallFloatColumn
    heading_deg: SmallFloatColumn  # clockwise from north
    doors: NDArray[np.int8]  # 1 open, 0 closed, -1 unknown
    occupancy_share: SmallFloatColumn  # 0-1
    state: NDArray[np.uint8]  # VehicleState
    route: IntColumn  # index in ControlCentre.route_ids, -1 none or unknown to the network
    direction: NDArray[np.int8]  # 0, 1, -1
    pattern: IntColumn  # index in ControlCentre.pattern_ids, -1 not assigned
    dated_trip: IntColumn  # index in Timetable.dated_trips, -1 not known
    inferred: FlagColumn  # trip inferred from position and time, not signed on
    along_m: FloatColumn  # distance along the pattern, NaN not matched
    lateral_m: SmallFloatColumn  # distance from the pattern
    match_quality: SmallFloatColumn  # 0-1, NaN not matched
    off_route: FlagColumn
    stale: FlagColumn
    online: NDArray[np.int8]  # 1, 0 by the last will, -1 never said
    panic: FlagColumn
    deviation_s: SmallFloatColumn  # + is late
    ahead: IntColumn  # slot of the bus ahead, -1 none
    behind: IntColumn
    headway_s: SmallFloatColumn  # live time-headway to the bus ahead
    headway_behind_s: SmallFloatColumn  # live time-headway of the bus behind
    target_headway_s: SmallFloatColumn  # scheduled here and now

    COLUMNS = (
        ("fix_time", np.float64, np.nan),
        ("received_time", np.float64, np.nan),
        ("lat", np.float64, np.nan),
        ("lon", np.float64, np.nan),
        ("speed_mps", np.float32, np.nan),
        ("heading_deg", np.float32, np.nan),
        ("doors", np.int8, -1),
        ("occupancy_share", np.float32, np.nan),
        ("state", np.uint8, 0),
        ("route", np.int32, -1),
        ("direction", np.int8, -1),
        ("pattern", np.int32, -1),
        ("dated_trip", np.int32, -1),
        ("inferred", np.bool_, False),
        ("along_m", np.float64, np.nan),
        ("lateral_m", np.float32, np.nan),
        ("match_quality", np.float32, np.nan),
        ("off_route", np.bool_, False),
        ("stale", np.bool_, False),
        ("online", np.int8, -1),
        ("panic", np.bool_, False),
        ("deviation_s", np.float32, np.nan),
        ("ahead", np.int32, -1),
        ("behind", np.int32, -1),
        ("headway_s", np.float32, np.nan),
        ("headway_behind_s", np.float32, np.nan),
        ("target_headway_s", np.float32, np.nan),
    )

    def __init__(self) -> None:
        super().__init__()
        self.vehicle_ids: list[str] = []
        self.route_labels: list[str] = []  # public line number as the bus says it, "" unknown
        self.slot_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.vehicle_ids)

    def slot(self, vehicle_id: str) -> int:
        """The vehicle's slot, opened when it is heard of for the first time."""
        slot = self.slot_of.get(vehicle_id)
        return self._open(vehicle_id) if slot is None else slot

    def _open(self, vehicle_id: str) -> int:
        slot = len(self.vehicle_ids)
        self.vehicle_ids.append(vehicle_id)
        self.route_labels.append("")
        self.slot_of[vehicle_id] = slot
        self.grow_to(slot + 1)
        return slot

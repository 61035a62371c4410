"""A timetable for the made-up lines: round the clock, denser at the peaks, with the vehicle days (blocks) to run it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.lines import Line, Way

DAY_BEGINS_S, DAY_ENDS_S = 4 * 3600, 28 * 3600
_LAYOVER_S = 150
_CRUISE_MPS = 10.5
_STOP_LOSS_S = 23.0  # braking, standing and starting at a stop, and what traffic takes
_PEAKS_S = ((7 * 3600, 9 * 3600 + 1800), (16 * 3600, 19 * 3600))
_NIGHT_S = ((0, 6 * 3600), (22 * 3600, 30 * 3600))


@dataclass(frozen=True, slots=True, eq=False)
class PlannedTrip:
    """One trip of the day."""

    trip_id: str
    line: Line
    way: Way
    block_id: str
    times_s: NDArray[np.int64]  # (stops,) service time of arrival, and departure but at the ends


def headway_s(line: Line, at_s: int) -> int:
    """Planned headway at a service time."""
    peak, day, night = line.headways_s
    if any(begin <= at_s < end for begin, end in _PEAKS_S):
        return peak
    return night if any(begin <= at_s < end for begin, end in _NIGHT_S) else day


def running_times_s(way: Way) -> NDArray[np.int64]:
    """Scheduled time from the first stop to each stop."""
    links = np.diff(way.stop_along_m) / _CRUISE_MPS + _STOP_LOSS_S
    return np.concatenate([[0.0], np.cumsum(links)]).round().astype(np.int64)


def plan_day(lines: list[Line]) -> list[PlannedTrip]:
    """All trips of a service day, each given to a block: the bus that has stood longest at its terminal goes next."""
    planned: list[PlannedTrip] = []
    for line in lines:
        planned += _plan_line(line)
    return planned


def _plan_line(line: Line) -> list[PlannedTrip]:
    running = [running_times_s(way) for way in line.ways]
    departures = sorted((at, index) for index in range(len(line.ways)) for at in _departures(line, index))
    ready: list[list[tuple[int, str]]] = [[] for _ in line.ways]  # per terminal: free from, block
    blocks = 0
    planned = []
    for at, index in departures:
        free = sorted(ready[index])
        if free and free[0][0] <= at:
            block = free[0][1]
            ready[index].remove(free[0])
        else:
            blocks += 1
            block = f"{line.line_id}-{blocks:02d}"
        times = at + running[index]
        planned.append(PlannedTrip(f"{line.line_id}-{index}-{at}", line, line.ways[index], block, times))
        ready[(index + 1) % len(line.ways)].append((int(times[-1]) + _LAYOVER_S, block))
    return planned


def _departures(line: Line, index: int) -> list[int]:
    at, found = DAY_BEGINS_S + index * headway_s(line, DAY_BEGINS_S) // 2, []
    while at < DAY_ENDS_S:
        found.append(at)
        at += headway_s(line, at)
    return found

"""A made-up city's streets: a lattice bent by hills and a river, with a few avenues that everything drawn to uses.

The place is mid-Atlantic, so that it lies on no real town; the time zone is UTC for the same reason.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LAT0, LON0 = 41.0, -38.0
TIMEZONE = "UTC"
BLOCK_M = 380.0
_M_PER_DEG = 111_195.0
_POINTS_PER_BLOCK = 6
_ROWS, _COLUMNS = 21, 25
_ROW_NAMES = (
    "North Ring", "Orchard Rd", "Chapel St", "Mill Ln", "Quarry Rd", "Linden St", "Foundry St", "Canal St", "Bridge St",
    "Market St", "Central Ave", "Station Rd", "Museum St", "College St", "Garden St", "Harbour Rd", "Rope Walk",
    "Lighthouse Rd", "Meadow Ln", "Airfield Rd", "South Ring",
)  # fmt: skip
_COLUMN_NAMES = (
    "West Ring", "Farm Rd", "Heath Rd", "Willow St", "Birch St", "Cedar St", "Elm St", "Hazel St", "Juniper St",
    "King St", "Laurel St", "Maple St", "Grand Ave", "Oak St", "Poplar St", "Queen St", "Rowan St", "Spruce St",
    "Tower St", "Union St", "Vine St", "Walnut St", "Wharf Rd", "Depot Rd", "East Ring",
)  # fmt: skip
_AVENUE_ROWS, _AVENUE_COLUMNS = (4, 10, 16), (5, 12, 19)
_AVENUE_COST = 0.72

Node = tuple[int, int]  # row, column


@dataclass(frozen=True, slots=True)
class Streets:
    """The lattice and how it is bent."""

    waves: NDArray[np.float64]  # (k, 5): amplitude_m, fx, fy, phase_x, phase_y
    cost: dict[tuple[Node, Node], float]

    def place_m(self, row: NDArray[np.float64], column: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Metres east and north of the centre for lattice coordinates, whole or not."""
        x = (column - (_COLUMNS - 1) / 2) * BLOCK_M
        y = ((_ROWS - 1) / 2 - row) * BLOCK_M
        east, north = x.copy(), y.copy()
        for amplitude, fx, fy, phase_x, phase_y in self.waves:
            east = east + amplitude * np.sin(fx * x / 1000.0 + fy * y / 1000.0 + phase_x)
            north = north + amplitude * np.sin(fy * x / 1000.0 - fx * y / 1000.0 + phase_y)
        return east, north

    def line(self, nodes: list[Node]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lat and lon of the street line through the nodes, with _POINTS_PER_BLOCK points to a block."""
        rows = np.array([n[0] for n in nodes], float)
        columns = np.array([n[1] for n in nodes], float)
        at = np.arange((len(nodes) - 1) * _POINTS_PER_BLOCK + 1) / _POINTS_PER_BLOCK
        index = np.arange(len(nodes))
        east, north = self.place_m(np.interp(at, index, rows), np.interp(at, index, columns))
        return LAT0 + north / _M_PER_DEG, LON0 + east / (_M_PER_DEG * np.cos(np.radians(LAT0)))

    def path(self, start: Node, end: Node) -> list[Node]:
        """The cheapest way; avenues are cheap, so ways share them."""
        best: dict[Node, float] = {start: 0.0}
        came: dict[Node, Node] = {}
        queue = [(0.0, start)]
        while queue:
            cost, node = heapq.heappop(queue)
            if node == end:
                break
            for neighbour in _neighbours(node):
                total = cost + self.cost[node, neighbour]
                if total < best.get(neighbour, np.inf):
                    best[neighbour], came[neighbour] = total, node
                    heapq.heappush(queue, (total, neighbour))
        way = [end]
        while way[-1] != start:
            way.append(came[way[-1]])
        return way[::-1]


def build_streets(rng: np.random.Generator) -> Streets:
    """Streets from chance: how they bend, and what each block costs to drive."""
    waves = np.column_stack(
        [
            rng.uniform(110.0, 260.0, 6),
            rng.uniform(-0.8, 0.8, 6),
            rng.uniform(-0.8, 0.8, 6),
            rng.uniform(0, 2 * np.pi, 6),
            rng.uniform(0, 2 * np.pi, 6),
        ]
    )
    cost: dict[tuple[Node, Node], float] = {}
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            for neighbour in _neighbours((row, column)):
                if (neighbour, (row, column)) in cost:
                    cost[(row, column), neighbour] = cost[neighbour, (row, column)]
                    continue
                avenue = (row == neighbour[0] and row in _AVENUE_ROWS) or (
                    column == neighbour[1] and column in _AVENUE_COLUMNS
                )
                cost[(row, column), neighbour] = (_AVENUE_COST if avenue else 1.0) * float(rng.uniform(0.8, 1.25))
    return Streets(waves, cost)


def crossing_name(node: Node, towards: Node) -> str:
    """The stop's name: the street driven on, and the one crossed."""
    along_row = node[0] == towards[0]
    on, across = _ROW_NAMES[node[0]], _COLUMN_NAMES[node[1]]
    return f"{on} / {across}" if along_row else f"{across} / {on}"


def _neighbours(node: Node) -> list[Node]:
    row, column = node
    steps = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
    return [(r, c) for r, c in steps if 0 <= r < _ROWS and 0 <= c < _COLUMNS]

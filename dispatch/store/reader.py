"""Questions to the store, each on a connection of its own for as long as it lasts; times are UTC s."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from dispatch.answers import HeadwayRecord, RejectRecord, TrackPoint
from dispatch.events import Source, StopPassage
from dispatch.reports import VehicleReport
from dispatch.store.rows import TELEMETRY, instant, report_of

_TEXTS = frozenset({"vehicle_id", "mode", "route_id", "stop_id", "next_stop_id", "headsign", "label", "company"})
_BATCH = 5_000


class Reader:
    """Reads; never writes."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def recent_reports(self, since_time: float) -> AsyncIterator[list[VehicleReport]]:
        """Everything fixed since then, in order of arrival, in batches of at most 5,000."""
        async with self._connection() as connection:
            names = await self._names(connection)
            columns = ", ".join(
                "extract(epoch FROM ts)::float8 AS ts" if name == "ts" else name for name, _ in TELEMETRY
            )
            async with connection.cursor("recent", binary=True) as cursor:
                await cursor.execute(
                    f"SELECT {columns} FROM fleet.telemetry t WHERE t.ts >= %s "
                    "ORDER BY t.ts + t.lag_ms * INTERVAL '1 ms', vehicle_id, kind".encode(),
                    (instant(since_time),),
                )
                while rows := await cursor.fetchmany(_BATCH):
                    yield [report_of({k: names.get(v) if k in _TEXTS else v for k, v in row.items()}) for row in rows]

    async def recent_passages(self, since_time: float) -> list[StopPassage]:
        """The last departure of every route, direction and stop since then: the next headways count from it."""
        async with self._connection() as connection:
            found = await connection.execute(
                "SELECT DISTINCT ON (s.route_id, s.direction, s.stop_id) v.name AS vehicle, "
                "r.name AS route, s.direction, p.name AS stop, "
                "extract(epoch FROM s.departure_time)::float8 AS departure FROM fleet.stop_event s "
                "JOIN fleet.name v ON v.name_id = s.vehicle_id JOIN fleet.name r ON r.name_id = s.route_id "
                "JOIN fleet.name p ON p.name_id = s.stop_id WHERE s.departure_time >= %s "
                "ORDER BY s.route_id, s.direction, s.stop_id, s.departure_time DESC",
                (instant(since_time),),
            )
            return [
                StopPassage(
                    time=row["departure"],
                    vehicle_id=row["vehicle"],
                    route_id=row["route"],
                    direction_id=row["direction"],
                    stop_id=row["stop"],
                    arrival_time=row["departure"],
                    departure_time=row["departure"],
                    dwell_s=0.0,
                    served=None,
                    source=Source.REPORTED,
                )
                for row in await found.fetchall()
            ]

    async def track(self, vehicle_id: str, from_time: float, to_time: float, limit: int) -> list[TrackPoint]:
        """A vehicle's positions in time order."""
        rows = await self._rows(
            "SELECT extract(epoch FROM ts)::float8 AS time, lat_e6 / 1e6::float8 AS lat, lon_e6 / 1e6::float8 AS lon, "
            "speed_cmps / 100::float8 AS speed_mps, heading_dd / 10::float8 AS heading_deg FROM fleet.telemetry "
            "WHERE vehicle_id = (SELECT name_id FROM fleet.name WHERE name = %s) AND ts >= %s AND ts <= %s "
            "AND lat_e6 IS NOT NULL ORDER BY ts LIMIT %s",
            (vehicle_id, instant(from_time), instant(to_time), limit),
        )
        return [TrackPoint(**row) for row in rows]

    async def headways(self, route_id: str, from_time: float, to_time: float) -> list[HeadwayRecord]:
        """Headways measured at the route's stops, in time order."""
        rows = await self._rows(
            "SELECT extract(epoch FROM h.ts)::float8 AS time, h.direction AS direction_id, s.name AS stop_id, "
            "v.name AS vehicle_id, l.name AS leader_vehicle_id, h.headway_s::float8 AS headway_s, "
            "h.target_headway_s::float8 AS target_headway_s FROM fleet.headway_obs h "
            "JOIN fleet.name s ON s.name_id = h.stop_id JOIN fleet.name v ON v.name_id = h.vehicle_id "
            "JOIN fleet.name l ON l.name_id = h.leader_id "
            "WHERE h.route_id = (SELECT name_id FROM fleet.name WHERE name = %s) AND h.ts >= %s AND h.ts <= %s "
            "ORDER BY h.ts LIMIT 20000",
            (route_id, instant(from_time), instant(to_time)),
        )
        return [HeadwayRecord(**row) for row in rows]

    async def rejects(self, since_time: float, limit: int) -> list[RejectRecord]:
        """The newest refused inputs, newest first."""
        rows = await self._rows(
            "SELECT extract(epoch FROM received_at)::float8 AS received_time, reason, detail, topic, "
            "vehicle AS vehicle_id FROM fleet.telemetry_reject WHERE received_at >= %s "
            "ORDER BY reject_id DESC LIMIT %s",
            (instant(since_time), limit),
        )
        return [RejectRecord(**row) for row in rows]

    async def count(self, table: str) -> int:
        """Rows of a table of the fleet schema."""
        rows = await self._rows(f"SELECT count(*) AS n FROM fleet.{psycopg.sql.Identifier(table).as_string(None)}", ())
        return int(rows[0]["n"])

    async def _rows(self, query: str, values: tuple[Any, ...]) -> list[DictRow]:
        async with self._connection() as connection:
            return await (await connection.execute(query.encode(), values)).fetchall()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
        connection = await psycopg.AsyncConnection.connect(self._dsn, row_factory=dict_row, connect_timeout=5)
        try:
            yield connection
        finally:
            await connection.close()

    async def _names(self, connection: psycopg.AsyncConnection[DictRow]) -> dict[int | None, str]:
        rows = await (await connection.execute("SELECT name_id, name FROM fleet.name")).fetchall()
        return {row["name_id"]: row["name"] for row in rows}

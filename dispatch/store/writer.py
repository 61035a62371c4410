"""The one writer: a batch in, one transaction, and only then may the broker be told that it is safe."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec
import psycopg
from psycopg.rows import TupleRow

from dispatch.events import AnyEvent, HeadwayObserved, StopPassage, event_id
from dispatch.reports import Reason, Rejected, SensorReport, VehicleReport, VehicleStatus
from dispatch.store.rows import TELEMETRY, clean, clean_json, instant, json_text, row_of, texts_of

_STATEMENT_TIMEOUT_MS = 30_000
_NAMES_MAX = 2_000_000
_NAMES = ", ".join(name for name, _ in TELEMETRY)
_STAGE = ", ".join(f"{name} {kind}" for name, kind in TELEMETRY)
_LAST = """
INSERT INTO fleet.vehicle_last AS l (vehicle_id, ts, lat_e6, lon_e6, speed_cmps, heading_dd, route_id)
SELECT DISTINCT ON (vehicle_id) vehicle_id, ts, lat_e6, lon_e6, speed_cmps, heading_dd, route_id
FROM stage WHERE lat_e6 IS NOT NULL ORDER BY vehicle_id, ts DESC
ON CONFLICT (vehicle_id) DO UPDATE SET ts = excluded.ts, lat_e6 = excluded.lat_e6, lon_e6 = excluded.lon_e6,
    speed_cmps = excluded.speed_cmps, heading_dd = excluded.heading_dd, route_id = excluded.route_id
WHERE excluded.ts > l.ts
"""
_encode = msgspec.json.Encoder().encode


class StoreAway(Exception):
    """The database did not take the batch; try the same batch again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step leaves to be stored, all or nothing."""

    reports: Sequence[VehicleReport] = ()
    events: Sequence[AnyEvent] = ()
    rejected: Sequence[Rejected] = ()
    statuses: Sequence[VehicleStatus] = ()
    sensors: Sequence[SensorReport] = ()

    def __len__(self) -> int:
        return len(self.reports) + len(self.events) + len(self.rejected) + len(self.statuses) + len(self.sensors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit did."""

    reports: int
    inserted: int  # reports that were new; the rest were known already
    poisoned: int = 0  # reports the server could not take, now among the rejected


@dataclass(slots=True)
class _Known:
    """What the writer remembers of the database; forgotten with the connection."""

    names: dict[str, int] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)


class Writer:
    """Holds one connection; opens it again by itself at the next commit after a failure."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.AsyncConnection[TupleRow] | None = None
        self._known = _Known()

    async def commit(self, batch: Batch) -> Committed:
        """Store the batch; harmless to repeat. Raises StoreAway, after which nothing of it is known to be stored."""
        try:
            connection = await self._connected()
            try:
                return await self._store(connection, batch)
            except psycopg.DataError:
                return await self._store_without_poison(connection, batch)
        except (psycopg.Error, OSError, TimeoutError) as error:
            await self.close()
            raise StoreAway(str(error).splitlines()[0] if str(error) else type(error).__name__) from error

    async def close(self) -> None:
        """Drop the connection and what was known through it."""
        connection, self._connection = self._connection, None
        self._known = _Known()
        if connection is not None:
            await asyncio.shield(connection.close())

    async def _connected(self) -> psycopg.AsyncConnection[TupleRow]:
        if self._connection is None:
            connection = await psycopg.AsyncConnection.connect(self._dsn, connect_timeout=5, autocommit=True)
            self._connection = connection
            await connection.execute(f"SET statement_timeout = {_STATEMENT_TIMEOUT_MS}")
            await connection.execute("SET timezone = 'UTC'")
            await connection.execute(f"CREATE TEMP TABLE stage ({_STAGE}) ON COMMIT DELETE ROWS".encode())
        return self._connection

    async def _store(self, connection: psycopg.AsyncConnection[TupleRow], batch: Batch) -> Committed:
        reports = sorted(batch.reports, key=lambda r: (r.vehicle_id, r.fix_time))
        await self._learn_names(connection, batch)
        async with connection.transaction():
            cursor = connection.cursor()
            inserted = await self._store_reports(cursor, reports) if reports else 0
            await self._store_events(cursor, batch.events)
            await self._store_rejected(cursor, batch.rejected)
            await self._store_statuses(cursor, batch)
        return Committed(reports=len(reports), inserted=inserted)

    async def _store_without_poison(self, connection: psycopg.AsyncConnection[TupleRow], batch: Batch) -> Committed:
        """Halve the reports until the ones the server cannot take stand alone; those become rejected."""
        if len(batch.reports) == 0:
            raise StoreAway("the database cannot take an event of this batch")
        if len(batch.reports) == 1:
            bad = batch.reports[0]
            refused = Rejected(
                reason=Reason.FIELD_RANGE,
                received_time=bad.received_time,
                topic="",
                detail="the database could not take the row",
                vehicle_id=bad.vehicle_id,
                payload=_encode(bad)[:1000],
            )
            rest = Batch(
                events=batch.events, rejected=[*batch.rejected, refused], statuses=batch.statuses, sensors=batch.sensors
            )
            await self._store(connection, rest)
            return Committed(reports=1, inserted=0, poisoned=1)
        middle = len(batch.reports) // 2
        halves = (
            Batch(
                reports=batch.reports[:middle],
                events=batch.events,
                rejected=batch.rejected,
                statuses=batch.statuses,
                sensors=batch.sensors,
            ),
            Batch(reports=batch.reports[middle:]),
        )
        done = []
        for half in halves:
            try:
                done.append(await self._store(connection, half))
            except psycopg.DataError:
                done.append(await self._store_without_poison(connection, half))
        return Committed(
            reports=len(batch.reports),
            inserted=sum(part.inserted for part in done),
            poisoned=sum(part.poisoned for part in done),
        )

    async def _store_reports(self, cursor: psycopg.AsyncCursor[TupleRow], reports: Sequence[VehicleReport]) -> int:
        names = self._known.names
        rows = [row_of(report, names) for report in reports]
        for day in {row[1].date() for row in rows} - self._known.days:
            await cursor.execute("SELECT fleet.open_day(%s)", (day,))
            self._known.days.add(day)
        async with cursor.copy(f"COPY stage ({_NAMES}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.set_types([kind for _, kind in TELEMETRY])
            for row in rows:
                await copy.write_row(row)
        await cursor.execute(
            f"INSERT INTO fleet.telemetry ({_NAMES}) SELECT {_NAMES} FROM stage ON CONFLICT DO NOTHING".encode()
        )
        inserted = cursor.rowcount
        await cursor.execute(_LAST.encode())
        return inserted

    async def _store_events(self, cursor: psycopg.AsyncCursor[TupleRow], events: Sequence[AnyEvent]) -> None:
        names = self._known.names
        passages = [_passage_row(e, names) for e in events if isinstance(e, StopPassage)]
        headways = [_headway_row(e, names) for e in events if isinstance(e, HeadwayObserved)]
        others = [_event_row(e) for e in events if not isinstance(e, StopPassage | HeadwayObserved)]
        for table, width, rows in (
            ("stop_event", 16, passages),
            ("headway_obs", 9, headways),
            ("event_log", 5, others),
        ):
            if rows:
                marks = ", ".join(["%s"] * width)
                await cursor.executemany(
                    f"INSERT INTO fleet.{table} VALUES ({marks}) ON CONFLICT DO NOTHING".encode(), rows
                )

    async def _store_rejected(self, cursor: psycopg.AsyncCursor[TupleRow], rejected: Sequence[Rejected]) -> None:
        if rejected:
            await cursor.executemany(
                "INSERT INTO fleet.telemetry_reject (received_at, reason, detail, topic, vehicle, payload) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    (
                        instant(r.received_time),
                        r.reason,
                        clean(r.detail),
                        clean(r.topic),
                        None if r.vehicle_id is None else clean(r.vehicle_id),
                        r.payload,
                    )
                    for r in rejected
                ],
            )

    async def _store_statuses(self, cursor: psycopg.AsyncCursor[TupleRow], batch: Batch) -> None:
        names = self._known.names
        if batch.statuses:
            await cursor.executemany(
                "INSERT INTO fleet.vehicle_status AS s VALUES (%s, %s, %s) ON CONFLICT (vehicle_id) DO UPDATE "
                "SET received_at = excluded.received_at, online = excluded.online "
                "WHERE excluded.received_at >= s.received_at",
                [(names[clean(s.vehicle_id)], instant(s.received_time), s.online) for s in batch.statuses],
            )
        if batch.sensors:
            await cursor.executemany(
                "INSERT INTO fleet.sensor VALUES (%s, %s, %s, %s::jsonb) ON CONFLICT DO NOTHING",
                [
                    (names[clean(s.vehicle_id)], instant(s.fix_time), instant(s.received_time), json_text(s))
                    for s in batch.sensors
                ],
            )

    async def _learn_names(self, connection: psycopg.AsyncConnection[TupleRow], batch: Batch) -> None:
        """Numbers for every text of the batch not met before; in a transaction of its own, so retries keep them."""
        known = self._known.names
        if len(known) > _NAMES_MAX:
            known.clear()
        wanted = {t for report in batch.reports for t in texts_of(report) if t is not None and t not in known}
        wanted |= {t for event in batch.events for t in _texts_of_event(event) if t not in known}
        wanted |= {item.vehicle_id for item in (*batch.statuses, *batch.sensors)} - known.keys()
        fresh = sorted({clean(text) for text in wanted} - known.keys())
        if not fresh:
            return
        await connection.execute(
            "INSERT INTO fleet.name (name) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (fresh,)
        )
        found = await connection.execute("SELECT name, name_id FROM fleet.name WHERE name = ANY(%s)", (fresh,))
        known.update({row[0]: row[1] for row in await found.fetchall()})


def _texts_of_event(event: AnyEvent) -> list[str]:
    if isinstance(event, StopPassage):
        texts = (event.vehicle_id, event.route_id, event.stop_id, event.pattern_id, event.trip_id)
        return [text for text in texts if text is not None]
    if isinstance(event, HeadwayObserved):
        return [event.vehicle_id, event.route_id, event.stop_id, event.leader_vehicle_id]
    return []


def _passage_row(p: StopPassage, names: dict[str, int]) -> tuple[Any, ...]:
    return (
        event_id(p),
        instant(p.departure_time),
        instant(p.arrival_time),
        names[clean(p.vehicle_id)],
        names[clean(p.route_id)],
        p.direction_id,
        names[clean(p.stop_id)],
        p.stop_sequence,
        None if p.pattern_id is None else names[clean(p.pattern_id)],
        None if p.trip_id is None else names[clean(p.trip_id)],
        date.fromisoformat(p.service_date) if p.service_date else None,
        p.served,
        p.source,
        None if p.scheduled_arrival_time is None else instant(p.scheduled_arrival_time),
        None if p.scheduled_departure_time is None else instant(p.scheduled_departure_time),
        p.schedule_deviation_s,
    )


def _headway_row(h: HeadwayObserved, names: dict[str, int]) -> tuple[Any, ...]:
    return (
        event_id(h),
        instant(h.time),
        names[clean(h.route_id)],
        h.direction_id,
        names[clean(h.stop_id)],
        names[clean(h.vehicle_id)],
        names[clean(h.leader_vehicle_id)],
        h.headway_s,
        h.target_headway_s,
    )


def _event_row(event: AnyEvent) -> tuple[Any, ...]:
    vehicle = getattr(event, "vehicle_id", None)
    body = clean_json(_encode(event).decode("utf-8", "replace"))
    kind = type(event).__name__
    return event_id(event), instant(event.time), kind, None if vehicle is None else clean(vehicle), body

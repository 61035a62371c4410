"""Migrations: numbered SQL files with a section for each flavour of server, applied once, checked ever after."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from importlib import resources

import psycopg
from psycopg.rows import TupleRow

_LOCK = 7_305_911  # advisory lock: two servers starting at once must not both migrate


class Flavour(StrEnum):
    """What kind of server it is; fixed when the first migration runs."""

    PLAIN = "plain"
    APACHE = "timescale-apache"
    COMMUNITY = "timescale-community"


_SECTIONS = {
    Flavour.PLAIN: frozenset({"all", "plain"}),
    Flavour.APACHE: frozenset({"all", "ts", "noncommunity"}),
    Flavour.COMMUNITY: frozenset({"all", "ts", "community"}),
}


class MigrationFailed(Exception):
    """The database cannot be brought to this version; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """Hash of the text; a file that was applied may never change."""
        return sha256(self.text.encode()).hexdigest()

    def sql(self, flavour: Flavour) -> str:
        """The sections meant for the flavour, in order."""
        kept: list[str] = []
        wanted = True
        for line in self.text.splitlines():
            if line.startswith("-- @"):
                wanted = line.removeprefix("-- @").strip() in _SECTIONS[flavour]
            elif wanted:
                kept.append(line)
        return "\n".join(kept)


def packaged() -> list[Migration]:
    """The migrations that come with this version, in order."""
    folder = resources.files("dispatch.store") / "migrations"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [Migration(f.name, f.read_text(encoding="utf-8")) for f in files]


async def migrate(dsn: str, migrations: list[Migration] | None = None) -> list[str]:
    """Bring the database up to date; names of what was applied. Raises MigrationFailed."""
    try:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            flavour = await _flavour(connection)
            await _check_flavour(connection, flavour)
            done = await _applied(connection)
            applied = []
            for migration in _due(packaged() if migrations is None else migrations, done):
                async with connection.transaction():
                    await connection.execute(migration.sql(flavour).encode())
                    await connection.execute(
                        "INSERT INTO public.dispatch_migration (name, digest, flavour) VALUES (%s, %s, %s)",
                        (migration.name, migration.digest, flavour),
                    )
                applied.append(migration.name)
            return applied
    except psycopg.Error as error:
        raise MigrationFailed(f"the database refused: {str(error).splitlines()[0]}") from error


def _due(migrations: list[Migration], done: dict[str, str]) -> Iterator[Migration]:
    for migration in migrations:
        if migration.name not in done:
            yield migration
        elif done[migration.name] != migration.digest:
            raise MigrationFailed(f"{migration.name} was changed after it had been applied")


async def _flavour(connection: psycopg.AsyncConnection[TupleRow]) -> Flavour:
    available = await connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
    if await available.fetchone() is None:
        return Flavour.PLAIN
    await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    licence = await (await connection.execute("SHOW timescaledb.license")).fetchone()
    return Flavour.COMMUNITY if licence is not None and licence[0] == "timescale" else Flavour.APACHE


async def _check_flavour(connection: psycopg.AsyncConnection[TupleRow], flavour: Flavour) -> None:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS public.dispatch_migration ("
        "name text PRIMARY KEY, digest text NOT NULL, flavour text NOT NULL, applied_at timestamptz DEFAULT now())"
    )
    row = await (await connection.execute("SELECT flavour FROM public.dispatch_migration LIMIT 1")).fetchone()
    if row is not None and row[0] != flavour:
        raise MigrationFailed(f"the database was made as {row[0]} and the server is now {flavour}: dump and reload it")


async def _applied(connection: psycopg.AsyncConnection[TupleRow]) -> dict[str, str]:
    rows = await (await connection.execute("SELECT name, digest FROM public.dispatch_migration")).fetchall()
    return dict(rows)

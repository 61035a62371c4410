"""One real embedded server for the store's tests."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dispatch.store.embedded import embedded_postgres
from dispatch.store.migrate import migrate


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """DSN of a server that runs for the whole session; started on the main thread, as it asks."""
    assert threading.current_thread() is threading.main_thread()
    folder = Path(tempfile.mkdtemp(prefix="bcc-pg-"))
    folder.chmod(0o755)
    with asyncio.Runner() as runner:
        opened = embedded_postgres(folder)
        dsn = runner.run(opened.__aenter__())
        yield dsn
        runner.run(opened.__aexit__(None, None, None))
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def dsn(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh, migrated database on it."""
    name = f"t{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    fresh = server.replace("dbname=postgres", f"dbname={name}")
    asyncio.run(migrate(fresh))
    yield fresh
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

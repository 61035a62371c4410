"""Child processes that end with us, whatever ends us, and run without root's rights where we have them."""

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_SHARED_ROOT = Path("/var/lib/bus-command-centre")


@dataclass(frozen=True, slots=True)
class Account:
    """Who a child runs as."""

    name: str
    uid: int
    gid: int


def unprivileged_account(name: str = "nobody") -> Account | None:
    """The account servers are given when we are root; None when we are not, and they run as we do."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(name)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def reachable(path: Path, account: Account | None) -> bool:
    """The account can come to the path through all folders above it."""
    if account is None:
        return True
    return all(_may_pass(folder, account) for folder in path.resolve().parents)


def _may_pass(folder: Path, account: Account) -> bool:
    try:
        found = folder.stat()
    except OSError:
        return True  # not there yet: it will be made by us, and given away
    if found.st_uid == account.uid:
        return bool(found.st_mode & 0o100)
    if found.st_gid == account.gid:
        return bool(found.st_mode & 0o010)
    return bool(found.st_mode & 0o001)


def data_home(wanted: Path, account: Account | None) -> Path:
    """Where a server's data can live: as wanted, or under /var/lib when the account cannot come there (as in /root)."""
    wanted = wanted.resolve()
    if reachable(wanted / "here", account):
        return wanted
    digest = sha256(str(wanted).encode()).hexdigest()[:10]
    _SHARED_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    return _SHARED_ROOT / f"{wanted.name}-{digest}"


def give(path: Path, account: Account | None, mode: int = 0o700) -> None:
    """Make the folder and hand it to the account."""
    path.mkdir(parents=True, exist_ok=True)
    if account is not None and path.stat().st_uid != account.uid:
        os.chown(path, account.uid, account.gid)
    path.chmod(mode)


def spawn(
    command: Sequence[str | Path],
    *,
    account: Account | None,
    log: IO[bytes] | int,
    death_signal: signal.Signals = signal.SIGTERM,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that gets ``death_signal`` when we die, even of kill -9; to be called from the main thread.

    The kernel ties the signal to the thread that forks, and forgets it when rights change: so they change first.
    """
    us = os.getpid()

    def before_exec() -> None:
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != us:
            os._exit(1)

    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(environment) if environment is not None else None,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        start_new_session=True,  # Ctrl-C in the terminal is ours to pass on, in the right order
        preexec_fn=before_exec,  # noqa: PLW1509  it must be set in the child, and no thread of ours runs yet
    )

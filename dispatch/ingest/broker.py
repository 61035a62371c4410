"""The broker: an outside one if set, else mosquitto if installed, else the embedded one, for development."""

import asyncio
import logging
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from dispatch.mqtt.broker_address import BrokerAddress, parse_address
from dispatch.mqtt.connection import ConnectFailed, connect
from dispatch.processes import Account, data_home, give, spawn, unprivileged_account

log = logging.getLogger(__name__)
_START_S = 20.0
_CHECK_EVERY_S = 5.0
_QUEUE_BYTES_MAX = 2_000_000_000  # what the broker may hold for us while we are away


class BrokerFailed(Exception):
    """No broker can be had; the message says why in one line."""


@dataclass(slots=True)
class RunningBroker:
    """A broker that answers."""

    address: BrokerAddress
    kind: str  # "external", "mosquitto", "iotcore"
    window: int  # messages it sends us before we acknowledge
    command: tuple[str, ...] = ()
    child: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    log_path: Path | None = None
    account: Account | None = None  # None: runs as we do

    @property
    def development_grade(self) -> bool:
        """It forgets everything when it restarts, so nothing a city relies on may run on it."""
        return self.kind == "iotcore"

    async def check(self) -> str | None:
        """None when a real CONNECT is answered, else why not; an open port proves nothing."""
        try:
            probe = await connect(self.address, client_id=f"probe-{token_hex(4)}", timeout_s=5.0)
        except ConnectFailed as error:
            return str(error)
        await probe.close()
        return None

    async def supervise(self) -> None:
        """Restart our own broker whenever it has died or stopped answering; runs until cancelled."""
        while self.child is not None:
            await asyncio.sleep(_CHECK_EVERY_S)
            dead = self.child.poll() is not None
            if not dead and await self.check() is None:
                continue
            log.error("broker restarted", extra={"kind": self.kind, "exited": dead})
            _stop(self.child)
            self.restarts += 1
            self._start()
            await self._wait_ready()

    def _start(self) -> None:
        assert self.log_path is not None
        with self.log_path.open("ab") as out:
            self.child = spawn(self.command, account=self.account, log=out)

    async def _wait_ready(self) -> None:
        assert self.child is not None
        deadline = asyncio.get_running_loop().time() + _START_S
        failure: str | None = "never asked"
        while asyncio.get_running_loop().time() < deadline:
            if self.child.poll() is not None:
                raise BrokerFailed(f"the {self.kind} broker ended at once: {_last_line(self.log_path)}")
            failure = await self.check()
            if failure is None:
                return
            await asyncio.sleep(0.05)
        raise BrokerFailed(f"the {self.kind} broker did not answer within {_START_S:.0f} s: {failure}")


@asynccontextmanager
async def open_broker(
    url: str | None, data_dir: Path, *, port: int = 0, window: int = 20_000, prefer: str | None = None
) -> AsyncIterator[RunningBroker]:
    """The broker to use, stopped again at the end if it is ours; raises BrokerFailed.

    ``port`` 0 takes a free one; ``prefer`` names a kind ("mosquitto", "iotcore") instead of the first to be had.
    """
    if url is not None:
        broker = RunningBroker(parse_address(url), "external", window)
        failure = await broker.check()
        if failure is not None:
            raise BrokerFailed(f"the broker in DISPATCH_MQTT_URL does not answer: {failure}")
        yield broker
        return
    broker = _prepare(data_dir, port, window, prefer)
    broker._start()
    try:
        await broker._wait_ready()
        yield broker
    finally:
        assert broker.child is not None
        _stop(broker.child)


def _prepare(data_dir: Path, port: int, window: int, prefer: str | None) -> RunningBroker:
    account = unprivileged_account()
    home = data_home(data_dir, account)
    give(home, account)
    port = port or free_port()
    if _taken(port):
        raise BrokerFailed(f"port {port} for the broker is taken by another program")
    address = BrokerAddress("127.0.0.1", port, tls=False, username=None, password=None)
    mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if mosquitto is not None and prefer in (None, "mosquitto"):
        config = home / "mosquitto.conf"
        config.write_text(_mosquitto_conf(home, port))
        command = (mosquitto, "-c", str(config))
        return RunningBroker(address, "mosquitto", window, command, log_path=home / "broker.log", account=account)
    if prefer == "mosquitto":
        raise BrokerFailed("mosquitto is not installed")
    return _iotcore(address, home / "rumqttd.toml", home)


def _iotcore(address: BrokerAddress, config: Path, home: Path) -> RunningBroker:
    """rumqttd in a child of our own python; 100 messages in flight are hard-coded in it."""
    config.write_text(_iotcore_toml(address.port))
    program = (
        "import logging, sys; logging.basicConfig(level='WARNING'); "
        "logging.getLogger('rumqttd').setLevel(logging.CRITICAL); "
        "from iotcore.iotcore import IotCoreBroker; IotCoreBroker(config_path=sys.argv[1]).run_forever()"
    )
    return RunningBroker(
        address, "iotcore", 100, (sys.executable, "-c", program, str(config)), log_path=home / "broker.log"
    )


def _mosquitto_conf(home: Path, port: int) -> str:
    """Its default queue of 1,000 messages loses a city's telemetry in half a second (mqtt reference 1)."""
    return "\n".join(
        (
            f"listener {port} 127.0.0.1",
            "allow_anonymous true",
            "max_inflight_messages 0",
            "max_queued_messages 0",
            f"max_queued_bytes {_QUEUE_BYTES_MAX}",
            "persistence true",
            f"persistence_location {home}/",
            "autosave_interval 5",
            "persistent_client_expiration 1d",
            "set_tcp_nodelay true",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "",
        )
    )


def _iotcore_toml(port: int) -> str:
    limits = "\n".join(
        (
            "connection_timeout_ms = 60000",
            "max_payload_size = 1048576",
            "max_inflight_count = 100",
            "dynamic_filters = true",
        )
    )
    return f"""id = 0
[router]
id = 0
max_connections = 20000
max_outgoing_packet_count = 200
max_segment_size = 33554432
max_segment_count = 8
[v5.1]
name = "v5"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 0
[v5.1.connections]
{limits}
"""


def free_port() -> int:
    """A port nobody listens on at this moment, on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _last_line(path: Path | None) -> str:
    lines = path.read_text(errors="replace").strip().splitlines() if path and path.exists() else []
    return lines[-1][:300] if lines else "it said nothing"

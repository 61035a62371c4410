"""The live picture to every browser. One rule: a client is sent all rows changed since what it was sent last.

A client on time shares one encoded frame with all others on time; one that lags gets its own cumulative delta; a new
one has had nothing, so its delta is everything. There is no separate way to resynchronise.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from dispatch.feeds.frame import FleetColumns, pack

_encode = msgspec.json.Encoder().encode
_TEXTS_MAX = 64  # unsent texts of a client before it is cut
_HEARTBEAT_S = 1.0


class RegistryEntry(msgspec.Struct, frozen=True):
    """What a vehicle's number stands for."""

    idx: int
    id: str
    label: str
    route_label: str


@dataclass(eq=False, slots=True)
class Client:
    """One browser: what it has been sent, and what it has not."""

    seq: int = 0
    vehicles: int = 0  # registry entries sent
    texts: list[str] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    overrun: bool = False

    def tell(self, text: str) -> None:
        """Queue a text; a client that does not take them is cut."""
        if len(self.texts) >= _TEXTS_MAX:
            self.overrun = True
        else:
            self.texts.append(text)
        self.wake.set()


def _give_up() -> NoReturn:
    raise TimeoutError("the client does not take its messages")


class Hub:
    """Holds the newest columns and, for each row, the sequence number of its last change."""

    def __init__(self, base_time_s: float, epoch: int | None = None) -> None:
        self.epoch = epoch if epoch is not None else secrets.randbits(31) + 1  # a restart is another epoch
        self.base_time_s = base_time_s
        self.seq = 0
        self.server_time_s = base_time_s
        self.clients: set[Client] = set()
        self.frames_sent = 0
        self.clients_cut = 0
        self._columns: FleetColumns = {}
        self._changed_seq: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._registry: list[RegistryEntry] = []
        self._shared: tuple[int, bytes] | None = None  # delta from the seq before to the newest
        self._beat_time_s = float("-inf")

    def publish(self, columns: FleetColumns, registry: list[RegistryEntry], server_time_s: float) -> None:
        """Take the newest columns; ``registry`` holds every vehicle, old ones unchanged."""
        self._registry = registry
        changed = self._changed(columns)
        if not len(changed) and server_time_s - self._beat_time_s < _HEARTBEAT_S:
            return
        self._beat_time_s = server_time_s
        self.seq += 1
        n = len(columns["vehicle"])
        if n > len(self._changed_seq):
            self._changed_seq = np.concatenate([self._changed_seq, np.zeros(n - len(self._changed_seq), np.uint32)])
        self._changed_seq[changed] = self.seq
        self._columns, self.server_time_s = columns, server_time_s
        self._shared = None
        for client in self.clients:
            client.wake.set()

    def tell_all(self, message: object) -> None:
        """Send a JSON text to every client, in order."""
        text = _encode(message).decode()
        for client in self.clients:
            client.tell(text)

    def resume(self, client: Client, epoch: object, seq: object) -> None:
        """A client that was here before goes on from what it has; any other starts from nothing."""
        if epoch == self.epoch and isinstance(seq, int) and 0 <= seq <= self.seq:
            client.seq = seq

    def next_frame(self, client: Client) -> bytes | None:
        """Everything changed since the client's last frame, None when nothing is newer."""
        if client.seq >= self.seq or not self._columns:
            return None
        since, client.seq = client.seq, self.seq
        if since == self.seq - 1:
            if self._shared is None or self._shared[0] != self.seq:
                self._shared = (self.seq, self._delta(since))
            return self._shared[1]
        return self._delta(since)

    def next_registry(self, client: Client) -> str | None:
        """The vehicles the client has not been told of."""
        known, count = client.vehicles, len(self._registry)
        if known >= count:
            return None
        client.vehicles = count
        return _encode({"type": "registry", "from": known, "vehicles": self._registry[known:]}).decode()

    async def serve(
        self,
        client: Client,
        send_text: Callable[[str], Awaitable[None]],
        send_bytes: Callable[[bytes], Awaitable[None]],
        send_s: float,
    ) -> None:
        """Send to the client until cancelled; raises TimeoutError when it takes nothing for ``send_s``."""
        self.clients.add(client)
        try:
            while not client.overrun:
                registry, frame = self.next_registry(client), self.next_frame(client)
                texts, client.texts = client.texts, []
                for text in (*texts, *([registry] if registry else [])):
                    await asyncio.wait_for(send_text(text), send_s)
                if frame is not None:
                    await asyncio.wait_for(send_bytes(frame), send_s)
                    self.frames_sent += 1
                client.wake.clear()
                if client.seq >= self.seq and not client.texts:
                    await client.wake.wait()
            _give_up()
        except TimeoutError:
            self.clients_cut += 1
            raise
        finally:
            self.clients.discard(client)

    def _changed(self, columns: FleetColumns) -> NDArray[np.int64]:
        n, before = len(columns["vehicle"]), len(self._columns.get("vehicle", ()))
        differs = np.ones(n, bool)
        if before:
            same = np.ones(before, bool)
            for name, column in columns.items():
                same &= column[:before] == self._columns[name]
            differs[:before] = ~same
        return np.flatnonzero(differs)

    def _delta(self, since: int) -> bytes:
        rows = np.flatnonzero(self._changed_seq[: len(self._columns["vehicle"])] > since)
        return pack(self._columns, rows, epoch=self.epoch, seq=self.seq, server_time_s=self.server_time_s)

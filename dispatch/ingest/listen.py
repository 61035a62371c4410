"""The one place that waits for the broker: a durable session, acknowledged by whoever stored the message.

While the database is away nothing is acknowledged, the session's window fills and the broker holds the rest. The live
picture must go on all the same, so a second, clean QoS 0 session is opened for that time: the bypass.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from secrets import SystemRandom
from typing import Any

from dispatch.ingest.inbox import Arrival, Inbox, Receipt
from dispatch.mqtt.broker_address import BrokerAddress
from dispatch.mqtt.connection import ConnectFailed, Connection, Message, connect

log = logging.getLogger(__name__)
_RETRY_S_MIN, _RETRY_S_MAX = 0.5, 10.0
_SESSION_EXPIRY_S = 3600
_jitter = SystemRandom()


@dataclass(slots=True)
class ListenState:
    """What can be seen of a session from outside."""

    connected: bool = False
    reconnects: int = 0
    last_error: str = ""
    bypass: bool = False


class Listener:
    """Keeps the sessions up and puts what they bring into the inbox."""

    def __init__(
        self,
        address: BrokerAddress,
        filters: Sequence[str],
        inbox: Inbox,
        clock: Callable[[], float],
        *,
        client_id: str,
        window: int,
    ) -> None:
        assert window <= inbox.capacity, "messages that must not be dropped have to fit"
        self._address = address
        self._filters = list(filters)
        self._inbox = inbox
        self._clock = clock
        self._client_id = client_id
        self.window = window
        self.state = ListenState()
        self.arrived = asyncio.Event()  # set when half the window waits: an early look is worth it
        self.connected = asyncio.Event()  # the durable session has been up
        self._pending = 0
        self._bypass_wanted = asyncio.Event()
        self._bypass_unwanted = asyncio.Event()
        self._bypass_unwanted.set()

    async def run(self) -> None:
        """Listen until cancelled; the only reconnect loop."""
        async with asyncio.TaskGroup() as sessions:
            sessions.create_task(self._keep_durable(), name="durable session")
            sessions.create_task(self._keep_bypass(), name="bypass session")

    def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """These are stored: tell the broker, in order of receipt. A receipt of a lost connection is ignored."""
        for _, group in groupby(receipts, key=lambda receipt: id(receipt.connection)):
            batch = list(group)
            self._pending = max(0, self._pending - len(batch))
            batch[0].connection.acknowledge([receipt.packet_id for receipt in batch])

    def bypass(self, *, wanted: bool) -> None:
        """Open or close the session that feeds the live picture while nothing can be acknowledged."""
        if wanted:
            self._bypass_unwanted.clear()
            self._bypass_wanted.set()
        else:
            self._bypass_wanted.clear()
            self._bypass_unwanted.set()

    async def _keep_durable(self) -> None:
        attempt = 0
        while True:
            try:
                connection = await self._open_durable()
            except (ConnectFailed, TimeoutError) as error:
                self.state.last_error = str(error)
                log.warning("broker away", extra={"reason": str(error)})
            else:
                attempt = 0
                self.state.connected = True
                self.connected.set()
                try:
                    self.state.last_error = await connection.closed
                finally:
                    connection.abort() if connection.closed.done() else await connection.close()
                self.state.connected = False
                self.state.reconnects += 1
                log.warning("broker connection lost", extra={"reason": self.state.last_error})
            attempt += 1
            await asyncio.sleep(_jitter.uniform(0, min(_RETRY_S_MAX, _RETRY_S_MIN * 2**attempt)))

    async def _open_durable(self) -> Connection:
        holder: list[Connection] = []
        early: list[Message] = []

        def take(message: Message) -> None:
            if holder:
                self._put(message, holder[0])
            else:
                early.append(message)

        self._pending = 0
        connection = await connect(
            self._address,
            client_id=self._client_id,
            clean_start=False,
            session_expiry_s=_SESSION_EXPIRY_S,
            receive_maximum=self.window,
            on_message=take,
        )
        holder.append(connection)
        for message in early:
            self._put(message, connection)
        try:
            await connection.subscribe(self._filters, 1)
        except BaseException:
            connection.abort()
            raise
        return connection

    def _put(self, message: Message, connection: Connection | None) -> None:
        receipt = Receipt(connection, message.packet_id) if connection is not None and message.packet_id else None
        self._inbox.put(Arrival(message.topic, message.payload, self._clock(), message.retained, receipt))
        if receipt is not None:
            self._pending += 1
            if self._pending * 2 >= self.window:
                self.arrived.set()

    async def _keep_bypass(self) -> None:
        while True:
            await self._bypass_wanted.wait()
            try:
                connection = await connect(
                    self._address,
                    client_id=f"{self._client_id}-bypass",
                    on_message=lambda message: self._put(message, None),
                )
                await connection.subscribe(self._filters, 0)
            except (ConnectFailed, TimeoutError):
                await asyncio.sleep(_jitter.uniform(0, 2.0))
                continue
            self.state.bypass = True
            unwanted: asyncio.Future[Any] = asyncio.ensure_future(self._bypass_unwanted.wait())
            ending: set[asyncio.Future[Any]] = {unwanted, connection.closed}
            try:
                await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
            finally:
                unwanted.cancel()
                self.state.bypass = False
                await connection.close()

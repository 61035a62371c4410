"""An MQTT 5 connection: the ``mqtt5`` codec in an asyncio Protocol, acknowledgement left to whoever took the message.

Written because no client with public manual acknowledgement is cheap enough: 1.2 us a message against 41-44
(docs/decisions/0004). One connection, no reconnect: that is the caller's, who knows what must be resumed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import mqtt5

from dispatch.mqtt.broker_address import BrokerAddress
from dispatch.mqtt.frames import Frames, Malformed

PACKET_BYTES_MAX = 4 * 1024 * 1024
_UNSENT_MAX = 20_000  # publishes waiting for the broker's window or the socket
_PACKET_IDS = 65_535


class ConnectFailed(Exception):
    """No connection; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Message:
    """A publish received. ``packet_id`` 0: QoS 0, nothing to acknowledge."""

    topic: str
    payload: bytes
    retained: bool
    duplicate: bool
    packet_id: int


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when the connection is lost."""

    topic: str
    payload: bytes


class Connection(asyncio.Protocol):
    """Use ``connect``. Callbacks run in the event loop and must not block."""

    def __init__(self, on_message: Callable[[Message], None] | None, keepalive_s: int) -> None:
        self._on_message = on_message
        self._keepalive_s = keepalive_s
        self._frames = Frames(PACKET_BYTES_MAX)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._connack: asyncio.Future[mqtt5.ConnAckPacket] = self._loop.create_future()
        self._subscribed: dict[int, asyncio.Future[list[int]]] = {}
        self._unacked: dict[int, asyncio.Future[None]] = {}
        self._waiting: deque[tuple[str, bytes, bool, asyncio.Future[None]]] = deque()
        self._window = _PACKET_IDS
        self._next_id = 0
        self._paused = False
        self._heard = 0.0
        self._pinger: asyncio.TimerHandle | None = None
        self.session_present = False
        self.closed: asyncio.Future[str] = self._loop.create_future()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._heard = self._loop.time()

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        try:
            for packet in self._frames.feed(data):
                self._take(packet)
        except Malformed as error:
            self._end(f"the broker sent bytes that are not MQTT: {error}")

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else "the broker closed the connection")

    # the user's side

    async def subscribe(self, filters: Sequence[str], qos: int) -> None:
        """Subscribe and wait until the broker has agreed; raises ConnectFailed when it refuses a filter."""
        packet_id = self._fresh_id()
        done: asyncio.Future[list[int]] = self._loop.create_future()
        self._subscribed[packet_id] = done
        wanted = [mqtt5.TopicFilter(f, max_qos=mqtt5.QoS(qos)) for f in filters]
        self._write(mqtt5.SubscribePacket(packet_id, wanted).write())
        answers = await asyncio.wait_for(done, 10.0)
        refused = [f for f, answer in zip(filters, answers, strict=True) if answer >= 0x80]
        if refused:
            raise ConnectFailed(f"the broker refused the subscription to {refused[0]}")

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> asyncio.Future[None] | None:
        """Send; with QoS 1 the future is done at the broker's acknowledgement and fails with the connection.

        Beyond the broker's window and a slow socket up to 20,000 publishes wait; one more raises BufferError.
        """
        if qos == 0:
            if not self._paused:
                self._write(mqtt5.PublishPacket(topic, payload, retain=retain).write())
            return None
        done: asyncio.Future[None] = self._loop.create_future()
        if self.closed.done():
            done.set_exception(ConnectFailed(self.closed.result()))
        elif len(self._unacked) >= self._window or self._paused or self._waiting:
            if len(self._waiting) >= _UNSENT_MAX:
                raise BufferError(f"{_UNSENT_MAX} publishes wait for the broker")
            self._waiting.append((topic, payload, retain, done))
        else:
            self._send(topic, payload, retain, done)
        return done

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """Tell the broker, in one write, that these messages are safe; in the order they were received."""
        if not self.closed.done():
            self._write(b"".join(b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in packet_ids))

    async def close(self) -> None:
        """Say goodbye: the will is not published."""
        if not self.closed.done():
            self._write(mqtt5.DisconnectPacket().write())
            self._end("closed here")

    def abort(self) -> None:
        """Drop the connection without a word: the will is published."""
        if self._transport is not None:
            self._transport.abort()
        self._end("dropped here")

    # inside

    def begin(self, packet: mqtt5.ConnectPacket) -> asyncio.Future[mqtt5.ConnAckPacket]:
        """Send CONNECT; the future gives the broker's answer."""
        self._write(packet.write())
        return self._connack

    def established(self, answer: mqtt5.ConnAckPacket) -> None:
        """The broker agreed: keep the connection alive from now on."""
        self.session_present = answer.session_present
        self._window = min(answer.receive_max, _PACKET_IDS)
        if answer.server_keep_alive:
            self._keepalive_s = answer.server_keep_alive
        self._ping()

    def _ping(self) -> None:
        if self.closed.done():
            return
        if self._loop.time() - self._heard > 1.5 * self._keepalive_s:
            self._end(f"nothing heard for {1.5 * self._keepalive_s:.0f} s")
            return
        self._write(mqtt5.PingReqPacket().write())
        self._pinger = self._loop.call_later(self._keepalive_s / 2, self._ping)

    def _take(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.PublishPacket):
            if self._on_message is not None:
                self._on_message(
                    Message(packet.topic, packet.payload, packet.retain, packet.duplicate, packet.packet_id or 0)
                )
        elif isinstance(packet, mqtt5.PubAckPacket):
            done = self._unacked.pop(packet.packet_id, None)
            if done is not None and not done.done():
                done.set_result(None)
            self._send_waiting()
        elif isinstance(packet, mqtt5.SubAckPacket):
            agreed = self._subscribed.pop(packet.packet_id, None)
            if agreed is not None and not agreed.done():
                agreed.set_result([int(code) for code in packet.reason_codes])
        elif isinstance(packet, mqtt5.ConnAckPacket) and not self._connack.done():
            self._connack.set_result(packet)
        elif isinstance(packet, mqtt5.DisconnectPacket):
            self._end(f"the broker said goodbye: {packet.reason_code.name.lower()}")

    def _send(self, topic: str, payload: bytes, retain: bool, done: asyncio.Future[None]) -> None:
        packet_id = self._fresh_id()
        self._unacked[packet_id] = done
        packet = mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=retain, packet_id=packet_id)
        self._write(packet.write())

    def _send_waiting(self) -> None:
        while self._waiting and len(self._unacked) < self._window and not self._paused:
            self._send(*self._waiting.popleft())

    def _fresh_id(self) -> int:
        while True:
            self._next_id = self._next_id % _PACKET_IDS + 1
            if self._next_id not in self._unacked and self._next_id not in self._subscribed:
                return self._next_id

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _end(self, reason: str) -> None:
        if self.closed.done():
            return
        self.closed.set_result(reason)
        if self._pinger is not None:
            self._pinger.cancel()
        if self._transport is not None:
            self._transport.close()
        lost = ConnectFailed(reason)
        waiting = [entry[3] for entry in self._waiting]
        pending: list[asyncio.Future[Any]] = [
            *self._unacked.values(),
            *waiting,
            *self._subscribed.values(),
            self._connack,
        ]
        for done in pending:
            if not done.done():
                done.set_exception(lost)
                done.exception()  # read here, so that a future nobody awaits is no warning
        self._unacked.clear()
        self._waiting.clear()
        self._subscribed.clear()


async def connect(
    address: BrokerAddress,
    *,
    client_id: str,
    clean_start: bool = True,
    session_expiry_s: int = 0,
    receive_maximum: int = _PACKET_IDS,
    keepalive_s: int = 60,
    will: Will | None = None,
    on_message: Callable[[Message], None] | None = None,
    timeout_s: float = 10.0,
) -> Connection:
    """Connect and sign in; raises ConnectFailed with one line that says why."""
    loop = asyncio.get_running_loop()
    packet = mqtt5.ConnectPacket(
        client_id,
        username=address.username,
        password=address.password.encode() if address.password is not None else None,
        clean_start=clean_start,
        session_expiry_interval=session_expiry_s,
        receive_max=receive_maximum,
        keep_alive=keepalive_s,
        max_packet_size=PACKET_BYTES_MAX,
        will=None
        if will is None
        else mqtt5.Will(will.topic, payload=will.payload, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True),
    )
    try:
        async with asyncio.timeout(timeout_s):
            _, connection = await loop.create_connection(
                lambda: Connection(on_message, keepalive_s), address.host, address.port, ssl=address.ssl_context()
            )
            try:
                answer = await connection.begin(packet)
            except BaseException:
                connection.abort()
                raise
    except TimeoutError as error:
        raise ConnectFailed(f"{address} did not answer within {timeout_s:.0f} s") from error
    except OSError as error:
        raise ConnectFailed(f"{address}: {error.strerror or error}") from error
    if answer.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
        connection.abort()
        raise ConnectFailed(f"{address} refused: {answer.reason_code.name.lower()}")
    connection.established(answer)
    return connection

"""Put buses on the wire: each an MQTT client of its own, with its last will, as an onboard unit would be."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from dispatch.mqtt.broker_address import BrokerAddress
from dispatch.mqtt.connection import ConnectFailed, Connection, Will, connect
from dispatch.reports import VehicleReport
from dispatch.wire.fleet import encode_status, status_topic
from dispatch.wire.hfp import encode_hfp
from simulator.buses import Buses

_SAY_EVERY_S = 10.0
_RETRY_S = 2.0
_CONNECTING_AT_ONCE = 20


class OnWire:
    """The connections of all buses on the road."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._connections: dict[str, Connection] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._wanted: set[str] = set()
        self._previous: dict[str, VehicleReport] = {}
        self._gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)
        self.published = 0
        self.lost = 0  # not sent, for the bus had no connection

    @property
    def connected(self) -> int:
        """Buses that have a connection."""
        return sum(not connection.closed.done() for connection in self._connections.values())

    def send(self, report: VehicleReport) -> None:
        """Publish a report, or lose it when its bus is not connected, as a bus without a buffer would."""
        vehicle_id = report.vehicle_id
        connection = self._connections.get(vehicle_id)
        if connection is None or connection.closed.done():
            self._open(vehicle_id)
            self.lost += 1
            return
        topic, payload = encode_hfp(report, self._previous.get(vehicle_id))
        self._previous[vehicle_id] = report
        with suppress(BufferError):
            connection.publish(topic, payload, qos=1)
            self.published += 1

    async def close(self) -> None:
        """Every bus signs off the wire."""
        for task in self._opening:
            task.cancel()
        for vehicle_id, connection in self._connections.items():
            if not connection.closed.done():
                connection.publish(
                    status_topic(vehicle_id), encode_status(online=False, time=time.time()), qos=1, retain=True
                )
                await connection.close()

    def _open(self, vehicle_id: str) -> None:
        if vehicle_id in self._wanted:
            return
        self._wanted.add(vehicle_id)
        task = asyncio.ensure_future(self._connect(vehicle_id))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, vehicle_id: str) -> None:
        try:
            async with self._gate:
                connection = await connect(
                    self._address,
                    client_id=f"bus-{vehicle_id.replace('/', '-')}",
                    will=Will(status_topic(vehicle_id), encode_status(online=False)),
                )
            self._connections[vehicle_id] = connection
            connection.publish(
                status_topic(vehicle_id), encode_status(online=True, time=time.time()), qos=1, retain=True
            )
        except ConnectFailed:
            await asyncio.sleep(_RETRY_S)
        finally:
            self._wanted.discard(vehicle_id)


async def drive(buses: Buses, address: BrokerAddress) -> None:
    """Run the city in real time until cancelled; each bus speaks at its own moment of the second."""
    wire = OnWire(address)
    said = time.time()
    try:
        async for now in _seconds():
            reports = buses.advance(now)
            for report in reports:
                wait_s = report.fix_time - time.time()
                if wait_s > 0.02:
                    await asyncio.sleep(wait_s)
                wire.send(report)
            if now - said >= _SAY_EVERY_S:
                said = now
                line = f"{len(buses)} buses, {wire.connected} connected, {wire.published} published, {wire.lost} lost"
                print(line, file=sys.stderr, flush=True)
    finally:
        await wire.close()


async def _seconds() -> AsyncIterator[float]:
    """Each second of the clock, a second ahead, so that each bus can speak at its own moment; never catching up."""
    second = float(int(time.time()))
    while True:
        second = max(second + 1.0, float(int(time.time())))
        yield second + 1.0
        await asyncio.sleep(max(0.0, second - time.time()))

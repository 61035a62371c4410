"""Load: many light buses on a few connections, with cheap payloads, to measure the system and not the generator."""

import asyncio
import time
from dataclasses import dataclass

import msgspec
import numpy as np

from dispatch.mqtt.broker_address import BrokerAddress
from dispatch.mqtt.connection import Connection, connect
from dispatch.network.model import Network
from dispatch.network.timetable import DatedTrip, Timetable
from dispatch.units import iso_from_time

_SETTLE_TURNS = 600  # of 50 ms: half a minute for the last acknowledgements
_SLICES = 20  # a second's buses are spread over so many moments
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class LoadResult:
    """What was sent, and what the broker said it has."""

    vehicles: int
    seconds: float
    published: int = 0
    acknowledged: int = 0
    late_s_max: float = 0.0  # how far the generator itself fell behind


@dataclass(slots=True)
class _LightBus:
    number: int
    dated: DatedTrip
    offset_m: float


class Load:
    """Light buses that run along the network's patterns at a steady speed."""

    def __init__(self, network: Network, vehicles: int, first: int = 0) -> None:
        self._network = network
        now = time.time()
        running = Timetable(network).running_at(now) or Timetable(network).running_at(now, slack_s=86_400.0)
        patterns = network.patterns
        rng = np.random.default_rng(1)
        self._buses = [
            _LightBus(
                first + index,
                running[index % len(running)],
                float(rng.uniform(0.0, patterns[running[index % len(running)].trip.pattern_id].length_m)),
            )
            for index in range(vehicles)
        ]
        self._began = now

    def message(self, bus: _LightBus, now: float) -> tuple[str, bytes]:
        """A plain position of a bus at ``now``."""
        pattern = self._network.patterns[bus.dated.trip.pattern_id]
        along = (bus.offset_m + 8.0 * (now - self._began)) % pattern.length_m
        at = int(np.searchsorted(pattern.along_m, along, "right")) - 1
        at = min(at, len(pattern.along_m) - 2)
        share = (along - pattern.along_m[at]) / (pattern.along_m[at + 1] - pattern.along_m[at])
        lat = float(pattern.lat[at] + share * (pattern.lat[at + 1] - pattern.lat[at]))
        lon = float(pattern.lon[at] + share * (pattern.lon[at + 1] - pattern.lon[at]))
        start_s = int(bus.dated.trip.departure_service_s[0]) // 60 % 1440
        start = f"{start_s // 60:02d}:{start_s % 60:02d}"
        body = {
            "desi": pattern.route_id, "dir": str(pattern.direction_id + 1), "oper": 1, "veh": bus.number % 100_000,
            "tst": iso_from_time(now), "tsi": int(now), "spd": 8.0, "hdg": None, "lat": round(lat, 6),
            "long": round(lon, 6), "acc": 0.0, "dl": 0, "odo": int(along), "drst": 0,
            "oday": bus.dated.service_date.isoformat(), "start": start, "loc": "GPS", "stop": None,
            "route": pattern.route_id, "occu": 0,
        }  # fmt: skip
        operator = f"{bus.number // 100_000 + 1:04d}"
        head = f"/hfp/v2/journey/ongoing/vp/bus/{operator}/{bus.number % 100_000:05d}"
        topic = f"{head}/{pattern.route_id}/{pattern.direction_id + 1}/x/{start}//0/{int(lat)};{int(lon)}/00/00/00"
        return topic, _encode({"VP": body})

    async def run(self, address: BrokerAddress, *, seconds: float, rate_hz: float, connections: int) -> LoadResult:
        """Publish at the rate for the time at QoS 1; waits for the last acknowledgement."""
        links = [
            await connect(address, client_id=f"load-{self._buses[0].number}-{index}") for index in range(connections)
        ]
        result = LoadResult(len(self._buses), seconds)
        period_s = 1.0 / rate_hz
        slice_s = period_s / _SLICES
        began = time.time()
        turns = round(seconds * rate_hz) * _SLICES
        for turn in range(turns):
            due = began + turn * slice_s
            wait_s = due - time.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            result.late_s_max = max(result.late_s_max, time.time() - due)
            self._send(links, turn % _SLICES, result)
        await self._settle(links, result)
        return result

    def _send(self, links: list[Connection], part: int, result: LoadResult) -> None:
        def count(future: "asyncio.Future[None]") -> None:
            if future.exception() is None:
                result.acknowledged += 1

        for index in range(part, len(self._buses), _SLICES):
            topic, payload = self.message(self._buses[index], time.time())
            future = links[index % len(links)].publish(topic, payload, qos=1)
            assert future is not None
            future.add_done_callback(count)
            result.published += 1

    async def _settle(self, links: list[Connection], result: LoadResult) -> None:
        for _ in range(_SETTLE_TURNS):
            if result.acknowledged == result.published:
                break
            await asyncio.sleep(0.05)
        for link in links:
            await link.close()

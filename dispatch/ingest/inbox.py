"""What has arrived and not been looked at yet: bounded, with a policy when full and counters."""

from collections import deque
from dataclasses import dataclass

import msgspec

from dispatch.mqtt.connection import Connection

_NEVER_DROPPED = ("/status", "/sensor")  # panic travels in sensor reports


@dataclass(frozen=True, slots=True)
class Receipt:
    """Whom to tell that the message is safe."""

    connection: Connection
    packet_id: int


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A message as it came."""

    topic: str
    payload: bytes
    received_time: float  # UTC s
    retained: bool
    receipt: Receipt | None  # None: will come again on the durable session, for storage


class Inbox:
    """Arrivals in order. When full, the oldest plain position without a receipt goes; nothing else ever does.

    Arrivals with a receipt cannot overflow it: the broker sends no more of them than the capacity before they are
    acknowledged.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.received = 0
        self.dropped = 0
        self.depth_max = 0
        self._waiting: deque[Arrival] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, arrival: Arrival) -> None:
        """Take in an arrival."""
        self.received += 1
        if len(self._waiting) >= self.capacity and not self._make_room(arrival):
            return
        self._waiting.append(arrival)
        self.depth_max = max(self.depth_max, len(self._waiting))

    def take(self, count: int) -> list[Arrival]:
        """At most so many of the waiting, oldest first."""
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]

    def _make_room(self, arrival: Arrival) -> bool:
        """Drop the oldest position that may be dropped, or the arrival itself if only it may."""
        for index, waiting in enumerate(self._waiting):
            if _droppable(waiting):
                del self._waiting[index]
                self.dropped += 1
                return True
        if _droppable(arrival):
            self.dropped += 1
            return False
        return True


def _droppable(arrival: Arrival) -> bool:
    if arrival.receipt is not None or arrival.topic.endswith(_NEVER_DROPPED):
        return False
    return arrival.topic.split("/", 6)[5:6] == ["vp"]

"""Bytes from the broker cut into packets by the ``mqtt5`` codec, surviving a packet the codec cannot stand."""

from collections.abc import Iterator

import mqtt5

_PUBLISH = 3


class Malformed(Exception):
    """The bytes are no MQTT; the connection is beyond repair."""


class Frames:
    """Collects bytes and gives whole packets."""

    def __init__(self, packet_bytes_max: int) -> None:
        self._buffer = bytearray()
        self._packet_bytes_max = packet_bytes_max

    def feed(self, data: bytes) -> Iterator[mqtt5.Packet]:
        """The packets complete so far; raises Malformed."""
        self._buffer += data
        at = 0
        view = memoryview(self._buffer)
        packets = []
        try:
            while at < len(view):
                packet, used = self._next(view[at:])
                if packet is None:
                    break
                packets.append(packet)
                at += used
        finally:
            view.release()
        del self._buffer[:at]
        return iter(packets)

    def _next(self, view: memoryview) -> tuple[mqtt5.Packet | None, int]:
        try:
            return mqtt5.read(view)
        except IndexError:
            if len(view) > self._packet_bytes_max:
                raise Malformed(f"a packet of more than {self._packet_bytes_max} bytes") from None
            return None, 0
        except ValueError as error:
            raise Malformed(str(error)) from error
        except BaseException as error:
            # The codec panics on a topic that is not UTF-8; pyo3's panic is a BaseException without a public name.
            if type(error).__name__ != "PanicException":
                raise
            return _publish_with_bad_topic(bytes(view))


def _publish_with_bad_topic(data: bytes) -> tuple[mqtt5.Packet, int]:
    """The packet with its topic's bad bytes replaced, so that it can be counted, acknowledged and left behind."""
    if data[0] >> 4 != _PUBLISH:
        raise Malformed("text that is not UTF-8")
    size, at = _variable_int(data, 1)
    end = at + size
    topic_end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    topic = data[at + 2 : topic_end].decode("utf-8", errors="replace")
    qos = mqtt5.QoS((data[0] >> 1) & 3)
    packet_id = int.from_bytes(data[topic_end : topic_end + 2], "big") if qos else None
    return mqtt5.PublishPacket(topic, b"", qos=qos, packet_id=packet_id), end


def _variable_int(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at

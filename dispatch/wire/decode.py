"""Any message of any topic we listen to: to a report, or to a refusal with its reason."""

from dispatch.reports import Input, Reason
from dispatch.wire.fleet import decode_counts, decode_fleet
from dispatch.wire.hfp import decode_hfp, rejected

_PAYLOAD_MAX = 65_536  # bytes; the largest real payload seen is below 2,000


def decode(topic: str, payload: bytes, received_time: float, *, retained: bool = False) -> Input:
    """What a message says; no topic and no bytes make it raise.

    ``received_time`` UTC s, stamped on arrival. A retained message is old by nature, so only a status may be one.
    """
    if len(payload) > _PAYLOAD_MAX:
        return rejected(Reason.PAYLOAD_TOO_LARGE, received_time, topic, f"{len(payload)} bytes", payload)
    if topic.startswith("/hfp/v2/"):
        if retained:
            return rejected(Reason.RETAINED, received_time, topic, "kept by the broker, not live", payload)
        if topic.split("/", 6)[5:6] in (["apc"], ["apc-partial"]):
            return decode_counts(topic, payload, received_time)
        return decode_hfp(topic, payload, received_time)
    if topic.startswith("fleet/v1/"):
        if retained and not topic.endswith("/status"):
            return rejected(Reason.RETAINED, received_time, topic, "kept by the broker, not live", payload)
        return decode_fleet(topic, payload, received_time)
    return rejected(Reason.TOPIC_UNKNOWN, received_time, topic, "", payload)

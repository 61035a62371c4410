"""The network as the dashboard draws it; index order is the one frames speak in. Encoded once."""

import gzip
from dataclasses import dataclass

import msgspec
import numpy as np

from dispatch.network.model import Network

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class EncodedNetwork:
    """The answer to /api/network, ready to send."""

    etag: str
    plain: bytes
    gzipped: bytes


def encode_network(network: Network) -> EncodedNetwork:
    """Routes, patterns and stops as JSON."""
    stop_index = {stop_id: index for index, stop_id in enumerate(network.stops)}
    route_index = {route_id: index for index, route_id in enumerate(network.routes)}
    body = {
        "version": network.version,
        "agency": network.agency_name,
        "timezone": network.timezone,
        "routes": [
            {
                "id": r.route_id,
                "short_name": r.short_name,
                "long_name": r.long_name,
                "color": r.color,
                "text_color": r.text_color,
            }
            for r in network.routes.values()
        ],
        "patterns": [
            {
                "id": p.pattern_id,
                "route": route_index[p.route_id],
                "direction": p.direction_id,
                "headsign": p.headsign,
                "length_m": round(p.length_m, 1),
                "shape": np.round(np.stack([p.lat, p.lon], axis=1), _DECIMALS).tolist(),
                "stops": [stop_index[s] for s in p.stop_ids],
                "stop_along_m": np.round(p.stop_along_m, 1).tolist(),
                "straight": p.shape_source != "shapes.txt",
            }
            for p in network.patterns.values()
        ],
        "stops": [
            {"id": s.stop_id, "name": s.name, "lat": round(s.lat, _DECIMALS), "lon": round(s.lon, _DECIMALS)}
            for s in network.stops.values()
        ],
    }
    plain = msgspec.json.encode(body)
    return EncodedNetwork(f'"{network.version or "empty"}"', plain, gzip.compress(plain, 6, mtime=0))

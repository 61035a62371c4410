"""Conversions at the border: everything inside is SI and UTC seconds. Used by codecs and importers only."""

from datetime import UTC, datetime

KMH_PER_MPS = 3.6
MPS_PER_KNOT = 1852 / 3600


def mps_from_kmh(speed_kmh: float) -> float:
    """Metres per second from kilometres per hour."""
    return speed_kmh / KMH_PER_MPS


def mps_from_knots(speed_kn: float) -> float:
    """Metres per second from international knots (1852 m per hour)."""
    return speed_kn * MPS_PER_KNOT


def iso_from_time(time: float) -> str:
    """ISO 8601 in UTC with milliseconds and ``Z`` from UTC seconds; raises ValueError outside years 1-9999."""
    try:
        instant = datetime.fromtimestamp(round(time, 3), UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"no calendar date for {time!r}") from error
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")

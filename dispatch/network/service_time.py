"""Service dates and UTC: a service day begins at noon minus 12 h of its date (GTFS), which is midnight but for DST."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_LONGEST_DAY = timedelta(hours=36)  # a service day may run past midnight, never past noon of the next day


@lru_cache(maxsize=4096)
def service_midnight_time(service_date: date, timezone: str) -> float:
    """UTC s from which the service times of the date are counted."""
    noon = datetime.combine(service_date, time(12), ZoneInfo(timezone))
    return noon.timestamp() - 12 * 3600


def service_dates_at(time_s: float, timezone: str) -> list[date]:
    """Service dates whose trips may be running at the instant (UTC s), earlier first: the day before, and today."""
    today = datetime.fromtimestamp(time_s, UTC).astimezone(ZoneInfo(timezone)).date()
    return [today - timedelta(days=1), today]

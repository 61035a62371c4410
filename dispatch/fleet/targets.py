"""The headway the timetable promises at a stop at a time: the target a measured headway is put to."""

from datetime import date
from math import isnan

from dispatch.events import StopPassage
from dispatch.network.service_time import service_dates_at
from dispatch.network.timetable import Timetable


class Targets:
    """Answers for stop passages; callable."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable

    def __call__(self, passage: StopPassage) -> float | None:
        """Scheduled headway in s of the passage's trip at its stop, else of the departure nearest in time."""
        time = passage.scheduled_departure_time or passage.departure_time
        dates = (
            [date.fromisoformat(passage.service_date)]
            if passage.service_date
            else service_dates_at(passage.departure_time, self._timetable.network.timezone)
        )
        for service_date in dates:
            headway_s = self._timetable.scheduled_headway_s(
                passage.route_id, passage.direction_id, passage.stop_id, time, service_date
            )
            if not isnan(headway_s):
                return headway_s
        return None

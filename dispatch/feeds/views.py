"""Rows of the picture as REST answers."""

import numpy as np

from dispatch.control import ControlCentre
from dispatch.feeds.models import LiveHeadway, RouteSummary, Vehicle, known, moment
from dispatch.fleet.picture import VehicleState


def vehicle_label(vehicle_id: str) -> str:
    """The number painted on the bus: the vehicle's part of the id without leading zeros."""
    return vehicle_id.rpartition("/")[2].lstrip("0") or vehicle_id


def vehicle_view(centre: ControlCentre, slot: int, now: float) -> Vehicle:
    """One vehicle, as last heard."""
    p = centre.picture

    def name(column: object, names: list[str]) -> str | None:
        index = int(column)  # type: ignore[call-overload]
        return names[index] if index >= 0 else None

    fix_time = known(p.fix_time[slot], 3)
    trip = int(p.dated_trip[slot])
    return Vehicle(
        id=p.vehicle_ids[slot],
        label=vehicle_label(p.vehicle_ids[slot]),
        route_id=name(p.route[slot], centre.route_ids),
        direction_id=int(p.direction[slot]) if p.direction[slot] >= 0 else None,
        pattern_id=name(p.pattern[slot], centre.pattern_ids),
        trip_id=centre.timetable.dated_trips[trip].dated_trip_id if trip >= 0 else None,
        trip_inferred=bool(p.inferred[slot]),
        state=VehicleState(int(p.state[slot])).name.lower(),
        fix_time=None if fix_time is None else moment(fix_time),
        fix_age_s=None if fix_time is None else round(now - fix_time, 1),
        lat=known(p.lat[slot], 6),
        lon=known(p.lon[slot], 6),
        speed_mps=known(p.speed_mps[slot], 2),
        heading_deg=known(p.heading_deg[slot]),
        along_m=known(p.along_m[slot]),
        lateral_m=known(p.lateral_m[slot]),
        match_quality=known(p.match_quality[slot], 2),
        off_route=bool(p.off_route[slot]),
        stale=bool(p.stale[slot]),
        online=None if p.online[slot] < 0 else bool(p.online[slot]),
        schedule_deviation_s=known(p.deviation_s[slot]),
        ahead_vehicle_id=name(p.ahead[slot], p.vehicle_ids),
        behind_vehicle_id=name(p.behind[slot], p.vehicle_ids),
        headway_s=known(p.headway_s[slot]),
        headway_behind_s=known(p.headway_behind_s[slot]),
        target_headway_s=known(p.target_headway_s[slot]),
        occupancy_share=known(p.occupancy_share[slot], 2),
    )


def route_views(centre: ControlCentre) -> list[RouteSummary]:
    """Every route with its spacing now, in the feed's order."""
    p, n = centre.picture, len(centre.picture)
    seen = ~p.stale[:n] & np.isin(p.state[:n], (VehicleState.IN_SERVICE, VehicleState.LAYOVER))
    views = []
    for index, route in enumerate(centre.network.routes.values()):
        here = np.flatnonzero(seen & (p.route[:n] == index))
        headways = p.headway_s[here][~np.isnan(p.headway_s[here])]
        targets = p.target_headway_s[here][~np.isnan(p.target_headway_s[here])]
        views.append(
            RouteSummary(
                id=route.route_id,
                short_name=route.short_name,
                long_name=route.long_name,
                vehicles=len(here),
                headway_s_min=known(headways.min()) if len(headways) else None,
                headway_s_max=known(headways.max()) if len(headways) else None,
                target_headway_s=known(np.median(targets)) if len(targets) else None,
            )
        )
    return views


def running_order(centre: ControlCentre, route_id: str) -> dict[str, list[LiveHeadway]]:
    """The route's matched buses by direction, the foremost first."""
    p, n = centre.picture, len(centre.picture)
    route = centre.route_ids.index(route_id)
    on = (p.route[:n] == route) & ~np.isnan(p.along_m[:n]) & (p.state[:n] == VehicleState.IN_SERVICE) & ~p.stale[:n]
    found: dict[str, list[LiveHeadway]] = {"0": [], "1": []}
    for slot in sorted(np.flatnonzero(on).tolist(), key=lambda s: -p.along_m[s]):
        found[str(int(p.direction[slot]))].append(
            LiveHeadway(
                vehicle_id=p.vehicle_ids[slot],
                along_m=round(float(p.along_m[slot]), 1),
                headway_s=known(p.headway_s[slot]),
                target_headway_s=known(p.target_headway_s[slot]),
                schedule_deviation_s=known(p.deviation_s[slot]),
            )
        )
    return found

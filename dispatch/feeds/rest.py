"""The REST part of the contract that exists so far."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request, Response

from dispatch.feeds.context import Context
from dispatch.feeds.models import (
    ObservedHeadway,
    OpenAlert,
    Position,
    Reject,
    Rejects,
    RouteHeadways,
    RouteSummary,
    Vehicle,
    moment,
)
from dispatch.feeds.shapes import encode_network
from dispatch.feeds.views import route_views, running_order, vehicle_view
from dispatch.feeds.vitals import Health

_SPAN_S_MAX = 7 * 86_400.0
Moment = Annotated[datetime | None, Query(description="ISO 8601 with offset")]


def rest_router(context: Context) -> APIRouter:  # noqa: C901  one small function for each address
    """All read-only addresses under /api."""
    router = APIRouter(prefix="/api")
    centre = context.centre
    encoded = encode_network(centre.network)

    @router.get("/health", response_model=None, summary="Is it alive, and how old is the newest fix?")
    async def health() -> Response:
        return _json(msgspec.json.encode(health_now()))

    def health_now() -> Health:
        return context.vitals.health(context.clock(), len(context.hub.clients), context.stale_after_s)

    @router.get("/vehicles", summary="All vehicles ever heard of, or those of a route")
    async def vehicles(route: str | None = None) -> list[Vehicle]:
        now = context.clock()
        views = [vehicle_view(centre, slot, now) for slot in range(len(centre.picture))]
        return [view for view in views if route is None or view.route_id == route]

    @router.get("/vehicles/{vehicle_id:path}/track", summary="Where a vehicle was")
    async def track(
        vehicle_id: str,
        from_: Annotated[datetime | None, Query(alias="from")] = None,
        to: Moment = None,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
    ) -> list[Position]:
        _slot(context, vehicle_id)
        start, end = _span(context, from_, to)
        points = await context.reader.track(vehicle_id, start, end, limit)
        return [
            Position(time=moment(p.time), lat=p.lat, lon=p.lon, speed_mps=p.speed_mps, heading_deg=p.heading_deg)
            for p in points
        ]

    @router.get("/vehicles/{vehicle_id:path}", summary="One vehicle")
    async def vehicle(vehicle_id: str) -> Vehicle:
        return vehicle_view(centre, _slot(context, vehicle_id), context.clock())

    @router.get("/routes", summary="All routes and how their buses are spaced now")
    async def routes() -> list[RouteSummary]:
        return route_views(centre)

    @router.get("/routes/{route_id:path}/headways", summary="A route's headways: live, and observed in a time span")
    async def headways(
        route_id: str, from_: Annotated[datetime | None, Query(alias="from")] = None, to: Moment = None
    ) -> RouteHeadways:
        if route_id not in centre.network.routes:
            raise HTTPException(404, f"no route {route_id} in the network")
        observed: list[ObservedHeadway] = []
        if from_ is not None or to is not None:
            start, end = _span(context, from_, to)
            observed = [
                ObservedHeadway(
                    time=moment(h.time),
                    direction_id=h.direction_id,
                    stop_id=h.stop_id,
                    vehicle_id=h.vehicle_id,
                    leader_vehicle_id=h.leader_vehicle_id,
                    headway_s=h.headway_s,
                    target_headway_s=h.target_headway_s,
                )
                for h in await context.reader.headways(route_id, start, end)
            ]
        return RouteHeadways(route_id=route_id, live=running_order(centre, route_id), observed=observed)

    @router.get("/alerts", summary="What is wrong now, worst first")
    async def alerts() -> list[OpenAlert]:
        return [
            OpenAlert(
                id=a.id,
                kind=a.kind,
                priority=a.priority,
                since=moment(a.since_time),
                vehicle_id=a.vehicle_id,
                route_id=a.route_id,
                trip_id=a.trip_id,
                value=a.value,
            )
            for a in context.alerts.listed()
        ]

    @router.get("/rejects", summary="Refused inputs: counts since the start, and the newest")
    async def rejects(limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> Rejects:
        newest = await context.reader.rejects(context.clock() - 86_400.0, limit)
        return Rejects(
            counts=dict(context.vitals.rejected),
            newest=[
                Reject(
                    received=moment(r.received_time),
                    reason=r.reason,
                    detail=r.detail,
                    topic=r.topic,
                    vehicle_id=r.vehicle_id,
                )
                for r in newest
            ],
        )

    @router.get("/network", response_model=None, summary="Routes, patterns and stops; index order is the live frame's")
    async def network(request: Request) -> Response:
        headers = {"ETag": encoded.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == encoded.etag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return _json(encoded.gzipped, headers | {"Content-Encoding": "gzip"})
        return _json(encoded.plain, headers)

    return router


def _json(body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, media_type="application/json", headers=headers)


def _slot(context: Context, vehicle_id: str) -> int:
    slot = context.centre.picture.slot_of.get(vehicle_id)
    if slot is None:
        raise HTTPException(404, f"no vehicle {vehicle_id[:100]} has been heard")
    return slot


def _span(context: Context, start: datetime | None, end: datetime | None) -> tuple[float, float]:
    """Both ends as UTC s; the last hour when nothing is asked."""
    for instant in (start, end):
        if instant is not None and instant.tzinfo is None:
            raise HTTPException(422, "a time needs its offset, as in 2026-02-16T10:58:00-05:00")
    until = context.clock() if end is None else end.timestamp()
    since = until - 3600.0 if start is None else start.timestamp()
    if not 0 <= until - since <= _SPAN_S_MAX:
        raise HTTPException(422, "from must lie before to, and by no more than seven days")
    return since, until

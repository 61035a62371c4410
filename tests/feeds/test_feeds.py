"""What browsers and programs are served: frames, resuming, slow and hostile clients, REST and its errors."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import numpy as np
import pytest
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.answers import HeadwayRecord, RejectRecord, TrackPoint
from dispatch.control import ControlCentre
from dispatch.events import DeviceConflict, FeedOutage, OffRoute, PanicPressed, TripMissing, VehicleStale
from dispatch.feeds.alerts import Alerts
from dispatch.feeds.app import create_app
from dispatch.feeds.context import Context
from dispatch.feeds.frame import COLUMNS, columns_of, pack, unpack
from dispatch.feeds.hub import Client, Hub, RegistryEntry
from dispatch.feeds.serve import PortTaken, bind, serve
from dispatch.feeds.vitals import Vitals
from tests.feeds.make_golden import FOLDER, golden_bytes
from tests.support.city import EIGHT, city, drive, straight, trips


class CannedReader:
    async def track(self, vehicle_id, from_time, to_time, limit):
        return [TrackPoint(time=from_time + 1, lat=50.0, lon=10.0)][:limit]

    async def headways(self, route_id, from_time, to_time):
        return [HeadwayRecord(time=from_time, direction_id=0, stop_id="s", vehicle_id="1/1", leader_vehicle_id="1/2", headway_s=9.0)]  # fmt: skip

    async def rejects(self, since_time, limit):
        return [RejectRecord(received_time=since_time, reason="retained", detail="", topic="/x")]


@pytest.fixture
def context(tmp_path):
    line = straight()
    centre = ControlCentre(city([line], trips(line, [8 * 3600, 8 * 3600 + 600])))
    told = drive(line, EIGHT, vehicle_id="1/1") + drive(line, EIGHT + 200, vehicle_id="1/2")
    for second in range(300):
        now = EIGHT + second
        centre.step([r for r in told if now - 1 < r.fix_time <= now], now)
    vitals = Vitals(started_time=EIGHT)
    vitals.newest_fix_time = EIGHT + 299
    vitals.broker_connected = True
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title>")
    return Context(
        centre=centre, hub=Hub(EIGHT), alerts=Alerts(), vitals=vitals, reader=CannedReader(),
        clock=lambda: EIGHT + 300, static=tmp_path, send_s=1.0, clients_max=150,
    )  # fmt: skip


def show(context, now=EIGHT + 300):
    picture = context.centre.picture
    registry = [RegistryEntry(i, v, v, "") for i, v in enumerate(picture.vehicle_ids)]
    context.hub.publish(columns_of(picture, context.hub.base_time_s), registry, now)


def test_the_golden_frame_is_what_it_was():
    assert (FOLDER / "frame.bin").read_bytes() == golden_bytes()
    meaning = json.loads((FOLDER / "frame.json").read_text())
    frame = unpack(golden_bytes())
    assert (frame.epoch, frame.seq, frame.server_time_s) == (77, 12, meaning["server_time_s"])
    assert {name: column.tolist() for name, column in frame.columns.items()} == meaning["columns"]


def test_unknown_values_are_sent_as_unknown_and_large_ones_are_held_within_their_type(context):
    picture = context.centre.picture
    slot = picture.slot("9/9")
    picture.headway_s[slot] = 1e9
    picture.deviation_s[0] = np.nan
    columns = columns_of(picture, EIGHT)
    assert columns["lat_e6"][slot] == 2_147_483_647
    assert columns["headway_s"][slot] == 65_534
    assert columns["deviation_s"][0] == -32_768
    assert columns["along_dm"][slot] == -1


@given(
    changes=st.lists(st.sets(st.integers(0, 19)), min_size=1, max_size=12),
    reads=st.lists(st.booleans(), min_size=12, max_size=12),
)
@settings(max_examples=80, deadline=None)
def test_a_client_that_misses_any_frames_ends_with_the_same_columns(changes, reads):
    hub, client = Hub(0.0), Client()
    rng = np.random.default_rng(1)
    columns = {name: np.zeros(20, dtype) for name, dtype in COLUMNS}
    columns["vehicle"] = np.arange(20, dtype="<u4")
    seen = {name: np.zeros(20, dtype) for name, dtype in COLUMNS}
    for number, (changed, read) in enumerate(zip(changes, reads, strict=False)):
        columns = {name: column.copy() for name, column in columns.items()}
        for row in changed:
            columns["lat_e6"][row] = rng.integers(0, 10**6)
        hub.publish(columns, [], float(number * 2))
        if read or number == len(changes) - 1:
            data = hub.next_frame(client)
            assert data is not None
            frame = unpack(data)
            for name, column in frame.columns.items():
                seen[name][frame.columns["vehicle"]] = column
    assert all((seen[name] == columns[name]).all() for name in columns)


def test_clients_on_time_share_one_frame_and_a_laggard_gets_its_own(context):
    show(context)
    one, two, late = Client(), Client(), Client()
    for client in (one, two):
        context.hub.next_frame(client)
    context.centre.picture.lat[0] += 0.001
    show(context, EIGHT + 301)
    assert context.hub.next_frame(one) is context.hub.next_frame(two)
    assert len(unpack(context.hub.next_frame(late)).columns["vehicle"]) == 2


def test_a_client_that_comes_back_goes_on_and_one_from_before_a_restart_starts_anew(context):
    show(context)
    back, stranger = Client(), Client()
    context.hub.resume(back, context.hub.epoch, 1)
    context.hub.resume(stranger, context.hub.epoch + 1, 1)
    assert (back.seq, stranger.seq) == (1, 0)
    context.hub.resume(stranger, context.hub.epoch, 10**9)
    assert stranger.seq == 0


def test_when_nothing_changes_a_heartbeat_still_goes_out_each_second(context):
    show(context, EIGHT)
    for tenth in range(1, 31):
        show(context, EIGHT + tenth / 10)
    assert context.hub.seq == 4


def test_alerts_open_and_close_and_an_outage_hides_single_silences():
    alerts = Alerts()
    stale = [VehicleStale(time=1.0, vehicle_id=f"1/{n}", began=True, last_fix_time=0.0) for n in range(3)]
    alerts.fold(
        [*stale, OffRoute(time=1.0, vehicle_id="1/1", began=True, route_id="1", pattern_id="p", lateral_m=90.0)], 1.0
    )
    assert [a.kind for a in alerts.listed()] == ["stale"] * 3 + ["off_route"] or len(alerts.listed()) == 4
    alerts.fold([FeedOutage(time=2.0, began=True, stale_vehicles=30, vehicles=40)], 2.0)
    assert [a.kind for a in alerts.listed()] == ["feed_outage", "off_route"]
    missing = TripMissing(
        time=3.0,
        began=True,
        route_id="1",
        direction_id=0,
        trip_id="t",
        service_date="2026-01-05",
        scheduled_start_time=0.0,
    )
    alerts.fold([missing, PanicPressed(time=3.0, vehicle_id="1/2")], 3.0)
    assert [a.kind for a in alerts.listed()][:3] == ["feed_outage", "panic", "trip_missing"]
    alerts.fold([FeedOutage(time=4.0, began=False, stale_vehicles=0, vehicles=40)], 4.0)
    assert "feed_outage" not in {a.kind for a in alerts.listed()}
    alerts.fold([DeviceConflict(time=4.0, vehicle_id="1/3", spacing_m=900.0)], 4.0)
    alerts.fold([], 4.0 + 901)
    assert "device_conflict" not in {a.kind for a in alerts.listed()}


@pytest.fixture
async def web(context):
    transport = httpx.ASGITransport(create_app(context))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client


async def test_vehicles_say_where_they_are_and_how_they_are_spaced(web):
    both = (await web.get("/api/vehicles")).json()
    assert [v["id"] for v in both] == ["1/1", "1/2"]
    one = (await web.get("/api/vehicles/1/2")).json()
    assert one == both[1]
    assert one["headway_s"] == pytest.approx(200, abs=6)
    assert one["ahead_vehicle_id"] == "1/1"
    assert one["fix_time"].endswith("Z")
    assert (await web.get("/api/vehicles?route=none")).json() == []


async def test_a_track_a_route_and_its_headways_are_answered(web):
    track = await web.get(
        "/api/vehicles/1/1/track", params={"from": "2026-01-05T07:00:00+00:00", "to": "2026-01-05T08:00:00Z"}
    )
    assert track.json()[0]["time"] == "2026-01-05T07:00:01Z"
    assert (await web.get("/api/routes")).json()[0]["vehicles"] == 2
    headways = (await web.get("/api/routes/1/headways")).json()
    assert [b["vehicle_id"] for b in headways["live"]["0"]] == ["1/1", "1/2"]
    assert headways["observed"] == []
    observed = await web.get("/api/routes/1/headways", params={"from": "2026-01-05T07:00:00Z"})
    assert observed.json()["observed"][0]["headway_s"] == 9.0
    assert (await web.get("/api/rejects")).json()["newest"][0]["reason"] == "retained"
    assert (await web.get("/api/alerts")).json() == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/vehicles/none/at-all", 404),
        ("/api/vehicles/none/at-all/track", 404),
        ("/api/routes/none/headways", 404),
        ("/api/nothing", 404),
        ("/api/vehicles/1/1/track?from=yesterday", 422),
        ("/api/vehicles/1/1/track?from=2026-01-05T07:00:00", 422),
        ("/api/vehicles/1/1/track?from=2020-01-05T07:00:00Z", 422),
        ("/api/vehicles/1/1/track?limit=0", 422),
    ],
)
async def test_errors_are_problem_documents(web, path, status):
    answer = await web.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]


async def test_the_network_is_sent_once_and_then_by_its_tag(web):
    answer = await web.get("/api/network")
    assert [p["id"] for p in answer.json()["patterns"]] == ["1-0"]
    again = await web.get("/api/network", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_health_says_what_is_wrong_in_stable_words(web, context):
    assert (await web.get("/api/health")).json()["status"] == "ok"
    context.vitals.store_away_since = EIGHT + 290
    context.vitals.newest_fix_time = EIGHT
    health = (await web.get("/api/health")).json()
    assert (health["status"], set(health["reasons"])) == ("degraded", {"store_away", "fixes_old"})
    assert (health["store_away_s"], health["newest_fix_age_s"]) == (10.0, 300.0)
    context.vitals.broker_connected = False
    assert (await web.get("/api/health")).json()["status"] == "down"


async def test_metrics_and_the_openapi_document_are_served(web):
    assert "dispatch_messages_received_total" in (await web.get("/metrics")).text
    assert "/api/vehicles" in (await web.get("/openapi.json")).json()["paths"]


async def test_every_answer_carries_the_content_policy(web):
    policy = (await web.get("/")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@asynccontextmanager
async def served(context):
    listener = bind("127.0.0.1", 0)
    task = asyncio.create_task(serve(create_app(context), listener))
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def first_frames(socket, count=1):
    texts, frames = [], []
    while len(frames) < count:
        message = await asyncio.wait_for(socket.recv(), 5)
        (frames if isinstance(message, bytes) else texts).append(message)
    return [json.loads(t) for t in texts], [unpack(f) for f in frames]


@pytest.mark.services
async def test_a_new_client_is_greeted_told_the_names_and_sent_everything(context):
    show(context)
    async with served(context) as host, websockets.connect(f"ws://{host}/ws/live", compression=None) as socket:
        await socket.send(json.dumps({"type": "hello", "epoch": 0, "seq": 0}))
        texts, (frame,) = await first_frames(socket)
        assert [t["type"] for t in texts] == ["hello", "alerts", "registry"]
        assert [v["id"] for v in texts[2]["vehicles"]] == ["1/1", "1/2"]
        assert frame.columns["vehicle"].tolist() == [0, 1]
        await socket.send(json.dumps({"type": "ping", "t": 5.0}))
        assert json.loads(await asyncio.wait_for(socket.recv(), 5)) == {
            "type": "pong",
            "t": 5.0,
            "server_time_s": EIGHT + 300,
        }


@pytest.mark.services
async def test_a_client_that_resumes_gets_only_what_changed(context):
    show(context)
    context.centre.picture.lat[1] += 0.001
    show(context, EIGHT + 301)
    async with served(context) as host, websockets.connect(f"ws://{host}/ws/live", compression=None) as socket:
        await socket.send(json.dumps({"type": "hello", "epoch": context.hub.epoch, "seq": 1}))
        _, (frame,) = await first_frames(socket)
        assert frame.columns["vehicle"].tolist() == [1]


@pytest.mark.services
@pytest.mark.parametrize(
    "rude",
    [b"\x00\x01", "no json", "x" * 600, '{"type":1}', "x" * 10_000],
    ids=["bytes", "text", "long", "type", "huge"],
)
async def test_a_client_that_talks_nonsense_is_shown_out_and_others_are_not(context, rude):
    show(context)
    async with served(context) as host:
        async with (
            websockets.connect(f"ws://{host}/ws/live", compression=None) as good,
            websockets.connect(f"ws://{host}/ws/live", compression=None) as bad,
        ):
            for socket in (good, bad):
                await socket.send(json.dumps({"type": "hello"}))
                await first_frames(socket)
            await bad.send(rude)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(bad.recv(), 5)
            context.centre.picture.lat[0] += 0.001
            show(context, EIGHT + 302)
            await first_frames(good)


@pytest.mark.services
async def test_a_page_of_another_site_gets_nothing(context):
    async with served(context) as host:
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"ws://{host}/ws/live", origin="http://evil.example")


@pytest.mark.services
async def test_clients_that_stall_are_cut_and_hold_nobody_back(context):
    picture = context.centre.picture
    for number in range(4000):
        slot = picture.slot(f"2/{number}")
        picture.lat[slot], picture.fix_time[slot] = 50.0, EIGHT
    show(context)
    async with served(context) as host:
        address, _, port = host.partition(":")
        stalled = [await _stalled(address, int(port)) for _ in range(20)]
        async with websockets.connect(f"ws://{host}/ws/live", compression=None, max_size=None) as good:
            await good.send(json.dumps({"type": "hello"}))
            await first_frames(good)
            lags = []
            for turn in range(600):
                if turn >= 60 and context.hub.clients_cut == 20:
                    break
                picture.lat[: len(picture)] += 0.00001
                show(context, EIGHT + 301 + turn)
                began = asyncio.get_running_loop().time()
                await first_frames(good)
                lags.append(asyncio.get_running_loop().time() - began)
                await asyncio.sleep(0.05)
            assert sorted(lags)[int(0.95 * len(lags))] < 1.0
            assert context.hub.clients_cut == 20
        for writer in stalled:
            writer.close()


async def _stalled(address, port):
    """A client that says hello and never reads again."""
    reader, writer = await asyncio.open_connection(address, port, limit=1024)
    writer.write(
        f"GET /ws/live HTTP/1.1\r\nHost: {address}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()
    return writer


def test_a_taken_port_is_said_in_one_plain_line():
    with bind("127.0.0.1", 0) as taken, pytest.raises(PortTaken, match="is taken: another command centre"):
        bind("127.0.0.1", taken.getsockname()[1])


def test_packing_every_row_costs_little():
    columns = {name: np.zeros(10_000, dtype) for name, dtype in COLUMNS}
    assert len(pack(columns, np.arange(10_000), epoch=1, seq=1, server_time_s=0.0)) == 32 + 10_000 * 40

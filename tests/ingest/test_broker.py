"""Brokers and sessions for real: what is published arrives, what is not acknowledged comes again."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dispatch.ingest.broker import BrokerFailed, free_port, open_broker
from dispatch.ingest.inbox import Arrival, Inbox
from dispatch.ingest.listen import Listener
from dispatch.mqtt.broker_address import parse_address
from dispatch.mqtt.connection import ConnectFailed, Message, Will, connect

pytestmark = pytest.mark.services
_HAVE_MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") is not None
KINDS = [
    pytest.param("mosquitto", marks=pytest.mark.skipif(not _HAVE_MOSQUITTO, reason="mosquitto is not installed")),
    "iotcore",
]


@pytest.fixture(params=KINDS)
async def broker(request, server_dir):
    async with open_broker(None, server_dir / "broker", prefer=request.param) as running:
        yield running


async def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)


def alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and " Z " not in stat.read_text()


async def listening(listener):
    task = asyncio.create_task(listener.run())
    await eventually(lambda: listener.state.connected)
    return task


async def stop(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def new_listener(broker, inbox, filters=("/hfp/v2/#",), name="test", window=None):
    return Listener(
        broker.address, filters, inbox, time.time, client_id=name, window=window or min(broker.window, inbox.capacity)
    )


async def test_what_is_published_arrives_in_order_with_a_receipt(broker):
    inbox = Inbox(1000)
    listener = new_listener(broker, inbox)
    task = await listening(listener)
    bus = await connect(broker.address, client_id="bus")
    for number in range(50):
        await bus.publish("/hfp/v2/journey/a b/é", str(number).encode(), qos=1)
    await eventually(lambda: len(inbox) == 50)
    arrivals = inbox.take(10_000)
    assert [a.payload for a in arrivals] == [str(n).encode() for n in range(50)]
    assert {a.topic for a in arrivals} == {"/hfp/v2/journey/a b/é"}
    assert all(a.receipt is not None and not a.retained for a in arrivals)
    listener.acknowledge([a.receipt for a in arrivals])
    await bus.close()
    await stop(task)


async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(broker):
    inbox = Inbox(1000)
    listener = new_listener(broker, inbox)
    task = await listening(listener)
    bus = await connect(broker.address, client_id="bus")
    for number in range(20):
        await bus.publish("/hfp/v2/x", str(number).encode(), qos=1)
    await eventually(lambda: len(inbox) == 20)
    arrivals = inbox.take(10_000)
    listener.acknowledge([a.receipt for a in arrivals[:10]])
    await asyncio.sleep(0.2)
    await stop(task)
    await bus.publish("/hfp/v2/x", b"while away", qos=1)
    again = Inbox(1000)
    task = await listening(new_listener(broker, again))
    await eventually(lambda: len(again) >= 11)
    await asyncio.sleep(0.2)
    assert [a.payload for a in again.take(10_000)] == [str(n).encode() for n in range(10, 20)] + [b"while away"]
    await bus.close()
    await stop(task)


async def test_while_nothing_can_be_acknowledged_the_bypass_keeps_the_live_picture_fed(broker):
    inbox = Inbox(100_000)
    listener = new_listener(broker, inbox, window=100)
    task = await listening(listener)
    bus = await connect(broker.address, client_id="bus")
    for number in range(300):
        await bus.publish("/hfp/v2/x", str(number).encode(), qos=1)
    await eventually(lambda: len(inbox) >= 100)
    await asyncio.sleep(0.3)
    stuck = inbox.take(10_000)
    assert len(stuck) < 300
    listener.bypass(wanted=True)
    await eventually(lambda: listener.state.bypass)
    for number in range(300, 310):
        await bus.publish("/hfp/v2/x", str(number).encode(), qos=1)
    await eventually(lambda: sum(a.receipt is None for a in inbox._waiting) == 10)
    fresh = [a for a in inbox.take(10_000) if a.receipt is None]
    assert [a.payload for a in fresh] == [str(n).encode() for n in range(300, 310)]
    listener.bypass(wanted=False)
    await eventually(lambda: not listener.state.bypass)
    stored = {a.payload for a in stuck}
    listener.acknowledge([a.receipt for a in stuck])
    for _ in range(200):
        await asyncio.sleep(0.05)
        more = [a for a in inbox.take(10_000) if a.receipt is not None]
        stored |= {a.payload for a in more}
        listener.acknowledge([a.receipt for a in more])
        if len(stored) == 310:
            break
    assert stored == {str(n).encode() for n in range(310)}
    await bus.close()
    await stop(task)


async def test_disjoint_filters_share_the_messages_between_two_listeners(broker):
    one, two = Inbox(1000), Inbox(1000)
    first = await listening(new_listener(broker, one, ["/hfp/v2/journey/+/+/+/+/+/A/#"], "one"))
    second = await listening(new_listener(broker, two, ["/hfp/v2/journey/+/+/+/+/+/B/#"], "two"))
    bus = await connect(broker.address, client_id="bus")
    for number in range(40):
        await bus.publish(f"/hfp/v2/journey/ongoing/vp/bus/1/2/{'AB'[number % 2]}/1/h", str(number).encode(), qos=1)
    await eventually(lambda: len(one) + len(two) == 40)
    assert {int(a.payload) % 2 for a in one.take(10_000)} == {0}
    assert {int(a.payload) % 2 for a in two.take(10_000)} == {1}
    await bus.close()
    await stop(first)
    await stop(second)


async def test_a_retained_message_is_marked_as_one(broker):
    bus = await connect(broker.address, client_id="bus")
    await bus.publish("fleet/v1/1/2/status", b"{}", qos=1, retain=True)
    inbox = Inbox(10)
    task = await listening(new_listener(broker, inbox, ["fleet/v1/#"]))
    await eventually(lambda: len(inbox) == 1)
    assert inbox.take(10_000)[0].retained
    await bus.publish("fleet/v1/1/2/status", b"", qos=1, retain=True)
    await bus.close()
    await stop(task)


async def test_the_last_will_of_a_bus_that_vanishes_is_published(broker):
    got: list[Message] = []
    watcher = await connect(broker.address, client_id="watcher", on_message=got.append)
    await watcher.subscribe(["fleet/#"], 0)
    bus = await connect(broker.address, client_id="bus", will=Will("fleet/v1/1/2/status", b"gone"))
    bus.abort()
    await eventually(lambda: got)
    assert (got[0].topic, got[0].payload) == ("fleet/v1/1/2/status", b"gone")
    await watcher.close()


async def test_a_megabyte_arrives_and_hurts_nobody(broker):
    inbox = Inbox(100)
    task = await listening(new_listener(broker, inbox))
    bus = await connect(broker.address, client_id="bus")
    bus.publish("/hfp/v2/big", b"x" * 1_000_000, qos=1)
    bus.publish("/hfp/v2/small", b"y", qos=1)
    await asyncio.sleep(1.0)
    sane = await connect(broker.address, client_id="bus2")
    await sane.publish("/hfp/v2/other", b"z", qos=1)
    await eventually(lambda: b"z" in {a.payload for a in inbox._waiting})
    await bus.close()
    await sane.close()
    await stop(task)


async def test_a_killed_broker_is_started_again_and_the_listener_resumes(server_dir):
    async with open_broker(None, server_dir / "broker") as running:
        inbox = Inbox(1000)
        listener = new_listener(running, inbox)
        task = await listening(listener)
        watch = asyncio.create_task(running.supervise())
        os.kill(running.child.pid, signal.SIGKILL)
        await eventually(lambda: not listener.state.connected)
        await eventually(lambda: listener.state.connected, 30.0)
        assert running.restarts == 1
        bus = await connect(running.address, client_id="bus")
        await bus.publish("/hfp/v2/x", b"after", qos=1)
        await eventually(lambda: len(inbox) == 1)
        await bus.close()
        await stop(watch)
        await stop(task)


async def test_our_broker_dies_with_us_even_of_kill_9(server_dir):
    program = (
        "import asyncio, sys, pathlib\n"
        "from dispatch.ingest.broker import open_broker\n"
        "async def main():\n"
        "    async with open_broker(None, pathlib.Path(sys.argv[1])) as b:\n"
        "        print(b.child.pid, b.address.port, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, server_dir / "b"], stdout=subprocess.PIPE, text=True
    ) as parent:
        child, port = map(int, parent.stdout.readline().split())
        parent.kill()
        parent.wait()
    await eventually(lambda: not alive(child))
    with pytest.raises(ConnectFailed):
        await connect(parse_address(f"mqtt://127.0.0.1:{port}"), client_id="x", timeout_s=1)


async def test_a_taken_port_is_said_plainly(server_dir):
    port = free_port()
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", port)
    with pytest.raises(BrokerFailed, match=f"port {port} for the broker is taken"):
        async with open_broker(None, server_dir, port=port):
            pass
    server.close()


async def test_an_outside_broker_that_is_not_there_is_said_plainly(server_dir):
    with pytest.raises(BrokerFailed, match="does not answer"):
        async with open_broker(f"mqtt://127.0.0.1:{free_port()}", server_dir):
            pass


@pytest.mark.parametrize(
    "bytes_sent", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 64, b"\x20", b""], ids=["http", "ff", "half", "none"]
)
async def test_a_server_that_is_no_broker_is_refused_in_one_line(bytes_sent):
    async def answer(reader, writer):
        writer.write(bytes_sent)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ConnectFailed) as caught:
        await connect(parse_address(f"mqtt://127.0.0.1:{port}"), client_id="x", timeout_s=1.0)
    assert "\n" not in str(caught.value)
    server.close()
    await asyncio.sleep(0.1)


def test_a_full_inbox_drops_the_oldest_position_and_never_a_stop_event():
    def arrival(event, number):
        return Arrival(f"/hfp/v2/journey/ongoing/{event}/bus/1/2", str(number).encode(), 0.0, False, None)

    inbox = Inbox(3)
    for number, event in enumerate(("vp", "doo", "vp", "ars", "vja", "dep")):
        inbox.put(arrival(event, number))
    inbox.put(arrival("vp", 6))
    inbox.put(Arrival("fleet/v1/1/2/sensor", b"7", 0.0, False, None))
    assert [a.payload for a in inbox.take(10_000)] == [b"1", b"3", b"4", b"5", b"7"]
    assert (inbox.received, inbox.dropped) == (8, 3)


def test_an_address_keeps_its_password_to_itself():
    address = parse_address("mqtts://bus:secret@host.example")
    assert (address.port, address.password) == (8883, "secret")
    assert "secret" not in f"{address} {address!r}"

"""/ws/live: hello, registry, frames, alerts and health to a browser; hello and pings from it; nothing else."""

import asyncio
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from dispatch.feeds.context import Context
from dispatch.feeds.hub import Client

_HELLO_S = 1.0
_MESSAGE_CHARS_MAX = 512
_MESSAGES_PER_MIN_MAX = 120
_POLICY, _TRY_LATER = 1008, 1013


class _FromClient(msgspec.Struct):
    """Anything a browser may say."""

    type: str
    epoch: int | None = None
    seq: int | None = None
    t: float | None = None


def live_socket(context: Context) -> APIRouter:
    """The route of the live feed."""
    router = APIRouter()

    @router.websocket("/ws/live")
    async def live(socket: WebSocket) -> None:
        if not _same_origin(socket):
            await socket.close(_POLICY)
            return
        if len(context.hub.clients) >= context.clients_max:
            await socket.close(_TRY_LATER)
            return
        await socket.accept()
        client = Client()
        try:
            await _greet(socket, context, client)
            async with asyncio.TaskGroup() as both:
                listening = both.create_task(_listen(socket, context, client))
                sending = both.create_task(
                    context.hub.serve(client, socket.send_text, socket.send_bytes, context.send_s)
                )
                await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
                listening.cancel()
                sending.cancel()
        except* (WebSocketDisconnect, TimeoutError, RuntimeError, OSError):
            await _close_quietly(socket)

    return router


def _same_origin(socket: WebSocket) -> bool:
    """A page of another site may not read the feed through a visitor's browser; programs send no Origin."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")


async def _greet(socket: WebSocket, context: Context, client: Client) -> None:
    hub = context.hub
    try:
        first = _parse(await asyncio.wait_for(socket.receive_text(), _HELLO_S))
    except (TimeoutError, KeyError):
        first = None
    if first is not None and first.type == "hello":
        hub.resume(client, first.epoch, first.seq)
    hello = {
        "type": "hello",
        "epoch": hub.epoch,
        "base_time_s": hub.base_time_s,
        "server_time_s": context.clock(),
        "network_version": context.centre.network.version,
        "timezone": context.centre.network.timezone,
        "stale_after_s": context.stale_after_s,
        "demo": context.demo,
    }
    client.tell(msgspec.json.encode(hello).decode())
    client.tell(msgspec.json.encode({"type": "alerts", "alerts": context.alerts.listed()}).decode())


async def _listen(socket: WebSocket, context: Context, client: Client) -> None:
    """Answer pings; a client that says too much, or what no browser of ours says, is shown out."""
    said = 0
    window_end = asyncio.get_running_loop().time() + 60.0
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        now = asyncio.get_running_loop().time()
        if now > window_end:
            said, window_end = 0, now + 60.0
        said += 1
        text = message.get("text")
        parsed = _parse(text) if text is not None else None
        if parsed is None or said > _MESSAGES_PER_MIN_MAX:
            await socket.close(_POLICY)
            return
        if parsed.type == "ping":
            client.tell(msgspec.json.encode({"type": "pong", "t": parsed.t, "server_time_s": context.clock()}).decode())


def _parse(text: str) -> _FromClient | None:
    if len(text) > _MESSAGE_CHARS_MAX:
        return None
    try:
        return msgspec.json.decode(text, type=_FromClient)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


async def _close_quietly(socket: WebSocket) -> None:
    try:
        await asyncio.wait_for(socket.close(_TRY_LATER), 1.0)
    except (RuntimeError, TimeoutError, OSError, WebSocketDisconnect):
        return

"""Run the web application inside our own event loop, on a port that is known to be free before anything starts."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

_BACKLOG = 2048


class PortTaken(Exception):
    """Something else listens there; the message says so in one line."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything else is started; raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"port {port} on {host} is taken: another command centre or program is running there; stop it or choose "
            f"another with --port ({error.strerror})"
        ) from error
    return listener


class _Server(uvicorn.Server):
    """Leaves signals to the program it runs in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until cancelled, then close the clients and return.

    Frames are never compressed: deflate costs 9.9 ms of CPU a client and frame against 0.08 (dashboard reference 3).
    """
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=4096,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]), name="uvicorn")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        server.should_exit = True
        await asyncio.wait({task}, timeout=5.0)
        raise
    finally:
        listener.close()

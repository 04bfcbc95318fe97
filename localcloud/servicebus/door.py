"""One port for all who come: AMQP, plain or by TLS, AMQP over WebSocket, and the administration client's HTTP.

The first byte tells them apart, once more below TLS.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, cast

import structlog
from aiohttp import web

from localcloud.servicebus.wire import HANDSHAKE_SECONDS

TLS_HELLO: Final = b"\x16"
HTTP: Final = b"GPDOH"  # how its methods begin
BACKLOG: Final = 512
MOST_GREETED: Final = 1_000  # that have said nothing yet
DRAIN_SECONDS: Final = 2
PAUSE_SECONDS: Final = 0.1  # where the system has no descriptor left

log = structlog.get_logger()


@asynccontextmanager
async def opened(
    address: tuple[str, int], tls: ssl.SSLContext | None, wire: Callable[[], asyncio.Protocol], app: web.Application
) -> AsyncIterator[int]:
    """The port, which is a free one where 0 was asked for."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_SECONDS, handle_signals=False)
    await runner.setup()
    http = cast(Callable[[], asyncio.Protocol], runner.server)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.create_server(address, family=family, backlog=BACKLOG) as listener:
        listener.setblocking(False)
        try:
            async with asyncio.TaskGroup() as guests:
                door = guests.create_task(_receive(listener, tls, lambda: Greeting(wire, http), guests))
                yield listener.getsockname()[1]
                door.cancel()
        finally:
            await runner.cleanup()


async def _receive(
    listener: socket.socket,
    tls: ssl.SSLContext | None,
    greeting: Callable[[], asyncio.Protocol],
    guests: asyncio.TaskGroup,
) -> None:
    loop, room = asyncio.get_running_loop(), asyncio.Semaphore(MOST_GREETED)
    try:
        greeted = set[asyncio.Task[None]]()
        while True:
            await room.acquire()
            try:
                guest, _ = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("guest.not_received", reason=str(error))
                room.release()
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            task = guests.create_task(_greet(guest, tls, greeting))
            greeted.add(task)
            task.add_done_callback(greeted.discard)
            task.add_done_callback(lambda _: room.release())
    finally:
        for task in greeted:
            task.cancel()


async def _greet(guest: socket.socket, tls: ssl.SSLContext | None, greeting: Callable[[], asyncio.Protocol]) -> None:
    loop = asyncio.get_running_loop()
    try:
        guest.setblocking(False)
        guest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            secret = await _first_byte(guest) == TLS_HELLO and tls is not None
            await loop.connect_accepted_socket(greeting, guest, ssl=tls if secret else None)
    except (OSError, TimeoutError, ssl.SSLError):
        guest.close()
    except asyncio.CancelledError:
        guest.close()
        raise


async def _first_byte(guest: socket.socket) -> bytes:
    """It stays to be read."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(guest, _set, readable)
    try:
        await readable
    finally:
        loop.remove_reader(guest)
    return guest.recv(1, socket.MSG_PEEK)


def _set(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


class Greeting(asyncio.Protocol):
    """Waits for the first byte, and gives the guest to whoever speaks that."""

    def __init__(self, wire: Callable[[], asyncio.Protocol], http: Callable[[], asyncio.Protocol]) -> None:
        self._wire, self._http = wire, http

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._deadline = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._deadline.cancel()
        protocol = (self._http if data[:1] in [bytes([each]) for each in HTTP] else self._wire)()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._deadline.cancel()

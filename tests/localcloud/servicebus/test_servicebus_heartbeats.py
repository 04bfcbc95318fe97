"""A peer that gives up whoever is silent hears something in time, over a socket and over WebSocket."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest

from localcloud.addresses import HOST
from localcloud.servicebus import frames
from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.claims import Claims
from localcloud.servicebus.connection import SHORTEST_IDLE_MS, Connection, Later, Phase
from localcloud.servicebus.frames import HEARTBEAT, Frame, Parser, Protocol, Type
from localcloud.servicebus.performatives import Begin, Close, Open, SaslInit
from tests.localcloud.servicebus.bus import Bus
from tests.localcloud.servicebus.peer import NOON, Client

Read = Callable[[], Awaitable[bytes]]
PATIENCE_SECONDS = 10
GREETING = Protocol.SASL.value + frames.encode(0, SaslInit("ANONYMOUS"), kind=Type.SASL) + Protocol.AMQP.value


def opening(idle_ms: int | None) -> bytes:
    return GREETING + frames.encode(0, Open("test", idle_time_out=idle_ms))


@dataclass(slots=True)
class Clock:
    """Holds what is to be done later."""

    alarms: list[tuple[float, asyncio.TimerHandle, Callable[[], None]]] = field(default_factory=list)

    def later(self, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(seconds, act, (), asyncio.get_running_loop())
        self.alarms.append((seconds, handle, act))
        return handle


def connection(newcomer: Client, said: list[bytes], later: Later) -> tuple[Peer, Connection]:
    peer = Peer(newcomer.namespace, Claims(lambda *_: None, lambda: NOON))
    return peer, Connection(peer, said.append, later)


async def test_a_peer_hears_something_twice_in_the_time_after_which_it_gives_up_until_the_end(newcomer: Client) -> None:
    clock, said = Clock(), list[bytes]()
    peer, opened = connection(newcomer, said, clock.later)
    opened.receive(opening(60_000))
    said.clear()

    (seconds, _, beat), *_ = clock.alarms
    beat()
    peer.writable = False
    clock.alarms[-1][2]()
    opened.receive(frames.encode(0, Close()))

    assert said == [HEARTBEAT, frames.encode(0, Close())]
    assert (seconds, [handle.cancelled() for _, handle, _ in clock.alarms]) == (30, [False, False, True])


@pytest.mark.parametrize("idle_ms", [None, 0])
async def test_a_peer_that_waits_for_ever_is_told_nothing(newcomer: Client, idle_ms: int | None) -> None:
    clock = Clock()
    _, opened = connection(newcomer, [], clock.later)

    opened.receive(opening(idle_ms))

    assert (opened.phase, clock.alarms) == (Phase.OPEN, [])


async def test_a_peer_without_any_patience_is_refused(newcomer: Client) -> None:
    clock, said = Clock(), list[bytes]()
    _, opened = connection(newcomer, said, clock.later)

    opened.receive(opening(SHORTEST_IDLE_MS - 1))

    (closed,) = [each.body for each in Parser().feed(said[-1]) if isinstance(each, Frame)]
    assert (closed.error.condition, opened.phase, clock.alarms) == ("amqp:not-allowed", Phase.CLOSED, [])


@asynccontextmanager
async def by_socket(port: int, _: ssl.SSLContext, said: bytes) -> AsyncIterator[Read]:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(said)
    yield lambda: reader.read(65_536)
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def by_websocket(port: int, tls: ssl.SSLContext, said: bytes) -> AsyncIterator[Read]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"wss://{HOST}:{port}/", protocols=["AMQPWSB10"], ssl=tls) as socket,
    ):
        await socket.send_bytes(said)
        yield socket.receive_bytes


@pytest.mark.parametrize("way", [by_socket, by_websocket])
async def test_a_silent_connection_is_kept_alive(
    bus: Bus, way: Callable[[int, ssl.SSLContext, bytes], AbstractAsyncContextManager[Read]]
) -> None:
    said = opening(SHORTEST_IDLE_MS) + frames.encode(0, Begin(None, 0, 1, 1))

    async with way(bus.port, bus.files.client_context(), said) as read, asyncio.timeout(PATIENCE_SECONDS):
        heard = b""
        while heard.count(HEARTBEAT) < 3:
            heard += await read()

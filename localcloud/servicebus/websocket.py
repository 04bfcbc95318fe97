"""AMQP over WebSocket (the binding of OASIS' AMQP WebSocket Protocol): what is said travels in binary messages."""

import asyncio
from typing import Final

from aiohttp import WSMsgType, web

from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.connection import Connection, Phase

PROTOCOLS: Final = ("AMQPWSB10", "amqp")
LARGEST: Final = 1_048_576  # bytes of a message from the peer
MOST_UNSENT: Final = 262_144  # bytes, beyond which the peer gets no more messages
HEARTBEAT_SECONDS: Final = 30
SEND_SECONDS: Final = 30  # in which a peer must take what it is sent


class Conversation:
    def __init__(self, peer: Peer) -> None:
        self._said, self._news = bytearray(), asyncio.Event()
        self._connection = Connection(peer, self._say, asyncio.get_running_loop().call_later)

    async def hold(self, request: web.Request) -> web.WebSocketResponse:
        """Until one of the two has had enough."""
        socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=HEARTBEAT_SECONDS, max_msg_size=LARGEST)
        await socket.prepare(request)
        try:
            async with asyncio.TaskGroup() as both:
                speaking = both.create_task(self._speak(socket))
                await self._listen(socket)
                speaking.cancel()
        finally:
            self._connection.lost()
        return socket

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                break
            self._connection.receive(message.data)
            if self._connection.phase is Phase.CLOSED:
                await self._flush(socket)
                break
        await socket.close()

    async def _speak(self, socket: web.WebSocketResponse) -> None:
        while True:
            await self._news.wait()
            await self._flush(socket)

    async def _flush(self, socket: web.WebSocketResponse) -> None:
        said, self._said = bytes(self._said), bytearray()
        self._news.clear()
        if not said:
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await socket.send_bytes(said)
        except (ConnectionError, TimeoutError):
            await socket.close()
        if len(self._said) <= MOST_UNSENT:
            self._connection.resume()

    def _say(self, data: bytes) -> None:
        self._said += data
        self._news.set()
        if len(self._said) > MOST_UNSENT:
            self._connection.pause()

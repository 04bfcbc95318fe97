"""The wire between a store and its engine, which can be cut before or after any turn of their talk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK = 64 * 1024


@dataclass(eq=False, slots=True)
class _Call:
    """One connection: `asking` while the client has spoken last."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    asking: bool = False
    hushed: bool = False  # what is answered now does not arrive any more


@dataclass(slots=True)
class Wire:
    """A turn is what a client says until it is answered, over all connections. TLS goes through unseen."""

    host: str
    port: int
    turns: int = 0
    _cut_at: int = 0  # 0: never
    _answer_lost: bool = False
    _down: bool = False
    _calls: set[_Call] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def before(cls, url: str) -> AsyncIterator[tuple["Wire", str]]:
        """And the URL that goes through it."""
        parts = urlsplit(url)
        wire = cls(parts.hostname or "", parts.port or 0)
        server = await asyncio.start_server(wire._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            yield wire, parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{port}")).geturl()
            wire._cut()

    def listen(self) -> None:
        """Counts from now on."""
        self.turns, self._cut_at = 0, 0

    def cut_at(self, turn: int, *, answer_lost: bool) -> None:
        """What is said at that turn does not arrive; or it does, and its answer does not. Then nothing does."""
        self.turns, self._cut_at, self._answer_lost = 0, turn, answer_lost

    @property
    def is_cut(self) -> bool:
        return self._down

    def heal(self) -> None:
        self._down, self._cut_at = False, 0

    def _cut(self) -> None:
        self._down = True
        for call in self._calls:
            call.client.transport.abort()
            call.server.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.transport.abort()
            return
        from_server, to_server = await asyncio.open_connection(self.host, self.port)
        call = _Call(writer, to_server)
        self._calls.add(call)
        try:
            with suppress(ConnectionError):
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(self._ask(call, reader))
                    ways.create_task(self._answer(call, from_server))
        except* ConnectionError:
            pass
        finally:
            self._calls.discard(call)
            writer.close()
            to_server.close()

    async def _ask(self, call: _Call, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            if not call.asking:
                call.asking = True
                self.turns += 1
                if self.turns == self._cut_at:
                    if not self._answer_lost:
                        self._cut()
                        return
                    call.hushed = True
            call.server.write(data)
            await call.server.drain()
        call.server.write_eof()

    async def _answer(self, call: _Call, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            if call.hushed:
                self._cut()
                return
            call.asking = False
            call.client.write(data)
            await call.client.drain()
        call.client.close()

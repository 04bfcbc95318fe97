"""One client's socket."""

import asyncio
from typing import Final, cast

from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.connection import Connection, Phase

MOST: Final = 1_000  # at a time
HANDSHAKE_SECONDS: Final = 10
GOODBYE_SECONDS: Final = 2


class Wire(asyncio.Protocol):
    """What is said within one turn of the loop leaves in one piece. Who does not read is neither read nor served."""

    def __init__(self, peer: Peer, wires: "set[Wire]") -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(peer, self._say, self._loop.call_later)
        self._wires = wires
        self._said: list[bytes] = []
        self._is_hearing = False  # and says what it has to say after that
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._deadline = self._loop.call_later(HANDSHAKE_SECONDS, self._hurry)
        self._wires.add(self)
        if len(self._wires) > MOST:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._is_hearing = True
        self._connection.receive(data)
        self._is_hearing = False
        self._flush()
        if self._connection.phase is Phase.CLOSED:
            self._hang_up()

    def pause_writing(self) -> None:
        self._transport.pause_reading()
        self._connection.pause()

    def resume_writing(self) -> None:
        self._transport.resume_reading()
        self._connection.resume()

    def connection_lost(self, _: Exception | None) -> None:
        self._deadline.cancel()
        self._connection.lost()
        self._wires.discard(self)
        self.gone.set_result(None)

    def close(self) -> None:
        self._connection.close()
        self._hang_up()

    def _say(self, data: bytes) -> None:
        if not self._said and not self._is_hearing:
            self._loop.call_soon(self._flush)
        self._said.append(data)

    def _flush(self) -> None:
        if self._said:
            said, self._said = b"".join(self._said), []
            self._transport.write(said)

    def _hang_up(self) -> None:
        self._flush()
        self._deadline.cancel()
        self._deadline = self._loop.call_later(GOODBYE_SECONDS, self._transport.abort)
        self._transport.close()

    def _hurry(self) -> None:
        if self._connection.phase is not Phase.OPEN:
            self._transport.abort()

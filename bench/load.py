"""A client that takes little of the processor: on each connection a request, and the next once it is answered.

`python -m bench.load` reads a Load from stdin and writes the Answers to stdout. It is a process of its own, so that
what it takes is known.
"""

import asyncio
import random
import re
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec
from msgspec import Struct

from bench.figures import percentile

NEW_KEY = b"a-key-that-is-new-for-each-order"  # where a request has this, each has another
CONNECTIONS = 32
LOST_SECONDS = 10.0
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Load(Struct, frozen=True):
    """The requests are sent in any order, spread evenly over the ports."""

    ports: Sequence[int]
    requests: Sequence[bytes]
    status: int  # that each must be answered with
    seconds: float


class Answers(Struct, frozen=True):
    count: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_seconds: float
    first: bytes  # a body


class Wrong(Exception):
    """A request was not answered as it had to be."""


@dataclass(slots=True)
class Connection(asyncio.Protocol):
    load: Load
    until: float
    done: asyncio.Future[None]
    took: list[float]
    chance: random.Random
    transport: asyncio.Transport = field(init=False)
    held: bytes = b""
    body: bytes = b""
    began: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's do not inherit from it
        self._ask()

    def data_received(self, data: bytes) -> None:
        self.held += data
        head, ended, body = self.held.partition(b"\r\n\r\n")
        if not ended or len(body) < length(head):
            return
        now = time.monotonic()
        self.took.append(now - self.began)
        self.body, self.held = body, b""
        if int(head[9:12]) != self.load.status:
            self._end(Wrong(f"{head.decode()}\n{body.decode()}"))
        elif now < self.until:
            self._ask()
        else:
            self._end(None)

    def connection_lost(self, reason: Exception | None) -> None:
        self._end(Wrong(f"the connection was lost: {reason}"))

    def _ask(self) -> None:
        request = self.chance.choice(self.load.requests)
        if NEW_KEY in request:
            request = request.replace(NEW_KEY, secrets.token_hex(len(NEW_KEY) // 2).encode())
        self.began = time.monotonic()
        self.transport.write(request)

    def _end(self, failure: Wrong | None) -> None:
        if self.done.done():
            return
        if failure:
            self.done.set_exception(failure)
        else:
            self.done.set_result(None)
        self.transport.close()


def length(head: bytes) -> int:
    """Of the body that follows; a 304 has none, whatever it says."""
    match = _LENGTH.search(head)
    return int(match[1]) if match and head[9:12] != b"304" else 0


async def drive(load: Load) -> Answers:
    """Raises Wrong, OSError or TimeoutError."""
    loop, took, began = asyncio.get_running_loop(), list[float](), time.monotonic()
    opened = list[Connection]()
    for number in range(CONNECTIONS):
        port, chance = load.ports[number % len(load.ports)], random.Random(number)
        connection = Connection(load, began + load.seconds, loop.create_future(), took, chance)
        await loop.create_connection(lambda known=connection: known, "127.0.0.1", port)  # type: ignore[misc]
        opened.append(connection)
    async with asyncio.timeout(load.seconds + LOST_SECONDS):
        await asyncio.gather(*(each.done for each in opened))
    lasted = time.monotonic() - began
    shares = {name: percentile(took, share) * 1000 for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
    cuts = (shares["p50"], shares["p95"], shares["p99"])
    return Answers(len(took), lasted, *cuts, time.process_time(), opened[0].body)


async def run(load: Load) -> Answers:
    """By a process of its own. Raises Wrong or TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(load.seconds + 2 * LOST_SECONDS):
            said, _ = await process.communicate(msgspec.json.encode(load))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Wrong("the client gave up, as it says above")
    return msgspec.json.decode(said, type=Answers)


def main() -> str | None:
    """What went wrong, if anything did."""
    import uvloop

    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    try:
        answers = uvloop.run(drive(load))
    except (Wrong, OSError) as failure:  # TimeoutError is one
        return f"{type(failure).__name__}: {failure}"
    sys.stdout.buffer.write(msgspec.json.encode(answers))
    return None


if __name__ == "__main__":
    sys.exit(main())

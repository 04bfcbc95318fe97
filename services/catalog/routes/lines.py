"""Lines as they arrive: a body of any length cut up in bounded memory, some of them at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from aiohttp import StreamReader

MOST_LINE_BYTES = 64 * 1024
MOST_LINES = 200  # of a batch
MOST_BATCH_BYTES = 1024 * 1024
IDLE_SECONDS = 30.0


class Line(NamedTuple):
    number: int
    content: bytes | None  # None: it is longer than MOST_LINE_BYTES


async def chunks(content: StreamReader, idle: float = IDLE_SECONDS) -> AsyncIterator[bytes]:
    """Raises TimeoutError where nothing comes for so long. Who reads slowly makes the sender wait."""
    while True:
        async with asyncio.timeout(idle):
            chunk = await content.readany()
        if not chunk:
            return
        yield chunk


async def lines(arriving: AsyncIterator[bytes], first: int) -> AsyncIterator[Line]:
    """Numbered from `first` on. The last may lack its line feed. Of one that is too long nothing is kept."""
    held, too_long, number = bytearray(), False, first
    async for chunk in arriving:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            held += part
            yield _line(number, held, too_long)
            held, too_long, number = bytearray(), False, number + 1
        held += rest
        if len(held) > MOST_LINE_BYTES:
            held, too_long = bytearray(), True
    if held or too_long:
        yield _line(number, held, too_long)


async def batches(arriving: AsyncIterator[Line]) -> AsyncIterator[list[Line]]:
    batch, size = list[Line](), 0
    async for line in arriving:
        batch.append(line)
        size += len(line.content or b"")
        if len(batch) == MOST_LINES or size > MOST_BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _line(number: int, held: bytearray, too_long: bool) -> Line:
    return Line(number, None if too_long or len(held) > MOST_LINE_BYTES else bytes(held))

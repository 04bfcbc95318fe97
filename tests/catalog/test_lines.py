"""A body, cut into lines."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.routes.lines import MOST_BATCH_BYTES, MOST_LINE_BYTES, MOST_LINES, Line, batches, chunks, lines


async def arriving(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def cut(*parts: bytes, first: int = 1) -> list[Line]:
    return [line async for line in lines(arriving(*parts), first)]


@given(st.binary(max_size=200).map(lambda body: body.replace(b"a", b"\n")), st.integers(1, 20))
def test_lines_are_the_same_however_they_arrive(body: bytes, size: int) -> None:
    parts = [body[at : at + size] for at in range(0, len(body), size)]

    found = asyncio.run(cut(*parts, first=7))

    expected = body.split(b"\n")
    expected = expected if expected[-1] else expected[:-1]
    assert found == [Line(number, content) for number, content in enumerate(expected, start=7)]


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("size", [1000, MOST_LINE_BYTES * 3])
async def test_of_a_line_that_is_too_long_nothing_is_kept_and_the_next_is_read(size: int, end: bytes) -> None:
    body = b"x" * MOST_LINE_BYTES + b"\n" + b"y" * (MOST_LINE_BYTES + 1) + b"\nz" + end

    found = await cut(*(body[at : at + size] for at in range(0, len(body), size)))

    assert found == [Line(1, b"x" * MOST_LINE_BYTES), Line(2, None), Line(3, b"z")]


async def test_a_batch_has_so_many_lines_or_bytes() -> None:
    many = [len(batch) async for batch in batches(lines(arriving(b"x\n" * (MOST_LINES + 1)), 1))]
    long = [len(batch) async for batch in batches(lines(arriving(*[b"x" * 60_000 + b"\n"] * 40), 1))]

    assert many == [MOST_LINES, 1]
    assert long[0] == MOST_BATCH_BYTES // 60_000 + 1


async def test_nobody_waits_for_ever_for_the_next_line() -> None:
    protocol = BaseProtocol(asyncio.get_running_loop())
    protocol.connection_made(asyncio.Transport())
    body = StreamReader(protocol, 2**16, loop=asyncio.get_running_loop())
    body.feed_data(b"x\n")

    arrived = chunks(body, idle=0.01)

    assert await anext(arrived) == b"x\n"
    with pytest.raises(TimeoutError):
        await anext(arrived)

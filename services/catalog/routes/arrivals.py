"""Large bodies as they come in: bounded in bytes and in time."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from libs.common.errors import Malformed
from services.catalog.media import MEGABYTE, check_head, check_size, is_video

BLOCK_BYTES = 4 * MEGABYTE
SILENCE_SECONDS = 10.0
IMAGE_SECONDS = 30.0
VIDEO_SECONDS = 200.0  # the entrance of Container Apps gives up after 240


async def image(request: web.Request) -> bytes:
    """The whole body. Raises TooLarge, Malformed, or Invalid where it is not what Content-Type says."""
    content = b"".join([block async for block in _pieces(request)])
    check_head(request.content_type, content)
    return content


async def blocks(request: web.Request) -> AsyncIterator[bytes]:
    """The body in blocks of one size, but for the last. Raises as `image`."""
    block, first = bytearray(), True
    async for piece in _pieces(request):
        block += piece
        while len(block) >= BLOCK_BYTES:
            _check_first(request, block, first)
            first = False
            yield bytes(block[:BLOCK_BYTES])
            del block[:BLOCK_BYTES]
    _check_first(request, block, first)
    if block:
        yield bytes(block)


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    """Raises TooLarge or Malformed."""
    kind, size, clock = request.content_type, 0, asyncio.get_running_loop().time
    until = clock() + (VIDEO_SECONDS if is_video(kind) else IMAGE_SECONDS)
    check_size(kind, request.content_length or 0)
    try:
        while True:
            async with asyncio.timeout_at(min(until, clock() + SILENCE_SECONDS)):
                piece = await request.content.readany()
            if not piece:
                return
            size += len(piece)
            check_size(kind, size)
            yield piece
    except TimeoutError as error:
        raise Malformed("the body did not come in in time") from error


def _check_first(request: web.Request, block: bytearray, first: bool) -> None:
    """Raises Invalid."""
    if first:
        check_head(request.content_type, bytes(block[:64]))

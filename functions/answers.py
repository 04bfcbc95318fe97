"""What somebody else answers, read to its end or refused: nobody may fill our memory."""

import asyncio

import aiohttp

from libs.common.errors import Unavailable


async def body(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Raises Unavailable where it is longer."""
    try:
        await response.content.readexactly(most_bytes + 1)
    except asyncio.IncompleteReadError as end:
        return end.partial
    raise Unavailable(f"{response.url.path} answers more than {most_bytes} bytes")

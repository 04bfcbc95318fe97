"""HTTP in the local cloud: a server from its first to its last request, and bodies that are read up to a bound."""

import asyncio
import ssl

import aiohttp
from aiohttp import web

DRAIN_SECONDS = 5


async def serve(app: web.Application, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
    """Until cancelled; then requests under way have `DRAIN_SECONDS` to finish."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


async def at_most(most: int, content: aiohttp.StreamReader) -> bytes:
    """So many bytes of a body: one read gives what has come so far, not all."""
    read = bytearray()
    while len(read) < most and (piece := await content.read(most - len(read))):
        read += piece
    return bytes(read)

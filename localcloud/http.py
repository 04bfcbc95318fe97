"""One HTTP server of the local cloud, from first to last request."""

import asyncio
import ssl

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

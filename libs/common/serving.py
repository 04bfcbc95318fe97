"""A service answers, until it is to stop: then it says that it is not ready, and finishes what is under way."""

import asyncio

import structlog
from aiohttp import web

from libs.common.http import DRAINING

log = structlog.get_logger()

SHUTDOWN_SECONDS = 25.0  # Container Apps sends SIGKILL 30 s after SIGTERM


async def serve(app: web.Application, host: str, port: int, *, stop: asyncio.Event, drain_seconds: float) -> None:
    """Answers until `stop`; then readiness says 503, requests in hand are finished, and it returns."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        log.info("http.serving", host=host, port=port)
        await stop.wait()
        app[DRAINING].set()
        await asyncio.sleep(drain_seconds)
    finally:
        await runner.cleanup()

"""The simulated payment provider in a process of its own: `python -m localcloud.payments --state DIR --port 8097`."""

import argparse
import asyncio
import os
import random
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import structlog
import uvloop

from localcloud import http
from localcloud.addresses import HOST
from localcloud.payments.callbacks import Callbacks
from localcloud.payments.server import Provider
from localcloud.payments.till import Till
from localcloud.state import State

VARIABLE = "PAYMENTS_KEY"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Settings:
    journal: Path
    port: int
    callback: str
    key: str = field(repr=False)


async def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    async with (
        Till.open(settings.journal) as till,
        aiohttp.ClientSession() as session,
        asyncio.TaskGroup() as group,
    ):
        callbacks = Callbacks(till, session, settings.callback, settings.key, random.Random())  # noqa: S311
        serving = http.serve(Provider(till, settings.key).app(), HOST, settings.port)
        tasks = [group.create_task(serving), group.create_task(callbacks.run())]
        log.info("payments.started", port=settings.port)
        await stop.wait()
        for task in tasks:
            task.cancel()


def main() -> str | None:
    parser = argparse.ArgumentParser("python -m localcloud.payments", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--callback", required=True, metavar="URL", help="where the store takes call-backs")
    chosen = parser.parse_args()
    if not os.environ.get(VARIABLE):
        return f"set {VARIABLE} in the environment"
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    chosen.state.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)
    journal = State(chosen.state).journal("payments")
    settings = Settings(journal, chosen.port, chosen.callback, os.environ[VARIABLE])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))
    return None


if __name__ == "__main__":
    sys.exit(main())

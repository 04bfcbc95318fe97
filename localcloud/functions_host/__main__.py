"""python -m localcloud.functions_host --app functions --port 8084 --keys DIR"""

import argparse
import asyncio
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import structlog

from localcloud.functions_host import host_json, indexing
from localcloud.functions_host.host import DRAIN_SECONDS, Host
from localcloud.functions_host.indexing import Refused
from localcloud.functions_host.keys import Keys
from localcloud.functions_host.timer_trigger import WallClock

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

log = structlog.get_logger()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m localcloud.functions_host")
    parser.add_argument("--app", type=Path, required=True, help="the folder of function_app.py and host.json")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keys", type=Path, required=True, help="the folder of the host's keys, one file each")
    chosen = parser.parse_args(arguments)
    _log_to_stderr()
    try:
        asyncio.run(_serve(_host(chosen.app.resolve(), chosen.keys), chosen.port))
    except (Refused, OSError, msgspec.DecodeError) as error:
        log.error("host.refused", reason=str(error))
        return 1
    return 0


def _host(folder: Path, keys: Path) -> Host:
    """Imports find the app's own modules first, then those of the folder around it."""
    sys.path[:0] = [str(folder), str(folder.parent)]
    return Host(
        functions=indexing.load(folder),
        options=host_json.read(folder),
        keys=Keys.read(keys),
        environ=os.environ,
        credential=_identity,
        clock=WallClock(),
        chance=random.SystemRandom(),
        new_id=uuid4,
    )


async def _serve(host: Host, port: int) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    async with host.serve(port):
        await stop.wait()
        log.info("host.stopping")
        limit = threading.Timer(DRAIN_SECONDS, _cut_short)
        limit.daemon = True
        limit.start()


def _cut_short() -> None:
    """In a thread, as a function may hold the loop. Its event or message is not acknowledged, so it comes again."""
    log.warning("host.cut_short")
    os._exit(0)


def _identity() -> "AsyncTokenCredential":
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential()


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a function that is stuck in its thread must not keep the process

"""python -m localcloud.functions_host --app functions --port 8084 --keys DIR [--state DIR] [--topology FILE] …"""

import argparse
import asyncio
import os
import random
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import structlog
import uvloop

from localcloud import topology
from localcloud.addresses import HOST
from localcloud.functions_host import entities, host_json, indexing, reload
from localcloud.functions_host.host import DRAIN_SECONDS, Host
from localcloud.functions_host.indexing import Refused
from localcloud.functions_host.keys import Keys
from localcloud.functions_host.timer_trigger import WallClock

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

log = structlog.get_logger()


def main(arguments: list[str]) -> int:
    chosen = _parser().parse_args(arguments)
    _log_to_stderr()
    try:
        if chosen.reload:
            return asyncio.run(reload.run(chosen.app.resolve(), _listening(chosen), reload.argv(arguments)))
        uvloop.run(_serve(_host(chosen), _listening(chosen), chosen.parent))
    except (Refused, OSError, msgspec.DecodeError) as error:
        log.error("host.refused", reason=str(error), exc_info=error.__cause__)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m localcloud.functions_host")
    parser.add_argument("--app", type=Path, required=True, help="the folder of function_app.py and host.json")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keys", type=Path, required=True, help="the folder of the host's keys, one file each")
    parser.add_argument("--state", type=Path, help="the folder in which timers are remembered; without it they are not")
    parser.add_argument("--topology", type=Path, help="what Service Bus has: another trigger is refused")
    parser.add_argument("--reload", action="store_true", help="start anew when a file of the app changes")
    parser.add_argument("--socket", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    return parser


def _listening(chosen: argparse.Namespace) -> socket.socket:
    """Raises OSError where the port is taken."""
    if chosen.socket is not None:
        return socket.socket(fileno=chosen.socket)
    return socket.create_server((HOST, chosen.port), backlog=128)


def _host(chosen: argparse.Namespace) -> Host:
    """Imports find the app's own modules first, then those of the folder around it."""
    folder: Path = chosen.app.resolve()
    sys.path[:0] = [str(folder), str(folder.parent)]
    for name, value in host_json.local_settings(folder).items():
        os.environ.setdefault(name, value)
    functions = indexing.load(folder, os.environ)
    if chosen.topology:
        entities.check(functions, topology.load(chosen.topology))
    return Host(
        functions=functions,
        options=host_json.read(folder),
        keys=Keys.read(chosen.keys),
        environ=os.environ,
        credential=_identity,
        clock=WallClock(),
        chance=random.SystemRandom(),
        new_id=uuid4,
        state=chosen.state,
    )


async def _serve(host: Host, listening: socket.socket, parent: int | None) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    async with host.serve(listening):
        if parent is not None:
            loop.add_reader(parent, stop.set)  # the parent's end is closed, by it or by its death
            with suppress(OSError):  # it has died already
                os.write(parent, reload.READY)
        await stop.wait()
        if parent is not None:
            loop.remove_reader(parent)
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

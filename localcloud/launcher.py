"""Starts the whole store on this laptop, keeps it running, stops it. `python -m localcloud.launcher --help`."""

import argparse
import asyncio
import os
import random
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from localcloud import azuresql, azurite, detached, engines, gateway, move, postgres, runfile, sample, screen
from localcloud.addresses import HOST, Addresses, Port
from localcloud.logfiles import LogFiles
from localcloud.processes import Failed, Processes
from localcloud.provision import containers, provision
from localcloud.runfile import AlreadyRuns, Part, Run, StillStopping
from localcloud.store import Store, state_folder

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PortTaken(Exception):
    def __init__(self, part: str, port: int) -> None:
        super().__init__(f"Port {port}, which {part} needs, is taken. Choose other ports: make run PORT=9080")


REFUSALS = (
    AlreadyRuns,
    PortTaken,
    StillStopping,
    azuresql.Missing,
    azurite.Missing,
    engines.Bound,
    engines.Unknown,
    gateway.Missing,
    move.NothingToMove,
    postgres.Missing,
    postgres.Failed,
)


async def start(store: Store, processes: Processes) -> None:
    async with asyncio.TaskGroup() as group:
        storage = group.create_task(start_storage(store, processes))  # takes longest
        await processes.start(*store.ground())  # PostgreSQL and the local cloud
        await provision(store, processes)  # secrets and databases
        engines.bind(store.state.folder, store.engines)
        group.create_task(processes.start(*store.workers()))  # of Azurite, they need only pictures
        await storage
        await processes.start(*store.workers_on_tables())
    await processes.start(store.gateway())
    if not sample.known(store.state.folder):
        await processes.run(store.seeding())  # something to buy, and somebody to buy it


async def start_storage(store: Store, processes: Processes) -> None:
    await processes.start(store.azurite())
    await containers(store, os.environ)


@dataclass(slots=True)
class Launch:
    store: Store
    options: str  # what `make` needs to find this store again
    processes: Processes = field(init=False)
    ready: bool = False

    async def run(self, lock: int) -> None:
        """Until it is cancelled. Raises a group of Failed where the store can't be kept running."""
        began, folder = time.monotonic(), self.store.state.folder
        self.processes = Processes(LogFiles(self.store.state.logs), random.SystemRandom(), say, self.note, lock)
        self.note()
        async with self.processes.supervised():
            try:
                await start(self.store, self.processes)
                say(screen.ready(self.now(), sample.read(folder), time.monotonic() - began, self.options))
                self.ready = True
                self.note()
                await asyncio.Event().wait()
            finally:
                say("stopping …")

    def note(self) -> None:
        runfile.write(self.store.state.folder, self.now())

    def now(self) -> Run:
        return Run(
            pid=os.getpid(),
            base_port=self.store.addresses.base,
            addresses=self.store.published(),
            logs=str(self.processes.logs.folder),
            engines=self.store.engines,
            ready=self.ready,
            parts={name: Part(each.process.pid, each.restarts) for name, each in self.processes.running.items()},
        )


async def run_until_signal(launch: Launch, lock: int) -> None:
    """Whoever repeats the signal has to wait all the same."""
    work = asyncio.create_task(launch.run(lock))

    def stop() -> None:
        if not work.cancelling():
            work.cancel()

    for each in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(each, stop)
    with suppress(asyncio.CancelledError):
        await work


def run(folder: Path, base_port: int, engine: str | None, options: str) -> None:
    """Raises one of REFUSALS, or a group of Failed."""
    with runfile.held(folder) as lock:
        chosen = engines.choose(folder, engine)
        refuse_taken_ports(Addresses(base_port))
        store = Store.open(folder, base_port, datetime.now(UTC), chosen)
        try:
            asyncio.run(run_until_signal(Launch(store, options), lock))
        finally:
            runfile.remove(folder)
    say("stopped")


def refuse_taken_ports(addresses: Addresses) -> None:
    """Raises PortTaken."""
    for part in Port:
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((HOST, addresses.port(part)))
            except OSError as error:
                raise PortTaken(part.name.lower(), addresses.port(part)) from error


def stop(folder: Path) -> None:
    """Raises StillStopping."""
    if running := runfile.read(folder):
        with suppress(ProcessLookupError):  # it was killed, and its guard is stopping the rest
            os.kill(running.pid, signal.SIGTERM)
        runfile.wait_until_stopped(folder)
    say("stopped")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    chosen = _parsed(arguments)
    folder, options = state_folder(chosen.state), f" STATE={chosen.state}" if chosen.state else ""
    try:
        if chosen.command == "stop":
            stop(folder)
        elif chosen.command == "move":
            move.run(folder, chosen.port, chosen.engine, say)
        elif chosen.detach:
            attached = [each for each in arguments if each != "--detach"]
            return detached.run(folder, [sys.executable, "-m", "localcloud.launcher", *attached])
        else:
            run(folder, chosen.port, chosen.engine, options)
    except REFUSALS as refusal:
        say(str(refusal))
        return 1
    except ExceptionGroup as group:
        failed, others = group.split(Failed)
        if others:
            raise
        say(_text(failed))
        return 1
    return 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m localcloud.launcher", description=__doc__)
    parser.add_argument("--state", type=Path, metavar="DIR", help="where its state lies, if not in .state")
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("run", help="start everything, and keep it running")
    moving = commands.add_parser("move", help="take the data of a store that does not run to another engine")
    for each in (starting, moving):
        each.add_argument(
            "--port", type=int, default=Addresses().base, help="the gateway's; those of the others follow"
        )
        each.add_argument(
            "--engine",
            metavar="NAME",
            required=each is moving,
            help="for all data, or orders=tables,customers=azuresql,…",
        )
    starting.add_argument("--detach", action="store_true", help="in the background; returns when all is ready")
    commands.add_parser("stop", help="stop what runs, and wait until it has stopped")
    return parser.parse_args(arguments)


def _text(failure: BaseException | None) -> str:
    if isinstance(failure, BaseExceptionGroup):
        return "\n".join(map(_text, failure.exceptions))
    return str(failure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

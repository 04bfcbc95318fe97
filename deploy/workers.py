"""Replicas of a service on this laptop: processes that come and go, beside the one that the launcher keeps."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import STDOUT, Process
from contextlib import suppress
from dataclasses import dataclass, field, replace

from localcloud.addresses import HOST
from localcloud.logfiles import LogFiles
from localcloud.processes import ANNOUNCED, KEPT_ENVIRONMENT, Guard
from localcloud.program import Program
from localcloud.store import PROJECT, Store

DRAIN_SECONDS = 30.0  # from SIGTERM to SIGKILL, as in Container Apps
ORDER_OF_STOP = 1000  # after whatever the launcher starts, so the guard stops it before


@dataclass(slots=True)
class Workers:
    """Processes that are all alike. Whatever becomes of us, the guard stops them."""

    program: Program  # of each, but that it gets a port of its own
    guard: Guard
    logs: LogFiles
    group: asyncio.TaskGroup
    running: list[Process] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)  # the exit statuses of those that were asked to end
    started: int = 0

    def count(self) -> int:
        """One that has died by itself is missing, so that it is started anew."""
        self.running = [each for each in self.running if each.returncode is None]
        return len(self.running)

    async def scale(self, wanted: int) -> None:
        """Started is not yet ready, as a new replica; whoever goes finishes what it has in hand, and nobody waits."""
        while self.count() < wanted:
            self.running.append(await self._start())
        while self.count() > wanted:
            self.group.create_task(self._drain(self.running.pop()))

    async def _start(self) -> Process:
        self.started += 1
        kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        log = self.logs.begin(f"{self.program.name}-worker-{self.started}")
        with log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *(*ANNOUNCED, f"{signal.SIGTERM.value} {ORDER_OF_STOP}", *self.program.argv),
                stdin=self.guard.pipe,
                stdout=output,
                stderr=STDOUT,
                cwd=PROJECT,
                env={**kept, **self.program.env, "PORT": str(_free_port())},
                start_new_session=True,
            )

    async def _drain(self, process: Process) -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
        self.ended.append(await process.wait())
        self.guard.tell(f"ended {process.pid}")


def worker_of(store: Store, service: str) -> Program:
    """As the launcher starts the service, but that the database is up to date."""
    own = next(each for each in [*store.workers(), *store.workers_on_tables()] if each.name == service)
    return replace(own, argv=[sys.executable, "-m", f"services.{service}"])


def _free_port() -> int:
    with socket.socket() as candidate:
        candidate.bind((HOST, 0))
        return int(candidate.getsockname()[1])

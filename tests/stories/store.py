"""The whole store as its operator sees it: processes, logs, laws."""

import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psutil

from localcloud import runfile
from localcloud.addresses import Port
from localcloud.audit import AWAY, Violation, audit
from localcloud.identity import Role
from localcloud.people import People
from localcloud.program import Program, listening
from localcloud.runfile import Run
from localcloud.store import Store
from tests.localcloud.programs import free_ports, running
from tests.waiting import until

ROOT = Path(__file__).parents[2]
START_SECONDS = 120
PORTS = len(Port)
# A message whose receiver is gone comes again after 30 s, an event after 10, 30 and 60.
QUIET_SECONDS = 120.0
COMPLAINT = re.compile(r'"level": ?"(?:warning|error|critical)"')
MOST_COMPLAINTS = 8


@dataclass(frozen=True)
class RunningStore:
    folder: Path
    engine: str  # as `make run ENGINE=` takes it

    @classmethod
    @asynccontextmanager
    async def start(cls, folder: Path, engine: str) -> AsyncIterator["RunningStore"]:
        """`make run`, on ports and in a state folder of its own."""
        store, arguments = cls(folder, engine), ["run", "--port", str(free_ports(PORTS)), "--engine", engine]
        program = Program(
            name="launcher",
            argv=[sys.executable, "-m", "localcloud.launcher", "--state", str(folder), *arguments],
            ready=store._is_ready,
            env=os.environ,
            cwd=ROOT,
        )
        async with running(program, folder / "launcher.log", seconds=START_SECONDS):
            yield store

    def few(self, most: int) -> int:
        """As many of something as fit the time of a story: Azurite writes some fifty entities in a second."""
        return most if self.engine == "postgres" else most * 3 // 10

    def run(self) -> Run:
        run = runfile.read(self.folder)
        assert run, "the store does not run"
        return run

    def pid(self, part: str) -> int:
        return self.run().parts[part].pid

    def kill(self, part: str) -> None:
        self._signal(self.pid(part), signal.SIGKILL)

    @contextmanager
    def paused(self, part: str) -> Iterator[None]:
        """As if the process were on a machine that has stalled."""
        pid = self.pid(part)
        self._signal(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(pid, signal.SIGCONT)

    @contextmanager
    def away(self, *parts: str) -> Iterator[None]:
        """Dead, and nobody starts them again: the launcher has stalled."""
        launcher = self.run().pid
        os.kill(launcher, signal.SIGSTOP)
        try:
            for part in parts:
                self.kill(part)
            yield
        finally:
            os.kill(launcher, signal.SIGCONT)

    def _signal(self, pid: int, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it has died of the fault before, and is just being started again
            os.kill(pid, what)

    @cached_property
    def people(self) -> People:
        """Opened once, for that takes 40 ms. Before each of fifty requests at once, it would keep the loop from the
        connections that it has just made; and the gateway gives up one on which nothing has come for 10 s.
        """
        return People.open(self.folder, self.run())

    def another(self, service: str, **told: str) -> Program:
        """One more process of a service, as the launcher starts its own. Blocks."""
        run, port = self.run(), free_ports(1)
        store = Store.open(self.folder, run.base_port, datetime.now(UTC), run.engines)
        (own,) = (each for each in (*store.workers(), *store.workers_on_tables()) if each.name == service)
        return replace(own, env={**own.env, "PORT": str(port), **told}, ready=partial(listening, port), ports=(port,))

    def token(self, role: Role, customer: UUID | None) -> str:
        return self.people.token(role, customer)

    async def quiet(self, seconds: float = QUIET_SECONDS) -> None:
        """Nothing is on its way any more, at the latest after these seconds, and the books balance."""
        found = await until(partial(self._audited, seconds), lambda found: found is not None, seconds=seconds + 60)
        assert found == [], (found, self.complaints())

    async def _audited(self, seconds: float) -> list[Violation] | None:
        """None while a part of the store is being started again."""
        try:
            return await audit(self.folder, rest_seconds=seconds)
        except AWAY:
            return None

    def log_lines(self, part: str, trace_id: str) -> list[dict[str, Any]]:
        lines = (self.folder / "logs" / f"{part}.log").read_bytes().splitlines()
        return [msgspec.json.decode(line) for line in lines if trace_id.encode() in line]

    def complaints(self) -> list[str]:
        """The last lines of each log that are more than news: what a story that failed is to be understood by."""
        logs = {path.stem: path.read_text().splitlines() for path in (self.folder / "logs").glob("*.log")}
        warned = {part: [line for line in lines if COMPLAINT.search(line)] for part, lines in logs.items()}
        return [f"{part}: {line}" for part, lines in warned.items() for line in lines[-MOST_COMPLAINTS:]]

    def logged(self, what: bytes) -> dict[str, bytes]:
        """The first line of each part's log that has it, by the part."""
        logs = {path.stem: path.read_bytes().splitlines() for path in (self.folder / "logs").glob("*.log")}
        found = {part: next((line for line in lines if what in line), None) for part, lines in logs.items()}
        return {part: line for part, line in found.items() if line}

    def resident_megabytes(self) -> float:
        """Of all processes together; pages that they share are counted once (proportional set size)."""
        launcher = psutil.Process(self.run().pid)
        return sum(each.memory_full_info().pss for each in (launcher, *launcher.children(recursive=True))) / 2**20

    async def _is_ready(self) -> bool:
        run = runfile.read(self.folder)
        return bool(run and run.ready)

"""Takes the data of a store that does not run along to other engines: `make move ENGINE=tables`."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from localcloud import engines, runfile
from localcloud.engines import SERVICES
from localcloud.logfiles import LogFiles
from localcloud.processes import Patience, Processes
from localcloud.program import Program
from localcloud.provision import destination, provision
from localcloud.store import Store

LONGEST = Patience(ready=24 * 3600.0)  # a copy ends when all is there
LOOK_EVERY_SECONDS = 0.2

Say = Callable[[str], None]


class NothingToMove(Exception):
    def __init__(self, where: str) -> None:
        super().__init__(
            f"There is nothing to move: the data is on {where} already. Say where to: make move ENGINE=tables"
        )


def run(folder: Path, base_port: int, engine: str, say: Say) -> None:
    """Raises engines.Unknown, NothingToMove, AlreadyRuns or a group of Failed."""
    with runfile.held(folder) as lock:
        bound, wanted = engines.choose(folder, None), engines.read(engine)
        if bound == wanted:
            raise NothingToMove(engines.summary(bound))
        source = Store.open(folder, base_port, datetime.now(UTC), bound, also=wanted.values())
        asyncio.run(Move(source, replace(source, engines=wanted), say).go(lock))


@dataclass(frozen=True, slots=True)
class Move:
    source: Store
    target: Store
    say: Say

    async def go(self, lock: int) -> None:
        """One service after the other; each serves from its new place once all of it is there."""
        folder = self.source.state.folder
        processes = Processes(LogFiles(folder / "logs"), random.SystemRandom(), self.say, lambda: None, lock, LONGEST)
        async with processes.supervised():
            await processes.start(*self.source.ground(), *self._tables())
            await provision(self.source, processes)
            now = dict(self.source.engines)
            for name in SERVICES:
                if now[name] != self.target.engines[name]:
                    self.say(f"moving {name} from {now[name]} to {self.target.engines[name]}")
                    to = await destination(self.source, self.target, name, processes)
                    await self._copy(processes, self.source.copying(name, to))
                    now[name] = self.target.engines[name]
                    engines.bind(folder, now)
        self.say(f"moved: {engines.summary(self.target.engines)}. Start the store: make run")

    def _tables(self) -> list[Program]:
        return [self.source.azurite()] if self.source.on("tables") or self.target.on("tables") else []

    async def _copy(self, processes: Processes, program: Program) -> None:
        """And shows what it says. Raises Failed."""
        async with asyncio.TaskGroup() as group:
            showing = group.create_task(self._show(processes.logs.begin(program.name)))
            await processes.run(program)
            showing.cancel()

    async def _show(self, log: Path) -> None:
        with log.open() as said:
            try:
                while True:
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
                    self._repeat(said.read())
            finally:
                self._repeat(said.read())

    def _repeat(self, lines: str) -> None:
        """Not what is for the log."""
        for line in lines.splitlines():
            if not line.startswith("{"):
                self.say(f"  {line}")

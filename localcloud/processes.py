"""Programs that run beside each other: started in order, restarted when they die, stopped by the guard."""

import asyncio
import os
import pwd
import random
import signal
import sys
from asyncio.subprocess import STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.logfiles import LogFiles
from localcloud.program import Program
from localcloud.waiting import until

PROJECT = Path(__file__).parents[1]
MINUTE = 60.0
MOST_DEATHS = 10  # within a minute; then something is wrong that a restart does not cure
SHORTEST_PAUSE_SECONDS = 0.1
TAIL_LINES = 15
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG")

# A program tells the guard its process id, on the guard's pipe, and only then becomes what it is: there is no moment
# in which it runs and the guard does not know it.
ANNOUNCED = ("/bin/sh", "-c", 'echo "started $$ $0" >&0; exec "$@" </dev/null')


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds."""

    ready: float = 60.0
    longest_pause: float = 5.0  # before a restart
    grace: float = 15.0  # to end in peace, then SIGKILL


DEFAULT_PATIENCE = Patience()


class Failed(Exception):
    """A program can't be kept running; the text says which, and what it said last."""


@dataclass(slots=True)
class Guard:
    """Our end of the pipe that `localcloud.guard` reads."""

    process: Process
    pipe: int

    @classmethod
    async def start(cls, grace: float, lock: int) -> "Guard":
        """It keeps the file descriptor `lock` open until it has stopped everything."""
        reading, writing = os.pipe()
        arguments = ("-S", "-m", "localcloud.guard", str(grace))
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=reading, cwd=PROJECT, pass_fds=(lock,), start_new_session=True
        )
        os.close(reading)
        return cls(process, writing)

    def tell(self, line: str) -> None:
        with suppress(BrokenPipeError):  # it is dead, which `Processes` finds out by itself
            os.write(self.pipe, f"{line}\n".encode())

    async def stop_all(self) -> None:
        os.close(self.pipe)
        await self.process.wait()


@dataclass(slots=True)
class Running:
    process: Process
    announcement: str
    restarts: int


@dataclass(slots=True)
class Processes:
    logs: LogFiles
    chance: random.Random
    say: Callable[[str], None]
    changed: Callable[[], None]  # a program has been started: its process id is new
    lock: int  # a file descriptor that stays open until everything has been stopped, even if we are killed
    patience: Patience = DEFAULT_PATIENCE
    running: dict[str, Running] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _starts: int = 0
    guard: Guard = field(init=False)
    _group: asyncio.TaskGroup = field(init=False)

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[None]:
        """Everything started within is stopped at the end, in reverse order. Raises a group of `Failed`."""
        self.guard = await Guard.start(self.patience.grace, self.lock)
        try:
            async with asyncio.TaskGroup() as self._group:
                self._keep(self._watch_guard())
                self._keep(self.logs.keep_bounded())
                yield
                for task in self._tasks:
                    task.cancel()
        finally:
            await (await self._living_guard()).stop_all()
            for each in self.running.values():
                await each.process.wait()

    async def start(self, *programs: Program) -> None:
        """Side by side, to be stopped together. Done when all are ready. Raises a group of `Failed`."""
        self._starts += 1
        async with asyncio.TaskGroup() as starting:
            for program in programs:
                self.logs.begin(program.name)
                self._keep(self._keep_running(program, f"{program.stop_signal.value} {self._starts}"))
                starting.create_task(self._wait_ready(program))

    async def run(self, program: Program) -> None:
        """To its end. Raises Failed."""
        name, announcement = program.name, f"{program.stop_signal.value} {self._starts}"
        self.logs.begin(name)
        process = await self._spawn(program, announcement)
        self.running[name] = Running(process, announcement, restarts=0)
        try:
            async with asyncio.timeout(self.patience.ready):
                status = await process.wait()
        except TimeoutError:
            raise Failed(self._last_words(name, f"has not ended after {self.patience.ready:g} s")) from None
        del self.running[name]
        self.guard.tell(f"ended {process.pid}")
        if status:
            raise Failed(self._last_words(name, f"has failed (exit status {status})"))

    def _keep(self, work: Any) -> None:
        self._tasks.append(self._group.create_task(work))

    async def _keep_running(self, program: Program, announcement: str) -> None:
        loop, deaths = asyncio.get_running_loop(), deque[float]()
        while True:
            process = await self._spawn(program, announcement)
            restarts = self.running[program.name].restarts + 1 if program.name in self.running else 0
            self.running[program.name] = Running(process, announcement, restarts)
            self.changed()
            await self._wait_end(program, process)
            deaths.append(loop.time())
            while deaths[-1] - deaths[0] > MINUTE:
                deaths.popleft()
            if len(deaths) >= MOST_DEATHS:
                raise Failed(self._last_words(program.name, f"has died {MOST_DEATHS} times within a minute"))
            longest = min(SHORTEST_PAUSE_SECONDS * 2 ** len(deaths), self.patience.longest_pause)
            await asyncio.sleep(longest * self.chance.uniform(0.5, 1))

    async def _spawn(self, program: Program, announcement: str) -> Process:
        user = pwd.getpwuid(program.uid) if program.uid is not None else None
        account: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        with self.logs.path(program.name).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(*ANNOUNCED, announcement, *program.argv),
                stdin=self.guard.pipe,
                stdout=log,
                stderr=STDOUT,
                cwd=program.cwd or PROJECT,
                env={**kept, **program.env},
                start_new_session=True,
                **account,
            )

    async def _wait_end(self, program: Program, process: Process) -> None:
        status = await process.wait()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # children left behind would keep its port
        self.guard.tell(f"ended {process.pid}")
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        self.say(f"{program.name} has died ({how}) and is started again")

    async def _wait_ready(self, program: Program) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            await until(program.ready, bool, seconds=self.patience.ready)
        except TimeoutError:
            raise Failed(self._last_words(program.name, f"is not ready after {self.patience.ready:g} s")) from None
        self.say(f"{program.name} is ready ({loop.time() - started:.1f} s)")

    async def _watch_guard(self) -> None:
        await self.guard.process.wait()
        raise Failed("the guard, which stops everything at the end, has died")

    async def _living_guard(self) -> Guard:
        if self.guard.process.returncode is not None:
            self.guard = await Guard.start(self.patience.grace, self.lock)
            for each in self.running.values():
                if each.process.returncode is None:
                    self.guard.tell(f"started {each.process.pid} {each.announcement}")
        return self.guard

    def _last_words(self, name: str, what: str) -> str:
        return f"{name} {what}; {self.logs.path(name)} ends with:\n{self.logs.tail(name, TAIL_LINES)}"

"""The next version of a service, beside the one that runs: what a rolling update does, with real processes."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from libs.common.migrations import steps
from localcloud.addresses import Port
from localcloud.program import Program
from localcloud.store import Store
from tests.localcloud.programs import free_ports, running
from tests.stories.store import ROOT, RunningStore
from tests.waiting import until

PARTS = ("services", "libs")
DRAIN_SECONDS = "3"  # longer than a balancer needs to notice, on a busy machine
LOOK_EVERY_SECONDS = 0.1
ANSWER = aiohttp.ClientTimeout(total=2)


@dataclass(frozen=True, slots=True)
class Change:
    """What the next version of a service brings: a step of its database, and a field in what it tells."""

    service: str
    table: str
    fact: str  # the line of its `type`

    def made_in(self, folder: Path) -> Path:
        """A copy of the code, with the change."""
        for part in PARTS:
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        schema = folder / f"services/{self.service}/store/postgres.sql"
        number = steps(schema.read_text())[-1][0] + 1
        step = f"\n-- migration {number}: where it came from\n\nALTER TABLE {self.table} ADD COLUMN origin text;\n"
        schema.write_text(schema.read_text() + step)
        messages = folder / f"libs/common/messages/{self.service}.py"
        known = messages.read_text()
        line = f'    type: ClassVar[str] = "{self.fact}"\n'
        assert line in known
        messages.write_text(known.replace(line, f'{line}    origin: str = "web"\n'))
        return folder


@dataclass(slots=True)
class Balancer:
    """As a Kubernetes Service does it: whoever says that he is ready gets requests, in turn."""

    session: aiohttp.ClientSession
    instances: set[str]
    ready: list[str] = field(default_factory=list)
    turn: int = 0

    def next(self) -> str:
        self.turn += 1
        return self.ready[self.turn % len(self.ready)]

    async def look(self) -> None:
        instances = sorted(self.instances)
        answers = await asyncio.gather(*map(self._is_ready, instances))
        self.ready = [each for each, ready in zip(instances, answers, strict=True) if ready]

    async def keep_looking(self) -> None:
        """As often as a probe does: this is what is played here, not a wait for something."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _is_ready(self, instance: str) -> bool:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.session.get(f"{instance}/health/ready", timeout=ANSWER) as answer:
                return answer.status == 200
        return False


@dataclass(frozen=True, slots=True)
class Rollout:
    store: RunningStore
    service: str
    balancer: Balancer
    folder: Path

    @asynccontextmanager
    async def instance(self, code: Path, name: str) -> AsyncIterator[str]:
        """One more, of the code that lies there, until SIGTERM; its migration is run first, as in an init container."""
        port = free_ports(1)
        address = f"http://127.0.0.1:{port}"
        program = await asyncio.to_thread(self._program, code, port)
        async with running(program, self.folder / f"{name}.log") as process:
            self.balancer.instances.add(address)
            await until(self._seen(address), bool)
            yield address
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            self.balancer.instances.discard(address)

    def _seen(self, address: str) -> Callable[[], Awaitable[bool]]:
        async def seen() -> bool:
            return address in self.balancer.ready

        return seen

    def _program(self, code: Path, port: int) -> Program:
        run = self.store.run()
        store = Store.open(self.store.folder, run.base_port, datetime.now(UTC), run.engines)
        (told,) = (each for each in store.workers() if each.name == self.service)
        env = {**told.env, "PORT": str(port), "DRAIN_SECONDS": DRAIN_SECONDS}
        return replace(told, env=env, cwd=code, ready=self._answers(port), ports=(port,))

    def _answers(self, port: int) -> Callable[[], Awaitable[bool]]:
        probe = Balancer(self.balancer.session, {f"http://127.0.0.1:{port}"})

        async def ready() -> bool:
            await probe.look()
            return bool(probe.ready)

        return ready


@asynccontextmanager
async def rolling(store: RunningStore, service: str, folder: Path) -> AsyncIterator[Rollout]:
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        balancer = Balancer(session, {store.run().addresses[Port[service.upper()].name.lower()]})
        await balancer.look()
        looking = group.create_task(balancer.keep_looking())
        yield Rollout(store, service, balancer, folder)
        looking.cancel()

"""What is measured by itself: services as processes of their own, whose facts go nowhere, and the bare one."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec
from aiohttp import web

from bench.bare import Bare
from bench.figures import Figures
from bench.load import Load, run
from bench.measure import cpu_seconds_of
from bench.pgbench import Pgbench, cuts
from deploy.temporary import TemporaryStore
from localcloud.addresses import HOST
from localcloud.processes import PROJECT
from localcloud.program import Program, listening
from tests.localcloud.programs import free_ports, running

STILL = ("orders", "catalog", "customers", "functions", "payments", "gateway")
UNREACHED = "1000000000"  # requests of a caller: they are counted, and all are let in
END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('orders', 'catalog', 'customers')
"""


@dataclass(frozen=True, slots=True)
class Served:
    """Of one operation: who answers it, and how it is asked."""

    ports: Sequence[int]
    pids: Sequence[int]
    requests: Sequence[bytes]
    status: int


@dataclass(frozen=True, slots=True)
class Bench:
    """The store's own parts stand still; only PostgreSQL and the local cloud's tokens and secrets go on."""

    store: TemporaryStore
    sink: str
    logs: Path

    @classmethod
    @asynccontextmanager
    async def open(cls, store: TemporaryStore) -> AsyncIterator["Bench"]:
        async with AsyncExitStack() as stack:
            for part in STILL:
                stack.enter_context(store.stalled(part))
            await end_sessions(store)  # else what stands still would hold the relay's lock
            yield cls(store, await stack.enter_async_context(sink(store)), store.folder / "logs")

    @property
    def database(self) -> int:
        return self.store.launch.processes.running["postgres"].process.pid

    def url(self, name: str) -> str:
        """Of a database, and of one who may do anything."""
        return urlsplit(self.store.launch.store.database)._replace(path=f"/{name}").geturl()

    def pgbench(self, name: str) -> Pgbench:
        cluster = self.store.launch.store.cluster
        assert cluster, "the temporary store has its own"
        return Pgbench(cluster.binaries / "pgbench", self.url(name))

    @asynccontextmanager
    async def service(self, name: str, *before: str) -> AsyncIterator[tuple[int, int]]:
        """Its port and its process id. `before` is what the interpreter runs it with."""
        port = free_ports(1)
        known = next(each for each in self.store.launch.store.workers() if each.name == name)
        own = {"PORT": str(port), "TOPIC_ENDPOINT": f"{self.sink}/api/events", "RATE_LIMIT": UNREACHED}
        env = {**known.env, **own}
        program = replace(known, env=env, ready=partial(listening, port), cwd=PROJECT)
        if before:
            program = replace(program, argv=[sys.executable, *before, f"services.{name}"])
        async with running(program, self.logs / f"bench-{name}.log") as process:
            yield port, process.pid

    @asynccontextmanager
    async def bare(self, answers: dict[str, bytes]) -> AsyncIterator[tuple[int, int]]:
        port = free_ports(1)
        told, file = Bare(port, self.url("orders"), self.url("catalog"), answers), self.store.folder / "bare.json"
        file.touch(mode=0o600)
        file.write_bytes(msgspec.json.encode(told))
        argv = [sys.executable, "-m", "bench.bare", str(file)]
        program = Program("bare", argv, partial(listening, port), cwd=PROJECT)
        async with running(program, self.logs / "bench-bare.log") as process:
            yield port, process.pid

    async def figures(self, served: Served, seconds: float) -> Figures:
        """Raises Wrong where an answer is not what it has to be."""
        ours, theirs = sum(map(cpu_seconds_of, served.pids)), cpu_seconds_of(self.database)
        answers = await run(Load(served.ports, served.requests, served.status, seconds))
        each = 1e6 / answers.count
        return Figures(
            per_second=answers.count / answers.seconds,
            p50_ms=answers.p50_ms,
            p95_ms=answers.p95_ms,
            p99_ms=answers.p99_ms,
            service_us=(sum(map(cpu_seconds_of, served.pids)) - ours) * each,
            database_us=(cpu_seconds_of(self.database) - theirs) * each,
            client_cores=answers.cpu_seconds / answers.seconds,
        )

    async def pgbench_figures(self, name: str, script: str, seconds: float) -> Figures:
        theirs = cpu_seconds_of(self.database)
        rate, took = await self.pgbench(name).run(script, seconds)
        spent = (cpu_seconds_of(self.database) - theirs) * 1e6 / len(took)
        return Figures(rate, *cuts(took), service_us=0.0, database_us=spent, client_cores=0.0)


async def end_sessions(store: TemporaryStore) -> None:
    server = await asyncpg.connect(store.launch.store.database)
    try:
        await server.execute(END_SESSIONS)
    finally:
        await server.close()


@asynccontextmanager
async def sink(store: TemporaryStore) -> AsyncIterator[str]:
    """An Event Grid topic that takes everything and tells nobody. Yields its URL."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    app, port = web.Application(client_max_size=2**24), free_ports(1)
    app.router.add_post("/{anything:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port, ssl_context=store.launch.store.certificates.server_context()).start()
        yield f"https://{HOST}:{port}"
    finally:
        await runner.cleanup()


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    length = {"Content-Length": str(len(body)), "Content-Type": "application/json"} if body else {}
    told = {"Host": HOST, **headers, **length}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    return "\r\n".join(lines).encode() + body

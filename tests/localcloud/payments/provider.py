"""The simulated provider as a process, and a store that takes its call-backs."""

import asyncio
import functools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from localcloud.program import Program, listening
from tests.localcloud.programs import free_ports, running

ROOT = Path(__file__).parents[3]
KEY = "shared"
TRACEPARENT = f"00-{'1' * 32}-{'2' * 16}-01"


@dataclass(slots=True)
class Storefront:
    """Answers call-backs as it is told to, and keeps them."""

    answers: list[int] = field(default_factory=list)  # the next ones; then 202
    heard: list[tuple[web.Request, bytes]] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/", self._take)
        async with TestServer(app) as server:
            yield str(server.make_url("/"))

    async def _take(self, request: web.Request) -> web.Response:
        self.heard.append((request, await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 202)


@dataclass(frozen=True, slots=True)
class Provider:
    session: aiohttp.ClientSession
    url: str
    process: asyncio.subprocess.Process

    @classmethod
    @asynccontextmanager
    async def start(cls, folder: Path, callback: str) -> AsyncIterator["Provider"]:
        port = free_ports(1)
        arguments = ["--state", str(folder), "--port", str(port), "--callback", callback]
        program = Program(
            name="payments",
            argv=[sys.executable, "-m", "localcloud.payments", *arguments],
            ready=functools.partial(listening, port),
            env={"PAYMENTS_KEY": KEY},
            cwd=ROOT,
        )
        async with running(program, folder / "payments.log") as process, aiohttp.ClientSession() as session:
            yield cls(session, f"http://127.0.0.1:{port}", process)

    async def ask(self, verb: str, order: UUID, amount: int = 1250, key: str = KEY) -> tuple[int, Any]:
        headers = {
            "Authorization": f"Bearer {key}",
            "Idempotency-Key": f"{verb}-{order}",
            "traceparent": TRACEPARENT,
        }
        url, body = f"{self.url}/payments/{order}/{verb}", {"amount": amount, "currency": "EUR"}
        async with self.session.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def book(self) -> dict[str, list[str]]:
        """Every status that each payment has had."""
        async with self.session.get(f"{self.url}/book") as answer:
            shown = await answer.json()
        return {each["order_id"]: [change.split()[0] for change in each["movements"]] for each in shown}

    async def put(self, path: str, body: Any) -> int:
        async with self.session.put(self.url + path, json=body) as answer:
            return answer.status

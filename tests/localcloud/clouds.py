"""The whole local cloud in a process of its own, and the credentials that its environment makes."""

import functools
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localcloud import identity, topology
from localcloud.addresses import Addresses, Port
from localcloud.program import Program
from localcloud.state import State
from localcloud.store import TOPOLOGY
from localcloud.topology import Topology
from tests.localcloud.programs import free_ports, running

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class LocalCloud:
    addresses: Addresses
    state: State
    topology: Topology
    kill: Callable[[], None]

    @property
    def ca(self) -> str:
        return str(self.state.certificates / "ca.pem")

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    @property
    def secret(self) -> str:
        return identity.header(self.state)

    def environment(self, name: str) -> dict[str, str]:
        """Of a process that is this identity."""
        return identity.environment(self.addresses, self.secret, self.topology.identities[name])

    @contextmanager
    def acting_as(self, name: str) -> Iterator[None]:
        """This process is such a one: the synchronous credential looks at the environment each time."""
        with pytest.MonkeyPatch.context() as environment:
            for variable, value in self.environment(name).items():
                environment.setenv(variable, value)
            yield

    async def turn(self, **setting: Any) -> None:
        """The switches of identity."""
        async with self._session() as session, session.put("/switches", json=setting):
            pass

    async def rotate(self) -> str:
        """The new key's id."""
        async with self._session() as session, session.post("/keys") as answer:
            return str((await answer.json())["kid"])

    def _session(self) -> aiohttp.ClientSession:
        base = self.addresses.url(Port.IDENTITY)
        return aiohttp.ClientSession(base, headers={"X-IDENTITY-HEADER": self.secret}, raise_for_status=True)


@asynccontextmanager
async def local_cloud(folder: Path, base: int | None = None) -> AsyncIterator[LocalCloud]:
    addresses = Addresses(base or free_ports(len(Port)))
    options = ["--topology", str(TOPOLOGY), "--state", str(folder), "--base-port", str(addresses.base)]
    ready = functools.partial(_answers, f"{addresses.url(Port.LETTERS)}/state")
    program = Program("cloud", [sys.executable, "-m", "localcloud", *options], ready=ready, cwd=ROOT)
    async with running(program, folder / "log") as process:
        yield LocalCloud(addresses, State(folder), topology.load(TOPOLOGY), process.kill)


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.request("GET", url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False

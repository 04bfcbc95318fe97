"""docker-compose.yml from end to end: real Compose, real containers of ours; stand-ins for the images of others."""

import functools
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
import yaml

from localcloud.identity import Role
from tests.images.engine import ROOT, Engine, compose
from tests.localcloud.programs import free_ports
from tests.stories.shop import Shop
from tests.waiting import until

pytestmark = [pytest.mark.images, pytest.mark.timeout(1200)]

UP_SECONDS = 300
ONE_SHOTS = {"provision", "seed"}
# Tries the door that docker-compose.yml keeps shut: an operator with a wrong password.
INTRUDE = """
import asyncio, asyncpg
async def enter(password):
    try:
        await asyncpg.connect("postgresql://store@127.0.0.1:8095/postgres", password=password, timeout=5)
        print("in")
    except asyncpg.InvalidPasswordError:
        print("refused")
asyncio.run(enter("wrong"))
"""


@dataclass(frozen=True, slots=True)
class Project:
    engine: Engine
    name: str
    files: tuple[Path, ...]
    environment: dict[str, str]

    def __call__(self, *words: str, seconds: float = UP_SECONDS) -> str:
        files = [word for file in self.files for word in ("-f", str(file))]
        where = ["--project-name", self.name, "--project-directory", str(ROOT)]
        return self.engine.run(compose(), *files, *where, *words, seconds=seconds, env=self.environment)

    def within(self, part: str, *words: str) -> str:
        return self("exec", "-T", part, "python", *words).strip()

    def token(self, role: Role, customer: UUID | None) -> str:
        return self.within("loopback", "-m", "localcloud.people", "--role", role, *_of(customer))

    def states(self) -> dict[str, str]:
        """Of each part: running, or how it ended."""
        found = {}
        for each in json.loads(self._containers("json")):
            part = each["Labels"]["com.docker.compose.service"]
            found[part] = each["State"] if each["State"] == "running" else f"{each['State']} {each['ExitCode']}"
        return found

    def _containers(self, form: str) -> str:
        label = f"label=com.docker.compose.project={self.name}"
        return self.engine.run("podman", "ps", "--all", "--filter", label, "--format", form)

    def left(self) -> list[str]:
        volumes = self.engine.run("podman", "volume", "ls", "--quiet").split()
        networks = self.engine.run("podman", "network", "ls", "--quiet").split()
        return [*self._containers("{{.Names}}").split(), *(each for each in (*volumes, *networks) if self.name in each)]


def _of(customer: UUID | None) -> list[str]:
    return ["--customer", str(customer)] if customer else []


@pytest.fixture
def project(
    engine: Engine, images: dict[str, str], project_name: str, node_modules: Path, tmp_path: Path
) -> Iterator[Project]:
    also = tmp_path / "standins.yml"
    mounted = {"type": "bind", "source": str(node_modules), "target": "/parts/azurite", "read_only": True}
    also.write_text(yaml.safe_dump({"services": {"azurite": {"volumes": [mounted]}}}))
    with engine.serving() as address:
        ports = {"PORT": str(free_ports(1)), "LETTERS_PORT": str(free_ports(1))}
        environment = {"DOCKER_HOST": address, "PATH": os.environ["PATH"], **ports}
        made = Project(engine, project_name, (ROOT / "docker-compose.yml", also), environment)
        with stopped_at_the_end(made):
            yield made


@contextmanager
def stopped_at_the_end(project: Project) -> Iterator[None]:
    try:
        yield
    finally:
        project("down", "--volumes", "--timeout", "5")


@pytest.fixture
async def shop(project: Project) -> AsyncIterator[Shop]:
    gateway, letters = (f"http://127.0.0.1:{project.environment[name]}" for name in ("PORT", "LETTERS_PORT"))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield Shop(session, gateway, letters, functools.cache(project.token))


async def test_the_store_in_containers_sells_and_its_books_balance(project: Project, shop: Shop) -> None:
    project("up", "--detach", "--no-build", "--pull", "never")
    project("wait", "seed", seconds=60)
    assert {name: state for name, state in project.states().items() if name in ONE_SHOTS} == dict.fromkeys(
        ONE_SHOTS, "exited 0"
    )

    product, buyer = await shop.product(stock=5), await shop.customer()
    order = await buyer.settled(await buyer.order(product, quantity=2))
    letter = await buyer.letter()

    assert order["status"] == "confirmed"
    assert letter["message_id"] == f"<confirmed-{order['id']}@store>"
    await until(lambda: shop.stock(product), lambda answer: answer.body["sold"] == 2)
    assert "✗" not in project.within("loopback", "-m", "localcloud.audit")
    assert project.within("orders", "-c", INTRUDE) == "refused"
    await media_is_read_through_the_gateway(shop)

    project("stop")
    assert {state for name, state in project.states().items() if name != "azurite"} == {"exited 0"}
    project("up", "--detach", "--no-build", "--pull", "never")

    assert (await buyer.call("GET", f"/api/orders/{order['id']}")).body["status"] == "confirmed"
    assert "✗" not in project.within("loopback", "-m", "localcloud.audit")
    project("down", "--volumes", "--timeout", "5")
    assert project.left() == []


async def media_is_read_through_the_gateway(shop: Shop) -> None:
    listed = (await shop.call("GET", "/api/products?limit=100")).body["items"]
    url = next(product["media"][0]["url"] for product in listed if product["media"])
    async with shop.session.get(url) as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")

"""The gateway's image: the configuration that it makes when it starts, and that it follows the names in it."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from socket import inet_aton
from string import Template
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from deploy.gateway import template
from localcloud import gateway
from localcloud.gateway import Limits, Network
from localcloud.topology import Topology
from tests.deploy.image_rules import DOCKERFILES, ROOT, SERVICES
from tests.deploy.tools import LONGEST_SECONDS
from tests.localcloud.programs import free_ports, running, state_of
from tests.waiting import so, until

pytestmark = pytest.mark.deploy

SCRIPT = ROOT / "deploy/gateway/15-upstreams.envsh"
RESOLVERS = "10.0.0.10 [fd00::10]"
AWAY = dict.fromkeys((*SERVICES, "functions", "storage"), "http://127.0.0.1:1")
A = b"\0\1"  # the kind of a record with an address of version 4
UPSTREAMS = {
    "in an environment": {name: f"http://{name}" for name in (*SERVICES, "functions")} | {"storage": "https://store.blob.example/"},
    "elsewhere": {name: f"https://{name}.example:8443/below" for name in (*SERVICES, "functions", "storage")},
    "on a laptop": {name: f"http://127.0.0.1:{port}" for port, name in enumerate((*SERVICES, "functions"), 8081)}
    | {"storage": "https://127.0.0.1:8098/store"},
}  # fmt: skip


@pytest.mark.parametrize("origins", [(), ("https://shop.example",), ("http://localhost:3000", "https://a.example")])
@pytest.mark.parametrize("upstreams", UPSTREAMS.values(), ids=list(UPSTREAMS))
def test_the_image_of_the_gateway_comes_to_the_configuration_of_make_run(
    upstreams: Mapping[str, str], origins: Sequence[str], store: Topology
) -> None:
    told = {f"{name.upper()}_URL": url for name, url in upstreams.items()}
    told |= {"CA_FILE": "/ca.pem", "NGINX_LOCAL_RESOLVERS": RESOLVERS, "CORS_ORIGINS": " ".join(origins)}

    filled = Template(template.render(store)).safe_substitute(wanted(sourced(told)))

    network = replace(template.NETWORK, resolver=RESOLVERS, origins=origins)
    assert filled == gateway.render(store, upstreams, listen=template.LISTEN, ca=Path("/ca.pem"), network=network)
    assert "${" not in filled


@pytest.mark.parametrize("name", [*SERVICES, "functions", "storage"])
def test_a_gateway_that_is_not_told_where_to_lead_does_not_start(name: str) -> None:
    urls = {f"{each.upper()}_URL": url for each, url in AWAY.items() if each != name}

    with pytest.raises(subprocess.CalledProcessError) as failed:
        sourced(urls)

    assert f"{name.upper()}_URL: says where" in failed.value.stderr


@pytest.mark.parametrize(
    "origins",
    ["*", "null", "https://", "https://a.example/", "https://a.example https://b;}", "ftp://a", 'https://"a"'],
)
def test_a_gateway_that_is_told_of_what_is_no_origin_does_not_start(origins: str) -> None:
    urls = {f"{name.upper()}_URL": url for name, url in AWAY.items()}

    with pytest.raises(subprocess.CalledProcessError) as failed:
        sourced(urls | {"CORS_ORIGINS": origins})

    assert "CORS_ORIGINS names origins such as https://shop.example" in failed.value.stderr


def test_where_no_name_server_is_named_it_is_this_machine() -> None:
    urls = {f"{name.upper()}_URL": url for name, url in AWAY.items()}

    assert sourced(urls | {"NGINX_LOCAL_RESOLVERS": ""})["NGINX_LOCAL_RESOLVERS"] == "127.0.0.1"


def test_nginxs_entry_point_finds_the_name_servers_before_and_fills_the_template_after() -> None:
    assert "15-local-resolvers.envsh" < SCRIPT.name < "20-envsubst-on-templates.sh"
    assert "NGINX_ENTRYPOINT_LOCAL_RESOLVERS=1" in (ROOT / DOCKERFILES["gateway"]).read_text()


def sourced(told: dict[str, str]) -> dict[str, str]:
    """What the script makes of an environment."""
    done = subprocess.run(
        ["/bin/sh", "-euc", f". {SCRIPT}; env"],
        env=told, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=True,
    )  # fmt: skip
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def wanted(environment: dict[str, str]) -> dict[str, str]:
    """What nginx's image lets in: the variables whose names match its filter."""
    said = (ROOT / DOCKERFILES["gateway"]).read_text()
    pattern = re.search(r"NGINX_ENVSUBST_FILTER=(\S+)", said)
    assert pattern
    return {name: value for name, value in environment.items() if re.search(pattern[1], name)}


def test_a_slip_in_the_gateways_script_is_seen(tmp_path: Path) -> None:
    """The test that compares its outcome with `make run` rests on this: the shell itself refuses what it can't read."""
    file = tmp_path / "15-upstreams.envsh"
    file.write_text(SCRIPT.read_text().replace("esac", "esca", 1))

    done = subprocess.run(["/bin/sh", "-n", file], capture_output=True, timeout=LONGEST_SECONDS, check=False)

    assert done.returncode


class Names(asyncio.DatagramProtocol):
    """A DNS server by which all names have one address, for a second."""

    address = "127.0.0.2"
    asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        end = data.index(b"\0", 12) + 5
        record = b"\xc0\x0c" + A + A + b"\0\0\0\1" + b"\0\4" + inet_aton(self.address)
        answers = [record] if data[end - 4 : end - 2] == A else []
        head = data[:2] + b"\x81\x80" + b"\0\1" + len(answers).to_bytes(2, "big") + bytes(4)
        self.transport.sendto(head + data[12:end] + b"".join(answers), addr)
        self.asked += len(answers)


@asynccontextmanager
async def storage() -> AsyncIterator[int]:
    """Its port on 127.0.0.1."""

    async def read(_: web.Request) -> web.Response:
        return web.Response(text="a picture")

    app = web.Application()
    app.router.add_get("/media/{name}", read)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def started(configuration: Callable[[str], str], folder: Path) -> AsyncIterator[str]:
    """The URL of nginx, configured for where it listens."""
    address = f"127.0.0.1:{free_ports(1)}"
    with state_of(folder) as state:
        program = gateway.program(state, configuration(address), int(address.rpartition(":")[2]))
        async with running(program, folder / "log"):
            yield f"http://{address}"


async def test_a_storage_that_moves_is_found_where_it_is(store: Topology, tmp_path: Path) -> None:
    server, names = await asyncio.get_running_loop().create_datagram_endpoint(Names, local_addr=("127.0.0.1", 0))
    network = Network(resolver=f"127.0.0.1:{server.get_extra_info('sockname')[1]}")
    async with storage() as port, aiohttp.ClientSession() as client:
        upstreams = AWAY | {"storage": f"http://store.example:{port}"}
        configured = partial(render, store, upstreams, network=network, ca=tmp_path / "none")

        async with started(configured, tmp_path) as url:
            await so(lambda: names.asked > 0)
            assert await status(client, f"{url}/media/picture") == 502

            names.address = "127.0.0.1"

            await until(lambda: status(client, f"{url}/media/picture"), lambda seen: seen == 200)
    server.close()


async def test_behind_a_proxy_each_client_has_a_limit_of_its_own(store: Topology, tmp_path: Path) -> None:
    limits, network = Limits(rate=1, burst=1), Network(proxies=("127.0.0.0/8", "10.0.0.0/8"))
    configured = partial(render, store, AWAY, network=network, limits=limits, ca=tmp_path / "none")
    said = ("198.51.100.7", "198.51.100.7, 10.0.0.1", "192.0.2.1, 198.51.100.7", "198.51.100.8")

    async with started(configured, tmp_path) as url, aiohttp.ClientSession() as client:
        seen = [await status(client, f"{url}/api/orders", {"X-Forwarded-For": each}) for each in said]

    assert seen == [502, 502, 429, 502]


def render(store: Topology, upstreams: Mapping[str, str], listen: str, **rest: Any) -> str:
    return gateway.render(store, upstreams, listen=listen, **rest)


async def status(client: aiohttp.ClientSession, url: str, headers: Mapping[str, str] | None = None) -> int:
    async with client.get(url, headers=headers) as answer:
        return answer.status

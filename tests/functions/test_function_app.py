"""The app as a host sees it."""

import asyncio
import json
import os
import re
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from libs.common.messages import encode_fact
from libs.common.messages.orders import OrderConfirmed
from localcloud import certificates, functions_keys, topology
from localcloud.servicebus import Broker
from tests.functions.surroundings import ADA, LINES, NOON, ORDER, TRACE_ID, TRACEPARENT, Mailbox, Owners

ROOT = Path(__file__).parents[2]
TOLD = {
    "CUSTOMERS_URL": "http://c",
    "ORDERS_URL": "http://o",
    "CATALOG_URL": "http://p",
    "MAIL_URL": "smtp://h",
    "MAIL_FROM": "a@b.c",
    "BLOB_ENDPOINT": "https://b/store",
    "MEDIA_URL": "https://m",
    "PAYMENTS_URL": "http://p",
    "PAYMENTS_KEY": "secret",
}
NOT_IN_THE_IMAGE = ("services", "localcloud", "asyncpg", "azure.servicebus", "azure.eventgrid", "joserfc", "uvloop")
SHOW = """
import json, sys
sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])))
sys.path[:0] = ["functions", "."]
import function_app
found = {each.get_function_name(): each.get_raw_bindings() for each in function_app.app.get_functions()}
print(json.dumps({name: [json.loads(raw) for raw in bindings] for name, bindings in found.items()}))
"""
SPEAK = """
import logging, sys
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="host: %(message)s")
sys.path[:0] = ["functions", "."]
import function_app, structlog
from libs.common import telemetry
with telemetry.trace(sys.argv[1]):
    structlog.get_logger().info("order.examined", order_id="1")
"""
CONFIRMED = OrderConfirmed(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=34800, lines=LINES, version=2, at=NOON
)


async def run(script: str, argument: str) -> bytes:
    """What it prints, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, argument, cwd=ROOT, env=TOLD, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    return out


async def test_the_app_needs_no_more_than_its_image_holds_and_is_what_the_topology_says() -> None:
    store = topology.load(ROOT / "deploy/topology.yaml")

    loaded: dict[str, list[dict[str, Any]]] = json.loads(await run(SHOW, json.dumps(NOT_IN_THE_IMAGE)))

    assert {name for name, bound in loaded.items() if any(each["type"] == "eventGridTrigger" for each in bound)} == {
        subscription.to.function for subscription in store.subscriptions if subscription.to.function
    }
    outputs = {(name, each["queueName"]) for name, bound in loaded.items() for each in bound if "queueName" in each}
    assert outputs == {
        ("process_order", "catalog"),
        ("process_order", "orders"),
        ("thumbnails", "catalog"),
        ("update_inventory", "catalog"),
        ("take_payment", "orders"),
        ("payment_callback", "orders"),
        ("notify_customer", "orders"),
    }
    rights = {right.on for right in store.identities["functions"].rights}
    assert {f"queues/{queue}" for _, queue in outputs} <= rights


async def test_log_lines_go_the_hosts_way_and_name_the_trace() -> None:
    said = await run(SPEAK, TRACEPARENT)

    assert said.startswith(b"host: ")
    line = json.loads(said.removeprefix(b"host: "))
    assert len(line.pop("span_id")) == 16
    assert line == {
        "event": "order.examined",
        "order_id": "1",
        "trace_id": TRACE_ID,
        "level": "info",
    }


def test_the_pins_are_those_of_the_lock() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    locked = {(package["name"], package["version"]) for package in lock["package"]}

    pinned = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "functions/requirements.txt").read_text(), re.MULTILINE)

    assert {"azure-functions", "aiohttp", "aiosmtplib", "azure-identity"} <= {name for name, _ in pinned}
    assert set(pinned) <= locked


@pytest.mark.real
async def test_in_a_host_the_letter_and_the_data_go_out_under_the_callers_trace(
    owners: Owners, mailbox: Mailbox, tmp_path: Path, unused_tcp_port: int
) -> None:
    functions_keys.ensure(tmp_path / "keys")
    key = functions_keys.read(tmp_path / "keys" / functions_keys.EVENT_GRID)
    app = owners.app()
    app.router.add_get("/msi/token", give_token)
    async with (
        TestServer(app) as server,
        ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as client,
        commands(tmp_path / "bus") as (broker, bus),
    ):
        told = bus | {"MAIL_URL": f"smtp://127.0.0.1:{mailbox.port}"}
        host = await start(str(server.make_url("")).rstrip("/"), told, keys=tmp_path / "keys", port=unused_tcp_port)
        try:
            lines = [await log_until(host, "host.started")]
            notified = await client.post(
                "/runtime/webhooks/EventGrid",
                params={"functionName": "notify_customer", "code": key},
                data=encode_fact(CONFIRMED, TRACEPARENT),
                headers={"aeg-event-type": "Notification"},
            )
            data = await client.get(
                f"/api/customer-data/{ADA}", headers={"Authorization": "Bearer theirs", "traceparent": TRACEPARENT}
            )
            lines.append(await log_until(host, "request.answered"))
        finally:
            host.kill()
            await host.wait()
        assert broker.counts("orders").active == 1

    assert (notified.status, data.status) == (202, 200)
    (letter,) = mailbox.letters
    assert letter["X-Trace-Id"] == TRACE_ID
    assert [request.headers["Authorization"] for request in owners.asked] == [
        "Bearer given",
        *["Bearer theirs"] * 3,
    ]
    log = b"".join(lines)
    assert log.count(TRACE_ID.encode()) >= 3
    assert not any(secret in log for secret in (b"ada@", b"M\\u00fcller", b"Bearer", key.encode()))


async def give_token(request: web.Request) -> web.Response:
    assert request.query["resource"].rstrip("/") in ("api://store", "https://servicebus.azure.net")
    return web.json_response(
        {"access_token": "given", "expires_on": str(2**32), "resource": "", "token_type": "Bearer"}
    )


@asynccontextmanager
async def commands(state: Path) -> AsyncIterator[tuple[Broker, dict[str, str]]]:
    """A Service Bus that takes any token, and what a host is told of it."""
    files = certificates.ensure(state, datetime.now(UTC))
    queues = {name: topology.Queue() for name in ("catalog", "orders")}
    async with (
        Broker.open(queues, state / "bus.sqlite", lambda *_: None) as broker,
        broker.listen("127.0.0.1", 0, files.server_context()) as port,
    ):
        yield (
            broker,
            {
                "SERVICE_BUS_ENDPOINT": f"sb://127.0.0.1:{port}",
                "ServiceBus__fullyQualifiedNamespace": "store.servicebus.windows.net",
                "SSL_CERT_FILE": str(files.bundle),
            },
        )


async def start(owners: str, told: dict[str, str], *, keys: Path, port: int) -> asyncio.subprocess.Process:
    environment = TOLD | {
        "CUSTOMERS_URL": owners,
        "ORDERS_URL": owners,
        "CATALOG_URL": owners,
        "MAIL_FROM": "Store <store@example.org>",
        "IDENTITY_ENDPOINT": f"{owners}/msi/token",
        "IDENTITY_HEADER": "secret",
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "PATH": os.environ["PATH"],
        **told,
    }
    arguments = ["--app", "functions", "--port", str(port), "--keys", str(keys)]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "localcloud.functions_host",
        *arguments,
        cwd=ROOT,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )


async def log_until(host: asyncio.subprocess.Process, event: str) -> bytes:
    assert host.stderr
    seen = b""
    async with asyncio.timeout(30):
        async for line in host.stderr:
            seen += line
            if f'"event": "{event}"'.encode() in line:
                return seen
    raise AssertionError(f"the log ended before {event}: {seen.decode()}")

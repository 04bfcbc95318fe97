"""The app as a host sees it."""

import asyncio
import json
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from libs.common.messages import encode_fact
from libs.common.messages.orders import OrderConfirmed
from localcloud import functions_keys, topology
from tests.functions.surroundings import ADA, LINES, NOON, ORDER, TRACE_ID, TRACEPARENT, Mailbox, Owners

ROOT = Path(__file__).parents[2]
TOLD = {
    "CUSTOMERS_URL": "http://c",
    "ORDERS_URL": "http://o",
    "SMTP_HOST": "h",
    "SMTP_PORT": "1",
    "MAIL_FROM": "a@b.c",
    "BLOB_ENDPOINT": "https://b/store",
    "MEDIA_URL": "https://m",
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
    }
    rights = {right.on for right in store.identities["functions"].rights}
    assert {f"queues/{queue}" for _, queue in outputs} <= rights


async def test_log_lines_go_the_hosts_way_and_name_the_trace() -> None:
    said = await run(SPEAK, TRACEPARENT)

    assert said.startswith(b"host: ")
    assert json.loads(said.removeprefix(b"host: ")) == {
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
    functions_keys.ensure(tmp_path)
    key = functions_keys.read(tmp_path / functions_keys.EVENT_GRID)
    app = owners.app()
    app.router.add_get("/msi/token", give_token)
    async with TestServer(app) as server, ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as client:
        host = await start(str(server.make_url("")).rstrip("/"), mailbox.port, keys=tmp_path, port=unused_tcp_port)
        try:
            lines = [await log_until(host, "host.started")]
            notified = await client.post(
                "/runtime/webhooks/EventGrid",
                params={"functionName": "notify_customer", "code": key},
                data=encode_fact(CONFIRMED, TRACEPARENT),
                headers={"aeg-event-type": "Notification"},
            )
            told = await client.get(
                f"/api/customer-data/{ADA}", headers={"Authorization": "Bearer theirs", "traceparent": TRACEPARENT}
            )
            lines.append(await log_until(host, "request.answered"))
        finally:
            host.kill()
            await host.wait()

    assert (notified.status, told.status) == (202, 200)
    (letter,) = mailbox.letters
    assert letter["X-Trace-Id"] == TRACE_ID
    assert [request.headers["Authorization"] for request in owners.asked] == [
        "Bearer given",
        "Bearer theirs",
        "Bearer theirs",
    ]
    log = b"".join(lines)
    assert log.count(TRACE_ID.encode()) >= 3
    assert not any(secret in log for secret in (b"ada@", b"M\\u00fcller", b"Bearer", key.encode()))


async def give_token(request: web.Request) -> web.Response:
    assert request.query["resource"] == "api://store"
    return web.json_response(
        {"access_token": "given", "expires_on": str(2**32), "resource": "", "token_type": "Bearer"}
    )


async def start(owners: str, smtp_port: int, *, keys: Path, port: int) -> asyncio.subprocess.Process:
    environment = TOLD | {
        "CUSTOMERS_URL": owners,
        "ORDERS_URL": owners,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(smtp_port),
        "MAIL_FROM": "Store <store@example.org>",
        "ServiceBus__fullyQualifiedNamespace": "127.0.0.1",
        "IDENTITY_ENDPOINT": f"{owners}/msi/token",
        "IDENTITY_HEADER": "secret",
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "PATH": os.environ["PATH"],
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

"""The local cloud as a process, seen by the unmodified SDKs, which learn from the environment who they are."""

import asyncio
import json
import random
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import msgspec
import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.secrets.aio import SecretClient
from azure.servicebus import ServiceBusReceivedMessage, TransportType
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.aio.management import ServiceBusAdministrationClient
from azure.servicebus.exceptions import ServiceBusAuthorizationError

from localcloud import certificates, identity
from localcloud.__main__ import ROOT_KEY
from localcloud.addresses import HOST, Addresses, Port
from localcloud.certificates import Certificates
from localcloud.eventgrid import FAIR
from localcloud.state import State
from localcloud.topology import Topology
from tests.inspecting import act

pytestmark = pytest.mark.real

SECRET = "orders-cursor-key"
CANARY = "a value that no log line may hold"
START_SECONDS = 20
WAIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Cloud:
    process: Process
    addresses: Addresses
    state: State
    files: Certificates
    topology: Topology
    log: list[dict[str, Any]] = field(default_factory=list)

    async def ended_by(self, signal_: signal.Signals) -> int:
        self.process.send_signal(signal_)
        return await asyncio.wait_for(self.process.wait(), WAIT_SECONDS)

    @asynccontextmanager
    async def credential(self, name: str) -> AsyncIterator[DefaultAzureCredential]:
        who = identity.environment(self.addresses, identity.header(self.state), self.topology.identities[name])
        with pytest.MonkeyPatch.context() as environment:
            for variable, value in who.items():
                environment.setenv(variable, value)
            credential = DefaultAzureCredential()
        async with credential:
            yield credential

    @asynccontextmanager
    async def vault(self, name: str) -> AsyncIterator[SecretClient]:
        url, ca = self.addresses.url(Port.KEYVAULT), str(self.files.ca)
        async with self.credential(name) as credential, SecretClient(url, credential, connection_verify=ca) as client:
            yield client

    async def publish(self, event: CloudEvent[Any], as_: str = "catalog") -> None:
        url, ca = f"{self.addresses.url(Port.EVENTGRID)}/catalog/api/events", str(self.files.ca)
        async with (
            self.credential(as_) as credential,
            EventGridPublisherClient(url, credential, connection_verify=ca) as topic,
        ):
            await topic.send(event)

    @asynccontextmanager
    async def queue(self, name: str, as_: str | None = None) -> AsyncIterator[ServiceBusReceiver]:
        port = self.addresses.port(Port.SERVICEBUS)
        async with self.credential(as_ or name) as credential, AsyncExitStack() as stack:
            client = ServiceBusClient(
                f"{HOST}:{port}",
                credential,
                custom_endpoint_address=f"sb://{HOST}:{port}",
                transport_type=TransportType.Amqp,
                ssl_context=self.files.client_context(),
            )
            await stack.enter_async_context(client)
            yield await stack.enter_async_context(client.get_queue_receiver(name))

    async def send_letter(self, letter: EmailMessage) -> None:
        await aiosmtplib.send(letter, hostname=HOST, port=self.addresses.port(Port.SMTP), start_tls=False)

    @property
    def inspector(self) -> str:
        return self.addresses.url(Port.INSPECTOR)

    async def conditions(self) -> Any:
        async with aiohttp.ClientSession(self.inspector) as session, session.get("/api/overview") as answer:
            return (await answer.json())["conditions"]

    async def ask(self, path: str, method: str = "GET", json: Any = None) -> Any:
        url = self.addresses.url(Port.LETTERS) + path
        async with aiohttp.ClientSession() as session, session.request(method, url, json=json) as answer:
            return await answer.json() if answer.content_type == "application/json" else answer.status


def is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


@pytest.fixture
def addresses() -> Addresses:
    """A block of ports that were all free a moment ago."""
    bases = random.sample(range(20_000, 32_000, len(Port)), 100)
    return Addresses(next(base for base in bases if all(is_free(base + each) for each in Port)))


@dataclass(frozen=True, slots=True)
class Starter:
    folder: Path
    addresses: Addresses
    topology_file: Path
    topology: Topology

    @asynccontextmanager
    async def __call__(self, **more: str) -> AsyncIterator[Cloud]:
        async with asyncio.TaskGroup() as group:
            process = await self._process(more)
            log: list[dict[str, Any]] = []
            is_started = asyncio.Event()
            group.create_task(read_log(process, log, is_started))
            try:
                await asyncio.wait_for(is_started.wait(), START_SECONDS)
                assert process.returncode is None, log
                files = certificates.ensure(State(self.folder).certificates, datetime.now(UTC))
                yield Cloud(process, self.addresses, State(self.folder), files, self.topology, log)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    async def _process(self, more: dict[str, str]) -> Process:
        options = {"topology": self.topology_file, "state": self.folder, "base-port": self.addresses.base, **more}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        root = self.topology_file.parents[1]
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "localcloud", *arguments, cwd=root, stderr=PIPE
        )


async def read_log(process: Process, log: list[dict[str, Any]], is_started: asyncio.Event) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        log.append(json.loads(line))
        if log[-1]["event"] == "cloud.started":
            is_started.set()
    is_started.set()  # or it never will be


@pytest.fixture
def start(tmp_path: Path, addresses: Addresses, topology_file: Path, store: Topology) -> Starter:
    return Starter(tmp_path, addresses, topology_file, store)


def letter() -> EmailMessage:
    written = EmailMessage()
    written["From"], written["To"] = "store@store.example", "anna@customers.example"
    written["Subject"], written["Message-ID"] = "Your order", "<confirm-1@store.example>"
    written.set_content(CANARY)
    return written


def product_created(event_id: str = "e-1") -> CloudEvent[Any]:
    return CloudEvent(
        id=event_id,
        source="/services/catalog",
        type="store.catalog.product-created.v1",
        subject="p-1",
        data={"sku": "red-mug"},
        extensions={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    )


async def receive(receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage:
    (message,) = await receiver.receive_messages(max_message_count=1, max_wait_time=WAIT_SECONDS)
    return message


async def test_the_whole_cloud_serves_the_unmodified_sdks(start: Starter) -> None:
    async with start() as cloud:
        async with cloud.vault("operator") as operator, cloud.vault("orders") as orders:
            await operator.set_secret(SECRET, CANARY)
            assert (await orders.get_secret(SECRET)).value == CANARY

        await cloud.publish(product_created())
        async with cloud.queue("orders") as receiver:
            message = await receive(receiver)
            await receiver.complete_message(message)
        assert json.loads(str(message))["id"] == "e-1"

        await cloud.send_letter(letter())
        assert [each["subject"] for each in await cloud.ask("/letters")] == ["Your order"]

        state = await cloud.ask("/state")
        assert state["ready"] is True
        assert set(state["queues"]) == set(cloud.topology.queues)
        assert state["queues"]["orders"] | {"oldest_enqueued": None} == {
            "active": 0,
            "locked": 0,
            "dead_lettered": 0,
            "oldest_enqueued": None,
        }
        assert len(state["subscriptions"]) == len(cloud.topology.subscriptions)

        assert await cloud.ended_by(signal.SIGTERM) == 0

    assert [each["event"] for each in cloud.log][-1:] == ["cloud.stopping"]
    assert CANARY not in json.dumps(cloud.log)


async def test_a_queue_that_somebody_deleted_is_told_of_no_more_until_the_next_start(start: Starter) -> None:
    async with start() as cloud:
        key, port = (cloud.state.identity / ROOT_KEY).read_text(), cloud.addresses.port(Port.SERVICEBUS)
        connection = f"Endpoint=sb://{HOST}:{port};SharedAccessKeyName={ROOT_KEY};SharedAccessKey={key}"
        local = f"{connection};UseDevelopmentEmulator=true"
        async with ServiceBusAdministrationClient.from_connection_string(
            local, connection_verify=str(cloud.files.ca)
        ) as administration:
            await administration.delete_queue("customers")

        assert set((await cloud.ask("/state"))["queues"]) == set(cloud.topology.queues) - {"customers"}
        assert await cloud.ended_by(signal.SIGTERM) == 0

    async with start() as cloud:
        assert set((await cloud.ask("/state"))["queues"]) == set(cloud.topology.queues)


async def test_what_it_acknowledged_survives_kill_9(start: Starter) -> None:
    async with start() as cloud:
        async with cloud.vault("operator") as operator:
            await operator.set_secret(SECRET, CANARY)
        await cloud.send_letter(letter())
        await cloud.publish(product_created())
        async with cloud.queue("orders") as receiver:
            await receiver.abandon_message(await receive(receiver))
        assert await cloud.ended_by(signal.SIGKILL) == -signal.SIGKILL

    async with start() as cloud:
        async with cloud.vault("orders") as orders:
            assert (await orders.get_secret(SECRET)).value == CANARY
        assert [each["message_id"] for each in await cloud.ask("/letters")] == ["<confirm-1@store.example>"]
        async with cloud.queue("orders") as receiver:
            assert json.loads(str(await receive(receiver)))["id"] == "e-1"


async def test_an_identity_may_only_what_the_topology_says(start: Starter) -> None:
    async with start() as cloud:
        with pytest.raises(HttpResponseError) as raised:
            await cloud.publish(product_created(), as_="orders")
        assert raised.value.status_code == 403

        with pytest.raises(ServiceBusAuthorizationError):
            async with cloud.queue("catalog", as_="orders") as receiver:
                await receive(receiver)


async def test_faults_of_event_grid_are_said_at_the_start_and_changed_at_the_inspector_alone(start: Starter) -> None:
    async with start(**{"event-grid": '{"duplicate": 1}'}) as cloud:
        at_first = await cloud.conditions()
        await cloud.publish(product_created())
        async with cloud.queue("orders") as receiver:
            twice = [json.loads(str(await receive(receiver)))["id"] for _ in range(2)]

        await act(cloud.inspector, "conditions", {"seed": 7, "time_scale": 0.01, "drop": 0.5})
        past_the_door = [await cloud.ask(path, "PUT", {"drop": 1}) for path in ("/event-grid", "/state", "/")]

        fair = msgspec.to_builtins(FAIR)
        assert (at_first, twice) == (fair | {"duplicate": 1.0}, ["e-1", "e-1"])
        assert await cloud.conditions() == fair | {"seed": 7, "time_scale": 0.01, "drop": 0.5}
        assert set(past_the_door) <= {404, 405}

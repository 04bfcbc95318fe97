"""Queues in and out, through the SDK, against the local broker on a real socket with TLS."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from azure.servicebus import ServiceBusReceivedMessage

from localcloud import functions_keys
from localcloud.access import Issuer
from localcloud.functions_host.host_json import Extensions, HostJson, ServiceBus
from tests import emulator
from tests.localcloud.functions_host.queues import AUDIENCE, QUEUE_APP, Cloud, deliver, heard
from tests.localcloud.functions_host.test_host_process import process, until
from tests.waiting import so

pytestmark = pytest.mark.real


def bodies(messages: list[ServiceBusReceivedMessage]) -> list[str]:
    return [b"".join(message.body).decode() for message in messages]


async def test_what_a_function_sets_is_on_its_queues_when_the_event_is_acknowledged(cloud: Cloud) -> None:
    async with cloud.broker() as broker, cloud.host() as client:
        status, _ = await deliver(client, "command", {"first": {"a": 1}, "second": "plain"})

        assert status == 202
        assert (broker.counts("first").active, broker.counts("second").active) == (1, 1)
        (first,), (second,) = await cloud.sent("first", 1), await cloud.sent("second", 1)
    assert bodies([first, second]) == ['{"a": 1}', "plain"]
    assert first.content_type == "text/plain"


async def test_an_app_may_come_to_its_queues_with_a_key_and_without_tls(cloud: Cloud, tmp_path: Path) -> None:
    async with emulator.opened(tmp_path, cloud.queues) as there:
        environ = {"ServiceBus": there.connection}
        async with cloud.serve(cloud.app, environ=environ, credential=emulator.NoIdentity) as client:
            status, _ = await deliver(client, "command", {"first": {"a": 1}})

        assert (status, there.broker.counts("first").active) == (202, 1)


async def test_links_are_open_before_the_first_message(cloud: Cloud) -> None:
    async with cloud.broker(), cloud.host():
        await so(lambda: {("Send", "first"), ("Send", "second")} <= cloud.asked)


async def test_a_json_array_is_a_message_for_each_element(cloud: Cloud) -> None:
    async with cloud.broker(), cloud.host() as client:
        await deliver(client, "command", {"first": [{"a": 1}, "two"]})

        assert bodies(await cloud.sent("first", 2)) == ['{"a": 1}', "two"]


async def test_what_a_function_returns_can_go_out(cloud: Cloud) -> None:
    async with cloud.broker(), cloud.host() as client:
        await deliver(client, "reply", {"b": 2})

        assert bodies(await cloud.sent("first", 1)) == ['{"b": 2}']


async def test_a_function_that_fails_sends_nothing(cloud: Cloud) -> None:
    async with cloud.broker() as broker, cloud.host() as client:
        status, _ = await deliver(client, "command", {"first": {}, "fail": True})

        assert status == 500
        assert broker.counts("first").active == 0


async def test_a_message_that_cannot_be_sent_fails_the_call_and_no_other(cloud: Cloud) -> None:
    async with cloud.broker(), cloud.host() as client:
        status, text = await deliver(client, "lose", {})
        assert (status, text) == (500, "Exception while executing function: Functions.lose")

        assert (await deliver(client, "command", {"first": {}}))[0] == 202


async def test_many_events_at_once_send_each_message_once(cloud: Cloud) -> None:
    async with cloud.broker(), cloud.host() as client:
        status, _ = await deliver(client, "command", *({"first": number} for number in range(50)))

        assert status == 202
        assert sorted(map(int, bodies(await cloud.sent("first", 50)))) == list(range(50))


async def test_sending_works_again_once_the_broker_is_back(cloud: Cloud) -> None:
    async with cloud.broker() as broker:
        serving = cloud.host()
        client = await serving.__aenter__()
        assert (await deliver(client, "command", {"first": 1}))[0] == 202
    assert (await deliver(client, "command", {"first": 2}))[0] == 500

    async with cloud.broker() as broker:
        assert (await deliver(client, "command", {"first": 3}))[0] == 202

        assert broker.counts("first").active == 2
        await serving.__aexit__(None, None, None)


async def test_a_message_is_heard_with_its_metadata_and_completed(cloud: Cloud) -> None:
    async with cloud.broker() as broker, cloud.host() as client:
        await cloud.put(
            "binary",
            b'{"MessageId": "forged"}',
            message_id="m-1",
            subject="s",
            content_type="application/json",
            application_properties={"tenant": "blue", "n": 7},
        )

        assert await heard(client) == {
            "body": '{"MessageId": "forged"}',
            "message_id": "m-1",
            "delivery_count": 1,
            "properties": {"tenant": "blue", "n": 7},
            "content_type": "application/json",
            "subject": "s",
            "enqueued": True,
        }
    assert (broker.counts("binary").active, broker.counts("binary").locked) == (0, 0)


async def test_a_failure_brings_the_message_back_at_once_with_a_higher_count(cloud: Cloud) -> None:
    async with cloud.broker() as broker, cloud.host() as client:
        await cloud.put("binary", b"fail once", message_id="m-1")

        assert [(await heard(client))["delivery_count"] for _ in range(2)] == [1, 2]
    assert broker.counts("binary")[:3] == (0, 0, 0)


async def test_a_text_body_overwrites_the_metadata_as_it_does_in_azure(cloud: Cloud) -> None:
    async with cloud.broker(), cloud.host() as client:
        await cloud.put("text", json.dumps({"MessageId": "forged"}).encode(), message_id="m-1")

        assert (await heard(client))["message_id"] == "forged"


async def test_a_host_that_dies_with_a_message_in_hand_loses_nothing(cloud: Cloud) -> None:
    async with cloud.broker():
        await cloud.put("slow", b"precious")
        in_hand = asyncio.get_running_loop().create_future()
        dying = asyncio.create_task(hold(cloud, in_hand))
        async with asyncio.timeout(15):
            assert (await in_hand)["delivery_count"] == 1

            dying.cancel()
            await asyncio.wait([dying])

        async with cloud.host() as client:
            assert (await heard(client))["delivery_count"] == 2


async def test_a_batch_is_one_call_and_settled_together(cloud: Cloud) -> None:
    async with cloud.broker() as broker:
        for body in (b"fail once", b"second", b"third"):
            await cloud.put("batch", body, subject=body.decode())
        async with cloud.host() as client:
            first, again = (await heard(client))["batch"], (await heard(client))["batch"]

            assert [each["body"] for each in first] == ["fail once", "second", "third"]
            assert [each["subject"] for each in first] == ["fail once", "second", "third"]
            assert {each["delivery_count"] for each in first} == {1}
            assert {each["delivery_count"] for each in again} == {2}
        assert broker.counts("batch")[:3] == (0, 0, 0)


async def test_where_the_host_completes_nothing_the_lock_runs_out(cloud: Cloud) -> None:
    options = HostJson("2.0", extensions=Extensions(service_bus=ServiceBus(auto_complete_messages=False)))
    async with cloud.broker(), cloud.host(options=options) as client:
        await cloud.put("binary", b"kept")
        first = await heard(client)

        assert first["delivery_count"] == 1
    async with cloud.broker() as broker:
        assert sum(broker.counts("binary")[:2]) == 1


async def test_a_message_in_hand_comes_again_after_kill_9(
    cloud: Cloud, issuer: Issuer, tmp_path: Path, free_port: int
) -> None:
    async def give_token(_: web.Request) -> web.Response:
        token = issuer.token(AUDIENCE, datetime.now(UTC))
        return web.json_response(
            {"access_token": token, "expires_on": str(2**32), "resource": "", "token_type": "Bearer"}
        )

    functions_keys.ensure(tmp_path / "keys")
    identity = web.Application()
    identity.router.add_get("/", give_token)
    url = f"http://127.0.0.1:{free_port}"
    async with TestServer(identity) as server, cloud.broker(), ClientSession(url) as client, asyncio.timeout(50):
        await cloud.put("slow", b"precious")
        counts = list[int]()
        for _ in range(2):
            environ = cloud.environ() | {"IDENTITY_ENDPOINT": str(server.make_url("/")), "IDENTITY_HEADER": "h"}
            async with process(QUEUE_APP, tmp_path / "keys", free_port, environ=environ) as host:
                await until(host, "host.started")
                counts.append((await heard(client))["delivery_count"])

                host.kill()

        assert counts == [1, 2]


async def hold(cloud: Cloud, in_hand: asyncio.Future[dict[str, Any]]) -> None:
    async with cloud.host() as client:
        in_hand.set_result(await heard(client))
        await asyncio.Event().wait()

"""The unmodified SDK publishes, over TLS."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from azure.core import AsyncPipelineClient
from azure.core.credentials import AzureKeyCredential, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, HeadersPolicy
from azure.core.rest import HttpRequest
from azure.eventgrid import generate_sas
from azure.eventgrid.aio import EventGridPublisherClient

from localcloud.topology import Topology
from tests.localcloud.credential import Credential
from tests.localcloud.eventgrid.grid import CONFIRMED, KEYS, NOWHERE, PLACED, Cloud, Functions, Queues, Running, event
from tests.localcloud.eventgrid.hooks import hearing

pytestmark = pytest.mark.real

GOOD = {"specversion": "1.0", "id": "1", "source": "/s", "type": PLACED}


async def refused(client: EventGridPublisherClient, events: Any) -> tuple[type[Exception], int | None, dict[str, Any]]:
    async with client:
        with pytest.raises(HttpResponseError) as raised:
            await client.send(events)
    assert raised.value.response is not None
    error = json.loads(raised.value.response.text())["error"]
    assert error["details"] == [{"code": error["code"], "message": error["message"]}]
    return type(raised.value), raised.value.status_code, error


async def posted(running: Running, body: bytes, **options: Any) -> tuple[int, bytes]:
    """Past the SDK's client, as the identity `orders`; the answer's status and body."""
    token = await Credential(running.access.issuer, running.access.topology, "orders").get_token(
        "https://eventgrid.azure.net/.default"
    )
    headers = {"Authorization": f"Bearer {token.token}", "Content-Type": "application/cloudevents+json"}
    headers |= options.pop("headers", {})
    url = running.url + options.pop("path", "/orders/api/events?api-version=2018-01-01")
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=io.BytesIO(body), headers=headers, ssl=running.files.client_context()) as answer,
    ):
        return answer.status, await answer.read()


async def test_a_topics_name_has_no_case(running: Running, functions: Functions) -> None:
    async with running.topic("ORDERS") as topic:
        await topic.send(event(1))

    assert json.loads((await functions.next()).body)["id"] == "e-1"


async def test_one_event_or_many_reach_the_function_each_by_itself(running: Running, functions: Functions) -> None:
    async with running.topic("orders") as topic:
        await topic.send(event(1))
        await topic.send([event(2), event(3)])

        bodies = [json.loads((await functions.next()).body) for _ in range(3)]

    assert {body["id"]: body["data"] for body in bodies} == {f"e-{n}": {"number": n} for n in (1, 2, 3)}


async def test_an_event_that_is_a_dict_is_taken_as_it_is(running: Running, functions: Functions) -> None:
    published = {**GOOD, "traceparent": "00-1", "data": {"total": 12}}
    async with running.topic("orders") as topic:
        await topic.send([published])

    assert json.loads((await functions.next()).body) == published


async def test_bytes_sent_through_azure_cores_pipeline_arrive_unchanged(running: Running, functions: Functions) -> None:
    credential = Credential(running.access.issuer, running.access.topology, "orders")
    policies = [
        HeadersPolicy(),
        AsyncBearerTokenCredentialPolicy(credential, "https://eventgrid.azure.net/.default"),
    ]
    one = (
        b'{"specversion":"1.0","id":"1","source":"/s","type":"%s", "data": {"z": 1.50, "a":"\xc3\xbc"}}'
        % PLACED.encode()
    )
    client: AsyncPipelineClient[HttpRequest, Any] = AsyncPipelineClient(
        running.url, policies=policies, connection_verify=str(running.files.ca)
    )
    request = HttpRequest(
        "POST",
        f"{running.url}/orders/api/events",
        params={"api-version": "2018-01-01"},
        headers={"Content-Type": "application/cloudevents-batch+json; charset=utf-8"},
        content=b"[" + one + b"]",
    )
    async with client:
        answer = await client.send_request(request)

    assert (answer.status_code, answer.content) == (200, b"")
    assert (await functions.next()).body == one


async def test_a_single_event_in_structured_mode_is_taken(running: Running, functions: Functions) -> None:
    body = json.dumps(GOOD).encode()

    assert await posted(running, body) == (200, b"")
    assert (await functions.next()).body == body


async def test_events_go_to_those_who_subscribed_to_their_type(
    running: Running, functions: Functions, queues: Queues
) -> None:
    async with running.topic("orders") as topic:
        await topic.send([event(1, "store.orders.nobody-listens.v1"), event(2), event(3, CONFIRMED)])

        called = {((await functions.next()).function) for _ in range(3)}
        enqueued = await queues.next()

    assert called == {"process_order", "notify_customer", "take_payment"}
    assert (enqueued.queue, json.loads(enqueued.body)["id"]) == ("catalog", "e-3")
    heard = {state.name for state in running.grid.state() if state.pending + state.delivered}
    assert heard == {"process-order", "notify-customer", "take-payment", "orders-to-catalog"}


async def test_a_token_for_elsewhere_is_unauthorized(running: Running) -> None:
    elsewhere = EventGridPublisherClient(
        f"{running.url}/orders/api/events",
        Elsewhere(running.access.issuer, running.access.topology, "orders"),
        connection_verify=str(running.files.ca),
    )

    kind, status, error = await refused(elsewhere, event())

    assert (kind, status, error["code"]) == (ClientAuthenticationError, 401, "Unauthorized")


class Elsewhere(Credential):
    async def get_token(self, *_: str, **options: Any) -> Any:
        return await Credential.get_token(self, "https://vault.azure.net/.default", **options)


async def test_no_token_is_unauthorized(running: Running) -> None:
    status, _ = await posted(running, b"{}", headers={"Authorization": ""})

    assert status == 401


async def test_an_identity_without_the_role_is_forbidden(running: Running) -> None:
    _, status, error = await refused(running.topic("orders", "catalog"), event())

    assert (status, error["code"]) == (403, "Forbidden")
    assert "topics/orders" in error["message"]


async def test_an_unknown_topic_is_not_found(running: Running) -> None:
    async with running.topic("invoices") as topic:
        with pytest.raises(ResourceNotFoundError):
            await topic.send(event())

    status, body = await posted(running, b"", path="/invoices/api/events?api-version=2018-01-01")
    assert (status, json.loads(body)["error"]["code"]) == (404, "NotFound")


async def test_a_malformed_event_is_named_with_its_attribute_and_nothing_is_taken(running: Running) -> None:
    _, status, error = await refused(running.topic("orders"), [GOOD, GOOD | {"source": ""}])

    assert (status, error["code"]) == (400, "BadRequest")
    assert error["message"].startswith("Event 1: ")
    assert "source" in error["message"]
    assert running.state("process-order").pending == 0


async def test_events_in_event_grids_own_schema_are_refused(running: Running) -> None:
    _, status, error = await refused(running.topic("orders"), [{"eventType": PLACED, "id": "1"}])

    assert (status, "application/json" in error["message"]) == (400, True)


async def test_a_request_of_a_mebibyte_is_taken_and_one_byte_more_is_not(running: Running) -> None:
    frame = len(json.dumps({**GOOD, "data": ""}))
    full = json.dumps({**GOOD, "data": "x" * (1024 * 1024 - frame)}).encode()

    taken, _ = await posted(running, full)
    refused, error = await posted(running, full + b" ")

    assert (len(full), taken, refused) == (1024 * 1024, 200, 413)
    assert json.loads(error)["error"]["code"] == "RequestEntityTooLarge"


async def test_five_thousand_events_are_taken_and_one_more_is_not(running: Running) -> None:
    nobodys = {**GOOD, "type": "t"}
    async with running.topic("orders") as topic:
        await topic.send([nobodys] * 5_000)

    _, status, _ = await refused(running.topic("orders"), [nobodys] * 5_001)

    assert status == 413


@pytest.mark.parametrize("path", ["/orders/api/events", "/orders/api/events?api-version=2099-01-01"])
async def test_another_version_of_the_api_is_refused(running: Running, path: str) -> None:
    status, body = await posted(running, json.dumps(GOOD).encode(), path=path)

    assert (status, b"2018-01-01" in body) == (400, True)


async def test_another_path_is_not_found_and_says_so_in_azures_form(running: Running) -> None:
    status, body = await posted(running, b"", path="/")

    assert (status, json.loads(body)["error"]["code"]) == (404, "NotFound")


@pytest.mark.parametrize("key", KEYS["orders"])
async def test_the_topics_keys_and_signatures_made_with_them_open_it(
    running: Running, functions: Functions, key: str
) -> None:
    url, ca = f"{running.url}/orders/api/events", str(running.files.ca)
    signature = AzureSasCredential(generate_sas(url, key, datetime.now(UTC) + timedelta(hours=1)))
    for credential in (AzureKeyCredential(key), signature):
        async with EventGridPublisherClient(url, credential, connection_verify=ca) as topic:
            await topic.send(event(1))

        assert (await functions.next()).function == "process_order"


@pytest.mark.parametrize(
    "headers", [{"aeg-sas-key": "d3Jvbmc="}, {"aeg-sas-token": "r=1&e=2&s=3"}, {"aeg-sas-key": KEYS["orders"][0][:-1]}]
)
async def test_a_wrong_key_or_signature_is_unauthorized_though_a_token_is_there_too(
    running: Running, headers: dict[str, str]
) -> None:
    status, body = await posted(running, json.dumps(GOOD).encode(), headers=headers)

    assert (status, json.loads(body)["error"]["code"]) == (401, "Unauthorized")


async def test_an_event_in_binary_mode_is_taken(running: Running, functions: Functions) -> None:
    said = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/s",
        "ce-type": PLACED,
        "Content-Type": "application/json",
    }

    assert await posted(running, b'{"n": 1}', headers=said) == (200, b"")
    received = json.loads((await functions.next()).body)
    assert (received["id"], received["data"], received["datacontenttype"]) == ("1", {"n": 1}, "application/json")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_not_encoded_as_it_says_is_refused(running: Running, encoding: str) -> None:
    status, body = await posted(running, json.dumps(GOOD).encode(), headers={"Content-Encoding": encoding})

    assert (status, json.loads(body)["error"]["code"]) == (400, "BadRequest")


@pytest.mark.parametrize("operator", ["IsNotNull", "IsNullOrUndefined"])
async def test_data_that_is_nested_deep_breaks_nothing_where_filters_look_into_it(
    cloud: Cloud, store: Topology, operator: str
) -> None:
    wanted = {"to": {"queue": "orders"}, "filters": [{"operator": operator, "key": "data.a"}]}
    deep = json.dumps(GOOD).encode()[:-1] + b', "data": ' + b"[" * 900 + b"]" * 900 + b"}"
    async with replace(cloud, topology=hearing(store, wanted)).running(NOWHERE) as running:
        status, _ = await posted(running, deep)

    assert status in (200, 400)

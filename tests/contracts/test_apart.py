"""Producer and consumer apart, and one version apart, both ways: what one writes, the other reads."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jsonschema
import msgspec
import pytest

from deploy.contracts.conversation import kinds, reads, schema
from deploy.contracts.files import ROOT, released
from functions import api
from functions.connections import Connections
from libs.common.errors import Malformed, Unavailable
from libs.common.messages import CloudEvent, Command, Fact, Message, encode_command, encode_fact, read
from libs.common.messages.catalog import ProductCreated
from libs.common.messages.views import heard, uses, view
from localcloud import topology
from tests.contracts.examples import example, value
from tests.functions.surroundings import Owners, answers

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
READS = reads(topology.load(ROOT / "deploy" / "topology.yaml"))
HEARD = [(who, name) for who, messages in READS.items() for name in messages]
BEFORE = released()


def told(message: Message) -> CloudEvent:
    """What its owner puts on the wire."""
    if isinstance(message, Fact):
        return CloudEvent.decode(encode_fact(message, ""))
    assert isinstance(message, Command)
    return CloudEvent.decode(encode_command(message, "/functions/somebody", cause="e-1", at=NOON, traceparent=""))


def with_data(event: CloudEvent, data: Any) -> CloudEvent:
    return msgspec.structs.replace(event, data=msgspec.Raw(msgspec.json.encode(data)))


def deeper(data: Any) -> Any:
    """The same from a version to come: something new in each object."""
    if isinstance(data, dict):
        return {name: deeper(each) for name, each in data.items()} | {"from_the_future": {"a": [1]}}
    return [deeper(each) for each in data] if isinstance(data, list) else data


@pytest.mark.parametrize(("who", "name"), HEARD)
def test_a_consumer_reads_what_the_producer_writes(who: str, name: str) -> None:
    message = example(kinds()[name])

    seen = read(told(message), READS[who][name])

    assert all(getattr(seen, field) == getattr(message, field) for field in READS[who][name].__struct_fields__)


@pytest.mark.parametrize(("who", "name"), HEARD)
def test_a_consumer_needs_no_more_than_it_says(who: str, name: str) -> None:
    event, kind = told(example(kinds()[name])), READS[who][name]
    reduced = {
        field: each for field, each in msgspec.json.decode(event.data).items() if field in kind.__struct_fields__
    }

    assert read(with_data(event, reduced), kind) == read(event, kind)


@pytest.mark.parametrize(("who", "name"), HEARD)
def test_a_consumer_can_do_without_nothing_that_it_says(who: str, name: str) -> None:
    """Else it would say too much."""
    event, kind = told(example(kinds()[name])), READS[who][name]

    for field in msgspec.structs.fields(kind):
        rest = {key: each for key, each in msgspec.json.decode(event.data).items() if key != field.name}
        if field.required:
            with pytest.raises(Malformed, match=field.name):
                read(with_data(event, rest), kind)


@pytest.mark.parametrize(("who", "name"), HEARD)
def test_a_consumer_reads_a_producer_one_version_ahead(who: str, name: str) -> None:
    event, kind = told(example(kinds()[name])), READS[who][name]

    assert read(with_data(event, deeper(msgspec.json.decode(event.data))), kind) == read(event, kind)


@pytest.mark.parametrize(("who", "name"), [(who, name) for who, name in HEARD if name in BEFORE.messages])
def test_a_consumer_reads_a_producer_one_version_behind(who: str, name: str) -> None:
    """Its message is what the released schema says, and has none of what came since."""
    old = value(BEFORE.messages[name])

    assert read(with_data(told(example(kinds()[name])), old), READS[who][name])


@pytest.mark.parametrize("who", [who for who in BEFORE.consumers if who in READS])
def test_a_consumer_one_version_behind_reads_the_producer(who: str) -> None:
    for name, needed in BEFORE.consumers[who].items():
        data = msgspec.json.decode(told(example(kinds()[name])).data)
        jsonschema.Draft202012Validator(needed).validate(data)


def test_a_reaction_is_given_what_it_says_and_nothing_else() -> None:
    @uses("sku")
    def reaction() -> None: ...

    seen = read(told(example(ProductCreated)), heard(ProductCreated, reaction))

    assert seen.sku == "xxx"
    with pytest.raises(AttributeError):
        _ = seen.name
    assert heard(ProductCreated, len) is ProductCreated


def test_nobody_can_use_what_is_not_told() -> None:
    with pytest.raises(KeyError):
        view(ProductCreated, "colour")


# --- HTTP: what the functions ask of the services ----------------------------------------------------------------


def answered(kind: Any) -> Any:
    return value(schema(kind))


def served(name: str, document: Mapping[str, Any]) -> Any:
    """A body as the service's document says it, every field said."""
    for item in document["paths"].values():
        for operation in item.values():
            if operation["operationId"] == name.split()[1]:
                content = operation["responses"]["200"]["content"]["application/json"]["schema"]
                return value(content | {"$defs": document["components"]["schemas"]})
    raise AssertionError(f"{name} is not served")


@pytest.mark.parametrize("name", api.READS)
def test_the_functions_read_the_answers_of_the_version_before(name: str) -> None:
    body = served(name, BEFORE.http[name.partition(" ")[0]])

    assert msgspec.convert(body, api.READS[name])


@pytest.mark.parametrize("name", api.READS)
def test_the_functions_need_no_more_of_an_answer_than_they_say(name: str) -> None:
    reduced = answered(api.READS[name])

    assert msgspec.convert(reduced, api.READS[name]) == msgspec.convert(deeper(reduced), api.READS[name])


async def test_the_functions_read_answers_one_version_ahead_over_http(to: Connections, owners: Owners) -> None:
    body = deeper(answered(api.Customer))
    owners.customer = answers(body)

    assert await api.customer(to, UUID(int=1), "Bearer x") == example(api.Customer)
    del body["email"]
    with pytest.raises(Unavailable):
        await api.customer(to, UUID(int=1), "Bearer x")

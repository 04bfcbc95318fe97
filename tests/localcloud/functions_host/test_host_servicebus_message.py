"""A body as the host reads it, and an output as the host splits it."""

import json

import pytest
from azure.functions.meta import Datum
from hypothesis import given
from hypothesis import strategies as st

from localcloud.functions_host import servicebus_message
from localcloud.functions_host.bindings import ServiceBusTrigger

TEXT = ServiceBusTrigger("message", "IN", connection="ServiceBus", queue_name="q")
BINARY = ServiceBusTrigger("message", "IN", "BINARY", connection="ServiceBus", queue_name="q")


def sent(datum: Datum) -> list[bytes]:
    return [b"".join(message.body) for message in servicebus_message.outgoing(datum)]


def test_a_binary_body_stays_as_it_came_and_adds_no_metadata() -> None:
    data, merged = servicebus_message.body(BINARY, b'{"MessageId": "forged"}')

    assert (data.type, data.value, merged) == ("bytes", b'{"MessageId": "forged"}', {})


def test_a_text_body_overwrites_metadata_with_its_properties() -> None:
    body = {"MessageId": "m", "n": 7, "yes": True, "nothing": None, "list": [1], "object": {"a": 1}}

    data, merged = servicebus_message.body(TEXT, json.dumps(body).encode())

    assert data.type == "string"
    assert {name: (each.type, each.value) for name, each in merged.items()} == {
        "MessageId": ("string", "m"),
        "n": ("string", "7"),
        "yes": ("string", "True"),
        "object": ("json", '{"a":1}'),
    }


@pytest.mark.parametrize("content", [b"plain", b"[1]", b"7", b"", b'{"a":' * 100_000])
def test_a_text_body_that_is_no_object_adds_no_metadata(content: bytes) -> None:
    data, merged = servicebus_message.body(TEXT, content)

    assert (data.type, merged) == ("string", {})


def test_a_body_that_is_no_text_stays_bytes() -> None:
    assert servicebus_message.body(TEXT, b"\xff")[0].type == "bytes"


@pytest.mark.parametrize(
    ("value", "bodies"),
    [
        ("plain", [b"plain"]),
        ('{"a": [1, 2]}', [b'{"a": [1, 2]}']),
        ('[{"a": 1}, "text", 7]', [b'{"a": 1}', b"text", b"7"]),
        (' ["a"]', [b"a"]),
        ("[]", []),
        ("[not json", [b"[not json"]),
        ("", [b""]),
    ],
)
def test_text_that_is_an_array_goes_out_as_its_elements(value: str, bodies: list[bytes]) -> None:
    assert sent(Datum(value, "string")) == bodies


def test_bytes_go_out_as_they_are() -> None:
    assert sent(Datum(b"[1, 2]", "bytes")) == [b"[1, 2]"]


def test_messages_are_labelled_as_the_real_host_labels_them() -> None:
    (message,) = servicebus_message.outgoing(Datum("{}", "string"))

    assert message.content_type == "text/plain"


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_a_list_of_texts_arrives_as_these_texts(texts: list[str]) -> None:
    assert sent(Datum(json.dumps(texts), "string")) == [text.encode() for text in texts]

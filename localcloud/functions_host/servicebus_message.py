"""A Service Bus message as the host hands it to a function, and a function's output as messages."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import msgspec
from azure.functions.meta import Datum
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType
from msgspec import Raw

from localcloud.functions_host.bindings import ServiceBusTrigger
from localcloud.functions_host.invocation import Call

CONTENT_TYPE = "text/plain"  # what the host says of every string, whatever is in it

# The host's name for what the SDK calls by its own.
_TEXTS = {
    "MessageId": "message_id",
    "CorrelationId": "correlation_id",
    "ContentType": "content_type",
    "Subject": "subject",
    "Label": "subject",
    "To": "to",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_session_id",
    "SessionId": "session_id",
    "PartitionKey": "partition_key",
    "LockToken": "lock_token",
    "DeadLetterSource": "dead_letter_source",
    "DeadLetterReason": "dead_letter_reason",
    "DeadLetterErrorDescription": "dead_letter_error_description",
}
_OTHERS = {
    "SequenceNumber": "sequence_number",
    "EnqueuedSequenceNumber": "enqueued_sequence_number",
    "EnqueuedTimeUtc": "enqueued_time_utc",
    "ScheduledEnqueueTimeUtc": "scheduled_enqueue_time_utc",
    "ExpiresAtUtc": "expires_at_utc",
    "LockedUntil": "locked_until_utc",
}
_COUNTED = ("DeliveryCount", "ApplicationProperties", "UserProperties")


class Unreadable(Exception):
    """The message has an AMQP value or sequence for a body, which a function cannot get."""


def call(trigger: ServiceBusTrigger, messages: Sequence[ServiceBusReceivedMessage]) -> Call:
    """Of one, or of a batch where the trigger asks for many. Raises Unreadable."""
    for message in messages:
        if message.body_type is not AmqpMessageBodyType.DATA:
            raise Unreadable(str(message.body_type))
    if trigger.cardinality == "MANY":
        return _batch(trigger, messages)
    message = messages[0]
    properties = _application_properties(message)
    data, merged = body(trigger, b"".join(message.body))
    return Call(data, _metadata(message, properties) | merged, _traceparent(properties))


def _batch(trigger: ServiceBusTrigger, messages: Sequence[ServiceBusReceivedMessage]) -> Call:
    """The bodies as one collection; the metadata as an array for each name, with nothing merged into it."""
    contents = [b"".join(message.body) for message in messages]
    properties = [_application_properties(message) for message in messages]
    about = [_texts(each) | _others(each, own) for each, own in zip(messages, properties, strict=True)]
    metadata = {f"{name}Array": _json([each.get(name) for each in about]) for name in (*_TEXTS, *_OTHERS, *_COUNTED)}
    return Call(_collection(trigger, contents), metadata, _traceparent(properties[0]))


def _collection(trigger: ServiceBusTrigger, contents: list[bytes]) -> Datum:
    if trigger.data_type != "BINARY":
        with suppress(UnicodeDecodeError):
            return Datum(SimpleNamespace(string=[each.decode() for each in contents]), "collection_string")
    return Datum(SimpleNamespace(bytes=contents), "collection_bytes")


def _traceparent(properties: Mapping[str, Any]) -> str:
    return str(properties.get("traceparent") or properties.get("Diagnostic-Id") or "")


def body(trigger: ServiceBusTrigger, content: bytes) -> tuple[Datum, dict[str, Datum]]:
    """The body, and what of it the host takes for metadata.

    Unless the trigger asks for BINARY, the top-level properties of a JSON body overwrite the message's own
    `MessageId`, `CorrelationId`, `Subject`, … (Utility.ApplyBindingData in the host).
    """
    if trigger.data_type == "BINARY":
        return Datum(content, "bytes"), {}
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Datum(content, "bytes"), {}
    return Datum(text, "string"), _binding_data(text)


def _binding_data(text: str) -> dict[str, Datum]:
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    properties = content if isinstance(content, dict) else {}
    return {
        name: _json(value) if isinstance(value, dict) else Datum(str(value), "string")
        for name, value in properties.items()
        if value is not None and not isinstance(value, list)
    }


def _metadata(message: ServiceBusReceivedMessage, properties: Mapping[str, Any]) -> dict[str, Datum]:
    """What is absent is left out: a JSON null breaks the converter's dates."""
    texts, others = _texts(message), _others(message, properties)
    return {name: Datum(value, "string") for name, value in texts.items()} | {
        name: _json(value) for name, value in others.items()
    }


def _texts(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    said = {name: getattr(message, attribute) for name, attribute in _TEXTS.items()}
    return {name: str(value) for name, value in said.items() if value is not None}


def _others(message: ServiceBusReceivedMessage, properties: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: getattr(message, attribute) for name, attribute in _OTHERS.items()} | {
        "DeliveryCount": (message.delivery_count or 0) + 1,  # the Python SDK counts from 0, the host from 1
        "ApplicationProperties": properties,
        "UserProperties": properties,  # by this one the converter knows a single message from a batch
    }
    return {name: value for name, value in said.items() if value is not None}


def _application_properties(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    return {_text(name): _text(value) for name, value in (message.application_properties or {}).items()}


def _text(value: Any) -> Any:
    """The SDK leaves strings as the bytes that came."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _json(value: Any) -> Datum:
    return Datum(msgspec.json.encode(value).decode(), "json")


def outgoing(datum: Datum) -> list[ServiceBusMessage]:
    """One message; but text that is a JSON array becomes one for each of its elements, as in the host."""
    bodies = [datum.value]
    if datum.type == "string" and datum.value.lstrip().startswith("["):
        with suppress(msgspec.DecodeError):  # it may only look like one
            bodies = [_element(each) for each in msgspec.json.decode(datum.value, type=list[Raw])]
    return [ServiceBusMessage(each, content_type=CONTENT_TYPE) for each in bodies]


def _element(element: Raw) -> str | bytes:
    return msgspec.json.decode(element, type=str) if bytes(element).startswith(b'"') else bytes(element)

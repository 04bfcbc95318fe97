"""What a call-back does: signed as docs/payments.md says it is news for orders, else it is nothing."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import azure.functions as func
import pytest

from functions.payment_callback import payment_callback
from libs.common.clock import now
from libs.common.messages import read
from libs.common.messages.orders import RecordPayment
from localcloud.payments.callbacks import sign
from tests.functions.surroundings import KEY, ORDER, TRACE_ID, TRACEPARENT, Queue

Queues = dict[str, Queue]

SAID: dict[str, Any] = {
    "id": "c-1",
    "order_id": str(ORDER),
    "status": "authorised",
    "amount": 34800,
    "currency": "EUR",
    "at": "2026-06-01T12:00:00+00:00",
}


def calls(
    body: bytes | None = None, *, age: float = 0, key: str = KEY, headers: Mapping[str, str] = {}
) -> func.HttpRequest:
    content = json.dumps(SAID).encode() if body is None else body
    told = str(int((now() - timedelta(seconds=age)).timestamp()))
    signed = {"payment-timestamp": told, "payment-signature": signature(content, told, key), "traceparent": TRACEPARENT}
    return func.HttpRequest("POST", "https://store/api/payment-callback", headers=signed | dict(headers), body=content)


def signature(body: bytes, told: str, key: str) -> str:
    """By the book: neither our own code nor the simulated provider's."""
    return hmac.new(key.encode(), told.encode() + b"." + body, hashlib.sha256).hexdigest()


def test_the_simulated_provider_signs_by_the_book() -> None:
    assert sign(b"{}", "1700000000", KEY) == signature(b"{}", "1700000000", KEY)


def test_what_is_signed_is_told_to_orders(queues: Queues) -> None:
    answer = payment_callback(calls(), queues, KEY)

    assert answer.status_code == 202
    (command,) = queues["orders"].sent
    assert read(command, RecordPayment) == RecordPayment(order_id=ORDER, outcome="authorised", amount=34800)
    assert (command.source, command.time) == ("/functions/payment_callback", "2026-06-01T12:00:00+00:00")
    assert command.traceparent.split("-")[1] == TRACE_ID


def test_a_repeat_is_the_same_command(queues: Queues) -> None:
    for _ in range(3):
        payment_callback(calls(), queues, KEY)

    assert len({(command.id, bytes(command.data)) for command in queues["orders"].sent}) == 1


@pytest.mark.parametrize("other", [{"status": "captured"}, {"amount": 1}, {"order_id": str(UUID(int=9))}])
def test_other_news_under_the_same_id_is_not_taken_for_a_repeat(queues: Queues, other: dict[str, Any]) -> None:
    payment_callback(calls(), queues, KEY)
    payment_callback(calls(json.dumps(SAID | other).encode()), queues, KEY)

    assert len({command.id for command in queues["orders"].sent}) == 2


def test_a_decline_is_told_with_its_reason(queues: Queues) -> None:
    payment_callback(calls(json.dumps(SAID | {"status": "declined", "reason": "no money"}).encode()), queues, KEY)

    (command,) = queues["orders"].sent
    assert (read(command, RecordPayment).outcome, read(command, RecordPayment).reason) == ("declined", "no money")


def test_what_is_pending_is_no_news(queues: Queues) -> None:
    answer = payment_callback(calls(json.dumps(SAID | {"status": "pending"}).encode()), queues, KEY)

    assert (answer.status_code, queues["orders"].sent) == (202, [])


# What differs from a good one; made when it is sent, for its time is now.
UNSIGNED: dict[str, dict[str, Any]] = {
    "by another key": {"key": "another"},
    "without a signature": {"headers": {"payment-signature": ""}},
    "with another time": {"headers": {"payment-timestamp": "1700000000"}},
    "without a time": {"headers": {"payment-timestamp": ""}},
    "with what is no hash": {"headers": {"payment-signature": "ü\udcff"}},
    "with what is no time": {"headers": {"payment-timestamp": "\udcff"}},
    "of long ago": {"age": 310},
    "of tomorrow": {"age": -310},
    "of no time": {
        "headers": {"payment-timestamp": "x", "payment-signature": signature(json.dumps(SAID).encode(), "x", KEY)}
    },
}


@pytest.mark.parametrize("flaw", UNSIGNED.values(), ids=UNSIGNED.keys())
def test_what_is_not_signed_now_by_who_knows_the_key_is_refused(queues: Queues, flaw: dict[str, Any]) -> None:
    answer = payment_callback(calls(**flaw), queues, KEY)

    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert queues["orders"].sent == []


def test_clocks_may_differ_by_some_minutes(queues: Queues) -> None:
    assert [payment_callback(calls(age=age), queues, KEY).status_code for age in (290, -290)] == [202, 202]


def test_a_body_that_was_changed_on_the_way_is_refused(queues: Queues) -> None:
    signed = calls()
    forged = func.HttpRequest(
        "POST", signed.url, headers=signed.headers, body=signed.get_body().replace(b"34800", b"00001")
    )

    assert payment_callback(forged, queues, KEY).status_code == 401
    assert queues["orders"].sent == []


MALFORMED = {
    "no JSON": b"{",
    "no UTF-8": b'{"id": "\xff"}',
    "too deep": b"[" * 60_000,
    "nothing": b"",
    "another status": json.dumps(SAID | {"status": "frozen"}).encode(),
    "no id": json.dumps({key: value for key, value in SAID.items() if key != "id"}).encode(),
    "a negative amount": json.dumps(SAID | {"amount": -1}).encode(),
    "a time without a zone": json.dumps(SAID | {"at": "2026-06-01T12:00:00"}).encode(),
    "a long reason": json.dumps(SAID | {"reason": "x" * 1001}).encode(),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_signed_and_can_not_be_read_is_refused(queues: Queues, body: bytes) -> None:
    answer = payment_callback(calls(body), queues, KEY)

    assert (answer.status_code, queues["orders"].sent) == (400, [])


def test_what_is_too_large_is_refused_before_it_is_hashed(queues: Queues) -> None:
    assert payment_callback(calls(b"x" * 70_000), queues, KEY).status_code == 413

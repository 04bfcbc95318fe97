"""What is shown of a dead letter, and which are meant."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.dead_letters.__main__ import parsed
from deploy.dead_letters.letters import MOST_CHARACTERS, Content, DeadLetter, Wanted, lines, read
from libs.common.messages import encode_command, encode_fact
from libs.common.messages.customers import CustomerErased
from libs.common.messages.orders import RecordPayment, RejectOrder
from localcloud.topology import Topology

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ORDER = UUID(int=7)


def letter(**content: str) -> DeadLetter:
    return DeadLetter("queue orders", NOON, 5, "KeyError", "'a defect'", Content(**content), (1,))


def test_a_command_is_shown_with_its_order_and_without_what_people_wrote() -> None:
    command = RejectOrder(order_id=ORDER, reason="Ada Lovelace moved to 12 St James's Square")
    body = encode_command(command, "/functions/process_order", cause="c", at=NOON, traceparent="")

    content = read(body)

    assert (content.id, content.type) == (str(command.id("c")), "store.orders.reject-order.v1")
    assert content.order_id == str(ORDER)
    assert content.gist == f"{{order_id: {ORDER}, reason: <42 characters>}}"


def test_of_a_fact_that_is_about_no_order_none_is_shown() -> None:
    fact = CustomerErased(customer_id=UUID(int=1), version=2, at=NOON)

    content = read(encode_fact(fact, ""))

    assert (content.order_id, content.type) == ("", "store.customers.customer-erased.v1")
    assert content.gist == "{version: 2, at: 2026-06-01T12:00:00Z, customer_id: 00000000-0000-0000-0000-000000000001}"


def test_what_is_no_message_is_shown_by_its_size_under_its_message_id() -> None:
    assert read(b"\xff rubbish of Ada's", "m-1") == Content("m-1", gist="no CloudEvent, 18 bytes")


def test_the_lines_say_where_when_why_and_how_often() -> None:
    shown = list(lines(letter(id="e-1", type="t.v1", order_id="o-1", gist="{amount: 5}")))

    assert shown == [
        "  e-1   t.v1   order o-1",
        "      2026-06-01 12:00:00 UTC, 5 deliveries; KeyError: 'a defect'",
        "      {amount: 5}",
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=20,
)


@given(st.text(), st.text(), st.text(), json_values)
def test_nothing_in_a_message_can_move_or_colour_a_terminal(id_: str, kind: str, subject: str, data: Any) -> None:
    event = {"specversion": "1.0", "id": id_, "source": "/s", "type": kind, "time": "", "subject": subject}

    shown = list(lines(letter_of(json.dumps(event | {"data": data}).encode())))

    assert all(line.isprintable() and len(line) < 3 * MOST_CHARACTERS + 40 for line in shown)


@given(st.binary(max_size=60))
def test_whatever_bytes_they_are_they_can_be_shown(body: bytes) -> None:
    assert all(line.isprintable() for line in lines(letter_of(body)))


def letter_of(body: bytes) -> DeadLetter:
    return DeadLetter("queue orders", None, 1, "R\x1b[31m", "", read(body, "\x1b]0;m\x07"), (1,))


@pytest.mark.parametrize(
    ("wanted", "has"),
    [
        (Wanted(1), True),
        (Wanted(1, ids=frozenset({"e-1"})), True),
        (Wanted(1, ids=frozenset({"e-2"})), False),
        (Wanted(1, types=("*record-payment*",)), True),
        (Wanted(1, types=("x", "store.orders.record-payment.v1")), True),
        (Wanted(1, types=("record-payment",)), False),
        (Wanted(1, reasons=("Key*",)), True),
        (Wanted(1, ids=frozenset({"e-1"}), reasons=("Malformed",)), False),
    ],
)
def test_what_is_said_leaves_out_what_it_does_not_fit(wanted: Wanted, has: bool) -> None:
    assert wanted.has(letter(id="e-1", type=RecordPayment.type)) is has


def test_who_says_a_queue_means_no_subscription_and_the_other_way_round() -> None:
    queue, subscription = Wanted(1, queues=frozenset({"a"})), Wanted(1, subscriptions=frozenset({"s"}))

    assert (queue.queues_of("ab"), queue.subscriptions_of("st")) == (["a"], [])
    assert (subscription.queues_of("ab"), subscription.subscriptions_of("st")) == ([], ["s"])
    assert (Wanted(1).queues_of("ab"), Wanted(1).subscriptions_of("st")) == (["a", "b"], ["s", "t"])


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "replay",
        "replay --yes",
        "replay --all --id x",
        "replay --queue nowhere",
        "list --subscription nowhere",
        "list --limit 0",
        "list --limit 1001",
        "list --limit -1",
    ],
)
def test_what_is_not_said_clearly_is_not_done(
    arguments: str, store: Topology, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed(arguments.split(), store)

    assert "usage: python -m deploy.dead_letters" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", ["list", "replay --all", "replay --id x", "replay --reason *"])
def test_nothing_is_sent_by_who_does_not_say_yes(arguments: str, store: Topology) -> None:
    assert not getattr(parsed(arguments.split(), store), "yes", False)

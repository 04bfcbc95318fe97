"""An order that was placed becomes one command."""

from dataclasses import replace

import aiohttp
import pytest

from functions.connections import Connections
from functions.process_order import flaw_of, process_order
from libs.common.errors import Malformed, StoreError, Unavailable
from libs.common.messages import encode_fact, read
from libs.common.messages.catalog import ReservedLine, ReserveStock
from libs.common.messages.orders import OrderedLine, RejectOrder
from tests.functions.surroundings import (
    ADA,
    DESK,
    LAMP,
    LINES,
    ORDER,
    PROFILE,
    TRACE_ID,
    TRACEPARENT,
    TRANSIENT,
    Credential,
    Owners,
    Queue,
    answers,
    arrived,
    arrived_bytes,
    is_silent,
    placed,
    refuses,
)

Queues = dict[str, Queue]


async def test_the_stock_of_a_good_order_is_reserved(queues: Queues, to: Connections) -> None:
    await process_order(arrived(placed()), queues, to)

    (command,) = queues["catalog"].sent
    assert (command.type, command.source) == (ReserveStock.type, "/functions/process_order")
    assert read(command, ReserveStock) == ReserveStock(
        order_id=ORDER,
        lines=[ReservedLine(product_id=LAMP, quantity=2), ReservedLine(product_id=DESK, quantity=1)],
    )
    assert queues["orders"].sent == []


async def test_the_owner_is_asked_with_our_own_token_and_the_trace(
    queues: Queues, to: Connections, owners: Owners, credential: Credential
) -> None:
    await process_order(arrived(placed()), queues, to)

    (asked,) = owners.asked
    assert asked.path == f"/api/customers/{ADA}"
    assert asked.headers["Authorization"] == "Bearer ours"
    assert credential.scopes == ["api://store/.default"]
    (command,) = queues["catalog"].sent
    assert asked.headers["traceparent"] == command.traceparent
    assert command.traceparent.split("-")[1] == TRACE_ID
    assert command.traceparent != TRACEPARENT


async def test_a_repeat_is_the_same_command(queues: Queues, to: Connections) -> None:
    for _ in range(2):
        await process_order(arrived(placed()), queues, to)

    first, second = queues["catalog"].sent
    assert (first.id, first.time, bytes(first.data)) == (second.id, second.time, bytes(second.data))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refuses(404), "the customer is not registered"),
        (answers(PROFILE | {"status": "blocked"}), "the customer's account is blocked"),
    ],
)
async def test_an_order_of_somebody_who_may_not_order_is_rejected(
    queues: Queues, to: Connections, owners: Owners, answer: object, reason: str
) -> None:
    owners.customer = answer  # type: ignore[assignment]

    await process_order(arrived(placed()), queues, to)

    (command,) = queues["orders"].sent
    assert read(command, RejectOrder) == RejectOrder(order_id=ORDER, reason=reason)
    assert queues["catalog"].sent == []


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT.keys())
async def test_while_the_owner_can_not_say_the_event_is_tried_again_and_no_order_is_rejected(
    queues: Queues, to: Connections, owners: Owners, answer: object
) -> None:
    owners.customer = answer  # type: ignore[assignment]

    with pytest.raises(StoreError) as failure:
        await process_order(arrived(placed()), queues, to)

    assert "ada@" not in str(failure.value)
    assert [queue.sent for queue in queues.values()] == [[], []]


async def test_while_nobody_listens_there_the_event_is_tried_again(
    queues: Queues, to: Connections, unused_tcp_port: int
) -> None:
    gone = replace(to, settings=replace(to.settings, customers_url=f"http://127.0.0.1:{unused_tcp_port}"))

    with pytest.raises(Unavailable):
        await process_order(arrived(placed()), queues, gone)


async def test_while_the_owner_is_silent_the_event_is_tried_again(
    queues: Queues, to: Connections, owners: Owners
) -> None:
    owners.customer = is_silent
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.1)) as impatient:
        with pytest.raises(Unavailable):
            await process_order(arrived(placed()), queues, replace(to, session=impatient))

    assert [queue.sent for queue in queues.values()] == [[], []]


async def test_while_there_is_no_token_the_event_is_tried_again(
    queues: Queues, to: Connections, credential: Credential, owners: Owners
) -> None:
    credential.away = True

    with pytest.raises(Unavailable):
        await process_order(arrived(placed()), queues, to)

    assert owners.asked == []


async def test_what_can_not_be_read_fails_so_that_it_becomes_a_dead_letter(queues: Queues, to: Connections) -> None:
    body = encode_fact(placed(), TRACEPARENT)

    for poison in (
        body.replace(b'"quantity":2', b'"quantity":"two"'),
        body.replace(str(ORDER).encode() + b'","customer', b'1","customer'),
        body.replace(b'"total":34800', b'"total":1e999'),
        body.replace(b"order-placed", b"order-eaten"),
        body.replace(b'"data":{', b'"data":[],"more":{'),
    ):
        assert poison != body
        with pytest.raises(Malformed):
            await process_order(arrived_bytes(poison), queues, to)

    assert [queue.sent for queue in queues.values()] == [[], []]


def line(quantity: int = 1, price: int = 100) -> OrderedLine:
    return OrderedLine(product_id=LAMP, sku="LAMP", name="Lamp", price=price, quantity=quantity)


@pytest.mark.parametrize(
    ("lines", "total", "flaw"),
    [
        ([], 0, "an order has 1 to 50 lines"),
        ([line()] * 51, 5100, "an order has 1 to 50 lines"),
        ([line(quantity=0)], 0, "Lamp: 1 to 999 pieces can be ordered"),
        ([line(quantity=-1)], -100, "Lamp: 1 to 999 pieces can be ordered"),
        ([line(quantity=1000)], 100_000, "Lamp: 1 to 999 pieces can be ordered"),
        ([line(price=-1)], -1, "Lamp: the price is below zero"),
        ([line()], 99, "the total is not the sum of the lines"),
        ([line(price=10_000_001)], 10_000_001, "the order is worth more than we sell at once"),
        ([line(price=2**63)], 2**63, "the order is worth more than we sell at once"),
        ([line(price=10_000_000)], 10_000_000, ""),
        ([line(quantity=999, price=0)], 0, ""),
        ([line()] * 50, 5000, ""),
    ],
)
def test_an_order_has_lines_quantities_and_a_total_within_the_limits(
    lines: list[OrderedLine], total: int, flaw: str
) -> None:
    assert flaw_of(placed(lines, total)) == flaw


async def test_a_flawed_order_is_rejected_whoever_placed_it(queues: Queues, to: Connections, owners: Owners) -> None:
    await process_order(arrived(placed(LINES, total=1)), queues, to)

    assert len(queues["orders"].sent) == 1
    assert owners.asked == []

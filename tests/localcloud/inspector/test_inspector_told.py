"""What the inspector tells of other processes: functions and their calls, and the ways of orders."""

import pytest

from localcloud.inspector import orders
from tests.localcloud.inspector.cloud import CALLS, ORDER, TRACE, Cloud, write_a_story

EVENT = {"specversion": "1.0", "id": "e-1", "source": "/me", "type": "store.catalog.stock-reserved.v1"}


async def test_functions_and_their_last_calls_are_told_by_their_host(cloud: Cloud) -> None:
    functions = (await cloud.overview())["functions"]

    good = {"at": "2026-06-01T12:00:00Z", "ok": True, "milliseconds": 12.5, "trace": TRACE}
    bad = {"at": "2026-06-01T12:00:00Z", "ok": False, "milliseconds": 1.0, "error": "ValueError: no"}
    known = {"name": "process_order", "trigger": "eventGridTrigger", "calls": [good, bad]}
    assert functions == {"answers": True, "known": [known]}


async def test_of_many_calls_the_last_are_shown(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [CALLS[0] | {"duration_ms": number} for number in range(50)]
    monkeypatch.setitem(cloud.host.told, "calls", [{"function": "process_order", "calls": many}])

    (known,) = (await cloud.overview())["functions"]["known"]

    assert [each["milliseconds"] for each in known["calls"]] == [0, 1, 2, 3, 4]


async def test_a_host_that_tells_no_calls_is_not_said_to_have_had_none(cloud: Cloud) -> None:
    del cloud.host.told["calls"]

    functions = (await cloud.overview())["functions"]

    assert [(each["name"], each["calls"]) for each in functions["known"]] == [("process_order", None)]


async def test_while_the_host_is_away_nothing_is_known_of_its_functions(cloud: Cloud) -> None:
    write_a_story(cloud.logs)
    (cloud.inspector.sources.host.keys / "host.master").write_text("another")

    assert (await cloud.overview())["functions"] == {"answers": False, "known": []}


async def test_of_a_long_log_only_the_end_is_read(cloud: Cloud) -> None:
    write_a_story(cloud.logs)
    (order,) = (await cloud.ask("/api/orders")).body
    with (cloud.logs / "orders.log").open("a") as written:
        written.write("x" * orders.TAIL_BYTES)

    assert (order["order"], (await cloud.ask("/api/orders")).body) == (ORDER, [])


@pytest.mark.parametrize("asked", [ORDER, ORDER.upper(), TRACE])
async def test_an_orders_way_is_found_by_its_id_or_its_trace(cloud: Cloud, asked: str) -> None:
    write_a_story(cloud.logs)

    way = (await cloud.ask(f"/api/orders/{asked}")).body

    went = {(step["of"], step["by"], step["who"]) for step in way["steps"]}
    assert way["traces"] == [TRACE]
    assert went == {
        ("customer", "HTTP", "orders"),
        ("orders", "Event Grid", "process_order"),
        ("process_order", "Service Bus", "catalog"),
        ("orders", "Event Grid", "notify_customer"),
    }


async def test_orders_that_came_in_lately_are_listed(cloud: Cloud) -> None:
    assert (await cloud.ask("/api/orders")).body == []
    write_a_story(cloud.logs)

    (recent,) = (await cloud.ask("/api/orders")).body

    assert recent == {"at": "2026-06-01T12:00:00Z", "trace": TRACE, "order": ORDER, "status": 202}


async def test_of_an_unknown_order_nothing_is_told(cloud: Cloud) -> None:
    write_a_story(cloud.logs)

    assert (await cloud.ask(f"/api/orders/{ORDER.replace('0', '1')}")).body["steps"] == []
    assert (await cloud.ask("/api/orders/..%2F..%2Fetc")).status == 404

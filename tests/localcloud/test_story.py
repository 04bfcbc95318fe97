"""An order's story, told from the logs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from libs.common.messages import Message, catalog, customers, orders
from localcloud import story

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def write(log: Path, *lines: Any) -> None:
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))


def line(seconds: float, event: str, trace_id: str = TRACE, **more: str) -> dict[str, str]:
    return {"event": event, "timestamp": (NOON + timedelta(seconds=seconds)).isoformat(), "trace_id": trace_id} | more


def test_the_steps_of_all_logs_stand_in_the_order_of_time(tmp_path: Path) -> None:
    write(tmp_path / "orders.log", line(0, "request.answered", method="POST", path="/api/orders"), line(9, "x"))
    examined = line(1, "order.examined", because="order-placed", answer="ReserveStock")
    write(tmp_path / "functions.log", examined, line(4, "letter.posted", because="order-confirmed"))
    write(tmp_path / "catalog.log", line(2, "message.handled", type="store.catalog.reserve-stock.v1"))

    steps = story.read(tmp_path, TRACE)

    assert [step.who for step in steps] == ["orders", "process_order", "catalog", "notify_customer"]
    assert steps[1].what.endswith("ReserveStock")
    assert not story.complete(steps)


def test_another_orders_lines_are_not_told(tmp_path: Path) -> None:
    write(tmp_path / "functions.log", line(1, "letter.posted", because="order-confirmed", trace_id="another"))

    assert story.read(tmp_path, TRACE) == []


ENDS: dict[str, list[dict[str, str]]] = {
    "paid": [
        line(2, "message.handled", type="store.orders.order-confirmed.v1"),
        line(3, "payment.answered", because="payment-requested", status="authorised"),
        line(4, "message.handled", type="store.orders.record-payment.v1"),
        line(5, "payment.answered", because="order-confirmed", status="captured"),
        line(6, "message.handled", type="store.orders.record-payment.v1"),
    ],
    "free": [
        line(2, "message.handled", type="store.orders.order-confirmed.v1"),
        line(3, "payment.not_needed", because="order-confirmed"),
    ],
    "rejected": [
        line(2, "message.handled", type="store.orders.order-rejected.v1"),
        line(3, "payment.not_needed", because="order-rejected"),
    ],
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_it_is_complete_when_the_letter_is_noted_and_stock_and_payment_are_settled(
    tmp_path: Path, end: list[dict[str, str]]
) -> None:
    letter = line(9, "message.handled", type="store.orders.record-letter.v1")
    write(tmp_path / "functions.log", line(8, "letter.posted", because="order-confirmed"), letter, *end)

    assert story.complete(story.read(tmp_path, TRACE))

    for missing in (letter, end[0], end[-1]):
        write(tmp_path / "functions.log", *(each for each in [letter, *end] if each is not missing))
        assert not story.complete(story.read(tmp_path, TRACE))


def test_what_a_step_is_named_by_is_a_message_that_the_store_sends() -> None:
    kinds = {kind.type.split(".")[2] for module in (catalog, customers, orders) for kind in messages_of(module)}

    assert {name.split(" ")[-1] for name in story.MEANING} - kinds == {"/api/orders", "callback.heard"}


def messages_of(module: ModuleType) -> list[type[Message]]:
    found = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Message)]
    return [each for each in found if hasattr(each, "type")]


def test_a_letter_to_staff_is_no_step_of_the_order_that_emptied_the_shelf(tmp_path: Path) -> None:
    write(tmp_path / "functions.log", line(1, "letter.posted", product_id="p"))

    assert story.read(tmp_path, TRACE) == []

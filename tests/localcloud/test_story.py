"""An order's story, told from the logs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud import story

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def write(log: Path, *lines: Any) -> None:
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))


def line(seconds: float, event: str, trace_id: str = TRACE, **more: str) -> dict[str, str]:
    return {"event": event, "timestamp": (NOON + timedelta(seconds=seconds)).isoformat(), "trace_id": trace_id} | more


def test_the_steps_of_all_logs_stand_in_the_order_of_time(tmp_path: Path) -> None:
    write(tmp_path / "orders.log", line(0, "request.answered", method="POST", path="/api/orders"), line(9, "x"))
    write(tmp_path / "functions.log", line(1, "order.examined", answer="ReserveStock"), line(4, "letter.posted"))
    write(tmp_path / "catalog.log", line(2, "message.handled", type="store.catalog.reserve-stock.v1"))

    steps = story.read(tmp_path, TRACE)

    assert [step.who for step in steps] == ["orders", "process_order", "catalog", "notify_customer"]
    assert steps[1].what.endswith("ReserveStock")
    assert not story.complete(steps)


def test_another_orders_lines_are_not_told(tmp_path: Path) -> None:
    write(tmp_path / "functions.log", line(1, "letter.posted", trace_id="another"))

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
    write(tmp_path / "functions.log", line(8, "letter.posted"), letter, *end)

    assert story.complete(story.read(tmp_path, TRACE))

    for missing in (letter, end[0], end[-1]):
        write(tmp_path / "functions.log", *(each for each in [letter, *end] if each is not missing))
        assert not story.complete(story.read(tmp_path, TRACE))

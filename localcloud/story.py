"""An order's way through the whole store, as the logs tell it: every line that carries its trace id."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

# What a log line means to somebody who follows an order. A message is known by its type, anything else by its event.
MEANING = {
    "POST /api/orders": ("orders", "priced, stored and told in one commit"),
    "order.examined": ("process_order", "the function checks buyer, lines and total: {answer}"),
    "reserve-stock": ("catalog", "sets everything in it aside, or nothing"),
    "stock-reserved": ("orders", "asks for its payment"),
    "payment.answered payment-requested": ("take_payment", "the function has the total authorised: {status}"),
    "payment.answered order-confirmed": ("take_payment", "the function has it captured: {status}"),
    "payment.answered order-rejected": ("take_payment", "the function sees that nothing stays authorised: {status}"),
    "payment.not_needed order-confirmed": ("take_payment", "there is nothing to be paid"),
    "payment.not_needed order-rejected": ("take_payment", "no payment was asked for"),
    "callback.heard": ("payment_callback", "the payment provider says by itself: {status}"),
    "record-payment": ("orders", "notes what became of the payment"),
    "stock-refused": ("orders", "rejects it"),
    "reject-order": ("orders", "rejects it"),
    "order-confirmed": ("catalog", "what was set aside is sold"),
    "order-rejected": ("catalog", "holds nothing for it"),
    "letter.posted": ("notify_customer", "the function posts the letter"),
}
CAPTURED = "payment.answered order-confirmed"


class Step(Struct, frozen=True, order=True):
    at: datetime
    name: str
    who: str
    what: str


def read(logs: Path, trace_id: str) -> list[Step]:
    """In the order of time, as far as it has come."""
    return sorted(step for path in logs.glob("*.log") for step in _steps(path, trace_id.encode()))


def complete(steps: list[Step]) -> bool:
    """The letter is posted, the catalogue has balanced its books, and the payment is where it shall be."""
    names = [step.name for step in steps]
    settled = [name for name in ("order-confirmed", "order-rejected") if name in names]
    paid = [name for name in names if name.startswith("payment.") and name.endswith(tuple(settled))]
    noted = 2 if CAPTURED in paid else 0
    return "letter.posted" in names and bool(settled and paid) and names.count("record-payment") >= noted


def _steps(log: Path, trace_id: bytes) -> Iterator[Step]:
    with log.open("rb") as lines:
        for line in lines:
            if trace_id in line:
                known: dict[str, Any] = msgspec.json.decode(line)
                if (name := _name(known)) in MEANING:
                    who, what = MEANING[name]
                    yield Step(datetime.fromisoformat(known["timestamp"]), name, who, what.format_map(known))


def _name(line: dict[str, Any]) -> str:
    match line["event"]:
        case "request.answered":
            return f"{line['method']} {line['path']}"
        case "message.handled":
            return str(line["type"].split(".")[2])
        case "payment.answered" | "payment.not_needed" as event:
            return f"{event} {line['because']}"
        case event:
            return str(event)

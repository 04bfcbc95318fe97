"""An order's way through the whole store, as the logs tell it: every line that carries its trace id."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct


class Meaning(NamedTuple):
    """Of a line: who has acted, on what that came from whom and by which way."""

    who: str
    what: str
    of: str
    by: str


HTTP, EVENT_GRID, SERVICE_BUS = "HTTP", "Event Grid", "Service Bus"
BOTH = f"{EVENT_GRID}, {SERVICE_BUS}"

# What a log line means to somebody who follows an order. A message is known by its type, what a function has done by
# its event and the type of the fact that it heard.
MEANING = {
    "POST /api/orders": Meaning("orders", "priced, stored and told in one commit", "customer", HTTP),
    "order.examined order-placed": Meaning(
        "process_order", "the function checks buyer, lines and total: {answer}", "orders", EVENT_GRID
    ),
    "reserve-stock": Meaning("catalog", "sets everything in it aside, or nothing", "process_order", SERVICE_BUS),
    "stock-reserved": Meaning("orders", "asks for its payment", "catalog", BOTH),
    "payment.answered payment-requested": Meaning(
        "take_payment", "the function has the total authorised: {status}", "orders", EVENT_GRID
    ),
    "payment.answered order-confirmed": Meaning(
        "take_payment", "the function has it captured: {status}", "orders", EVENT_GRID
    ),
    "payment.answered order-rejected": Meaning(
        "take_payment", "the function sees that nothing stays authorised: {status}", "orders", EVENT_GRID
    ),
    "payment.answered order-cancelled": Meaning(
        "take_payment", "the function sees that nothing stays authorised: {status}", "orders", EVENT_GRID
    ),
    "payment.answered order-returned": Meaning(
        "take_payment", "the function pays it back: {status}", "orders", EVENT_GRID
    ),
    "payment.not_needed order-confirmed": Meaning("take_payment", "there is nothing to be paid", "orders", EVENT_GRID),
    "payment.not_needed order-rejected": Meaning("take_payment", "no payment was asked for", "orders", EVENT_GRID),
    "payment.not_needed order-cancelled": Meaning("take_payment", "no payment was asked for", "orders", EVENT_GRID),
    "payment.not_needed order-returned": Meaning("take_payment", "there is nothing to pay back", "orders", EVENT_GRID),
    "callback.heard": Meaning("payment_callback", "the payment provider says by itself: {status}", "payments", HTTP),
    "record-payment": Meaning("orders", "notes what became of the payment", "take_payment", SERVICE_BUS),
    "stock-refused": Meaning("orders", "rejects it", "catalog", BOTH),
    "reject-order": Meaning("orders", "rejects it", "process_order", SERVICE_BUS),
    "order-confirmed": Meaning("catalog", "what was set aside is sold", "orders", BOTH),
    "order-rejected": Meaning("catalog", "holds nothing for it", "orders", BOTH),
    "order-cancelled": Meaning("catalog", "holds nothing for it any more", "orders", BOTH),
    "order-returned": Meaning("catalog", "what came back is on hand again", "orders", BOTH),
    **{
        f"letter.posted {fact}": Meaning("notify_customer", "the function posts the letter", "orders", EVENT_GRID)
        for fact in ("order-confirmed", "order-rejected", "order-cancelled", "order-shipped", "order-returned")
    },
    "record-letter": Meaning("orders", "notes that the letter is posted", "notify_customer", SERVICE_BUS),
}
CAPTURED = "payment.answered order-confirmed"
MOST_TRACES = 20  # of one order: it was placed by one, and cancelled or shipped by others


class Step(Struct, frozen=True, order=True):
    at: datetime
    name: str
    who: str
    what: str
    of: str = ""
    by: str = ""


def read(logs: Path, *trace_ids: str) -> list[Step]:
    """In the order of time, as far as it has come."""
    steps = (_step(line) for path in logs.glob("*.log") for line in lines(path, *trace_ids))
    return sorted(step for step in steps if step)


def traces(logs: Path, order_id: str) -> list[str]:
    """Of all that was done about the order; who only looks at it is left out."""
    found = dict[str, None]()
    for path in logs.glob("*.log"):
        for line in lines(path, order_id):
            if line.get("method") != "GET" and line.get("trace_id"):
                found[str(line["trace_id"])] = None
    return list(found)[:MOST_TRACES]


def complete(steps: list[Step]) -> bool:
    """The letter is posted and noted, the catalogue has balanced its books, and the payment is where it shall be."""
    names = [step.name for step in steps]
    settled = [name for name in ("order-confirmed", "order-rejected") if name in names]
    paid = [name for name in names if name.startswith("payment.") and name.endswith(tuple(settled))]
    noted = 2 if CAPTURED in paid else 0
    return "record-letter" in names and bool(settled and paid) and names.count("record-payment") >= noted


def lines(log: Path, *having: str) -> Iterator[dict[str, Any]]:
    """That are whole, and ours: a server of another kind writes in its own way."""
    wanted = [each.encode() for each in having]
    with log.open("rb") as written:
        for line in written:
            if line.endswith(b"\n") and any(each in line for each in wanted):
                yield from understood(line)


def understood(line: bytes) -> Iterator[dict[str, Any]]:
    try:
        known = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return
    if "event" in known and "timestamp" in known:
        yield known


def _step(line: dict[str, Any]) -> Step | None:
    if (name := _name(line)) not in MEANING:
        return None
    who, what, of, by = MEANING[name]
    return Step(datetime.fromisoformat(line["timestamp"]), name, who, what.format_map(line), of, by)


def _name(line: dict[str, Any]) -> str:
    match line["event"]:
        case "request.answered":
            return f"{line['method']} {line['path']}"
        case "message.handled":
            return str(line["type"].split(".")[2])
        case "order.examined" | "letter.posted" | "payment.answered" | "payment.not_needed" as event:
            return f"{event} {line.get('because', '')}"
        case event:
            return str(event)

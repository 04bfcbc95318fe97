"""The payment provider, as the functions ask it: one payment for an order, however often it is asked for.

Whatever it answers is an outcome, a decline too. No answer is none: the money may have moved, so it is asked again and
says what it did then. docs/payments.md has the contract.
"""

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

import aiohttp
import msgspec
from msgspec import Meta, Struct

from functions.answers import body
from functions.connections import Connections
from libs.common import problems, telemetry
from libs.common.errors import Conflict, Unavailable
from libs.common.messages.orders import Amount, Text

MOST_BYTES = 64 * 1024
MOST_DETAIL = 200  # characters
ANSWERED = (200, 202)
REFUSED = (409, 422)

Status = Literal["pending", "authorised", "declined", "captured", "voided", "refunded"]
Verb = Literal["authorise", "capture", "void", "refund"]

# What can have become of a payment once this was done, now or at an earlier try. `pending`: a call-back tells the rest.
RESULTS: Mapping[Verb, frozenset[Status]] = {
    "authorise": frozenset({"pending", "authorised", "declined", "captured", "voided", "refunded"}),
    "capture": frozenset({"pending", "captured", "refunded"}),
    "void": frozenset({"pending", "voided", "declined"}),
    "refund": frozenset({"pending", "refunded"}),
}


class Refused(Conflict):
    """The payment provider refuses this."""


class WrongAmount(Conflict):
    """The payment provider's books say another amount than the order's total."""


class Sum(Struct, frozen=True):
    amount: int  # minor units
    currency: str


class Payment(Struct, frozen=True):
    order_id: UUID
    status: Status
    amount: Amount
    currency: Annotated[str, Meta(max_length=3)]  # empty where it was voided before it was asked for
    reason: Text = ""  # of a decline, for the customer to read

    @property
    def sum(self) -> Sum:
        return Sum(self.amount, self.currency)


async def authorise(to: Connections, order_id: UUID, total: Sum) -> Payment:
    """All of these raise Refused, and Unavailable where nobody can say now what became of it.

    Whether the amount is right is for orders to decide: they may have it from a call-back.
    """
    payment = await _ask(to, "authorise", order_id, total)
    if payment.status != "voided" and payment.currency != total.currency:
        raise WrongAmount(f"{payment.currency} instead of {total.currency}")
    return payment


async def capture(to: Connections, order_id: UUID, total: Sum) -> Payment:
    """Raises WrongAmount, too."""
    return _of_just(total, await _ask(to, "capture", order_id, total))


async def void(to: Connections, order_id: UUID) -> Payment:
    """Also what was never asked for: an authorisation that comes later is then refused."""
    return await _ask(to, "void", order_id, None)


async def refund(to: Connections, order_id: UUID, total: Sum) -> Payment:
    """Raises WrongAmount, too; and Refused while it is not captured yet."""
    return _of_just(total, await _ask(to, "refund", order_id, total))


def _of_just(total: Sum, payment: Payment) -> Payment:
    if payment.sum != total:
        raise WrongAmount(f"{payment.amount} {payment.currency} instead of {total.amount} {total.currency}")
    return payment


async def _ask(to: Connections, verb: Verb, order_id: UUID, total: Sum | None) -> Payment:
    url = f"{to.settings.payments_url}/payments/{order_id}/{verb}"
    headers = {
        "Authorization": f"Bearer {to.settings.payments_key}",
        "Content-Type": "application/json",
        "Idempotency-Key": f"{verb}-{order_id}",
        "traceparent": telemetry.traceparent(),
    }
    sent = msgspec.json.encode(total) if total else b"{}"
    try:
        async with to.session.post(url, data=sent, headers=headers, allow_redirects=False) as response:
            said = await body(response, MOST_BYTES)
            _refuse(verb, response, said)
            payment = msgspec.json.decode(said, type=Payment)
    except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unavailable(f"nobody can say now whether it is done: {verb}: {type(error).__name__}") from error
    if payment.order_id != order_id or payment.status not in RESULTS[verb]:
        raise Refused(f"{verb}: the payment of {payment.order_id} is {payment.status}")
    return payment


def _refuse(verb: Verb, response: aiohttp.ClientResponse, said: bytes) -> None:
    """A refusal counts only where it is a problem in the provider's own words: a proxy may say 409, too."""
    if response.status in ANSWERED:
        return
    if response.status in REFUSED and response.content_type == problems.CONTENT_TYPE:
        raise Refused(f"{verb}: {msgspec.json.decode(said, type=_Problem).detail[:MOST_DETAIL]}")
    raise Unavailable(f"nobody can say now whether it is done: {verb}: {response.status}")


class _Problem(Struct, frozen=True):
    detail: str = ""

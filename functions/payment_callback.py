"""The payment provider says by itself what became of a payment.

That may come twice, late, or after what has overtaken it: orders take what is news to them, and only that.
"""

from datetime import datetime
from typing import Annotated

import azure.functions as func
import msgspec
import structlog
from msgspec import Meta

from functions import events, signatures
from functions.events import Queues
from functions.payments import Payment
from libs.common import problems, telemetry
from libs.common.clock import now
from libs.common.errors import Malformed, StoreError, TooLarge
from libs.common.messages import UNREADABLE
from libs.common.messages.orders import RecordPayment
from libs.common.telemetry import Kind

log = structlog.get_logger()

MOST_BYTES = 64 * 1024
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Callback(Payment, frozen=True, kw_only=True):
    id: Annotated[str, Meta(min_length=1, max_length=100)]  # the same whenever it is repeated
    at: Annotated[datetime, Meta(tz=True)]


def payment_callback(request: func.HttpRequest, queues: Queues, key: str) -> func.HttpResponse:
    with telemetry.trace(request.headers.get("traceparent"), "payment_callback", Kind.SERVER) as traceparent:
        try:
            _record(_read(request, key), queues)
            answer = func.HttpResponse(status_code=202, headers=HEADERS)
        except StoreError as error:
            answer = _problem(error)
        answer.headers["traceparent"] = traceparent
        log.info("callback.answered", status=answer.status_code)
        return answer


def _read(request: func.HttpRequest, key: str) -> Callback:
    """Raises TooLarge, Unsigned or Malformed."""
    body = request.get_body()
    if len(body) > MOST_BYTES:
        raise TooLarge
    signatures.verify(body, request.headers, key=key, at=now())
    try:
        return msgspec.json.decode(body, type=Callback)
    except UNREADABLE as error:
        raise Malformed(f"not a call-back: {error}") from error


def _record(said: Callback, queues: Queues) -> None:
    log.info("callback.heard", order_id=str(said.order_id), callback_id=said.id, status=said.status)
    if said.status == "pending":
        return
    command = RecordPayment(order_id=said.order_id, outcome=said.status, amount=said.amount, reason=said.reason)
    told = (
        f"/payments {said.id} {said.order_id} {said.status} {said.amount}"  # else other news under an old id were lost
    )
    events.put(command, queues, sender="payment_callback", cause=told, at=said.at)


def _problem(error: StoreError) -> func.HttpResponse:
    return func.HttpResponse(
        problems.content(error),
        status_code=error.status,
        headers=HEADERS | problems.headers(error),
        mimetype=problems.CONTENT_TYPE,
    )

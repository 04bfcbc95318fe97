"""What may become of an order, as one table; docs/orders.md draws it."""

from collections.abc import Mapping
from enum import StrEnum

from libs.common.errors import Conflict
from libs.common.messages.orders import Outcome


class Status(StrEnum):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"


class Payment(StrEnum):
    NONE = "none"
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    VOIDED = "voided"
    REFUNDED = "refunded"
    DECLINED = "declined"


class Verb(StrEnum):
    CONFIRM = "confirm"  # its payment is authorised, or it costs nothing
    REJECT = "reject"  # stock.refused, reject-order, or its payment is declined
    EXPIRE = "expire"  # nobody has settled it in time
    CANCEL = "cancel"
    SHIP = "ship"
    DELIVER = "deliver"
    RETURN = "return"


class NotConfirmed(Conflict):
    """The order is not confirmed yet: read it again once it is."""


class NotShipped(Conflict):
    """The order has not been shipped: ship it first."""


class AlreadyConfirmed(Conflict):
    """The order is confirmed and can no longer be cancelled."""


class AlreadyRejected(Conflict):
    """The order was rejected; nothing more can become of it."""


class AlreadyCancelled(Conflict):
    """The order was cancelled; nothing more can become of it."""


class AlreadyShipped(Conflict):
    """The order is on its way and can no longer be cancelled: return it when it has come."""


class AlreadyDelivered(Conflict):
    """The order has been delivered: all that it can still be is returned."""


class AlreadyReturned(Conflict):
    """The order came back; nothing more can become of it."""


Next = Status | type[Conflict] | None

_P, _C, _R, _X = Status.PLACED, Status.CONFIRMED, Status.REJECTED, Status.CANCELLED
_S, _D, _B = Status.SHIPPED, Status.DELIVERED, Status.RETURNED

# For each verb and state: the state after it; None, where nothing new is true (said again, or too late: what messages
# and the clock say is never refused, for nobody would hear of it); or how the caller is refused.
TRANSITIONS: Mapping[Verb, Mapping[Status, Next]] = {
    Verb.CONFIRM: {_P: _C, _C: None, _R: None, _X: None, _S: None, _D: None, _B: None},
    Verb.REJECT: {_P: _R, _C: None, _R: None, _X: None, _S: None, _D: None, _B: None},
    Verb.EXPIRE: {_P: _X, _C: None, _R: None, _X: None, _S: None, _D: None, _B: None},
    Verb.CANCEL: {
        _P: _X,
        _C: AlreadyConfirmed,
        _R: AlreadyRejected,
        _X: None,
        _S: AlreadyShipped,
        _D: AlreadyDelivered,
        _B: AlreadyReturned,
    },
    Verb.SHIP: {
        _P: NotConfirmed,
        _C: _S,
        _R: AlreadyRejected,
        _X: AlreadyCancelled,
        _S: None,
        _D: AlreadyDelivered,
        _B: AlreadyReturned,
    },
    Verb.DELIVER: {
        _P: NotConfirmed,
        _C: NotShipped,
        _R: AlreadyRejected,
        _X: AlreadyCancelled,
        _S: _D,
        _D: None,
        _B: AlreadyReturned,
    },
    Verb.RETURN: {  # also what never arrived
        _P: NotConfirmed,
        _C: NotShipped,
        _R: AlreadyRejected,
        _X: AlreadyCancelled,
        _S: _B,
        _D: _B,
        _B: None,
    },
}

# What the provider has done, and in which states of the payment it is news. Whatever is not here is late or repeated.
PAYMENTS: Mapping[Outcome, Mapping[Payment, Payment]] = {
    "authorised": {Payment.REQUESTED: Payment.AUTHORISED},
    "declined": {Payment.REQUESTED: Payment.DECLINED},
    "captured": {Payment.AUTHORISED: Payment.CAPTURED},
    "voided": {Payment.REQUESTED: Payment.VOIDED, Payment.AUTHORISED: Payment.VOIDED},
    # A capture may be told after the refund that followed it.
    "refunded": {Payment.AUTHORISED: Payment.REFUNDED, Payment.CAPTURED: Payment.REFUNDED},
}

FINAL = frozenset({_R, _X, _B})  # nothing more can become of it


def next_status(verb: Verb, status: Status) -> Status | None:
    """None where nothing new is true. Raises the Conflict that the table tells."""
    following = TRANSITIONS[verb][status]
    if isinstance(following, type):
        raise following
    return following

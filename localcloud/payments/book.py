"""What may become of a payment, pure. There is one for each order, and whatever is asked again is answered alike."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace


class Status(StrEnum):
    PENDING = "pending"
    AUTHORISED = "authorised"
    DECLINED = "declined"
    CAPTURED = "captured"
    VOIDED = "voided"
    REFUNDED = "refunded"


class Scenario(StrEnum):
    """What happens to a payment is in the last four digits of its amount, so that a price is enough to choose it."""

    APPROVE = "approve"
    DECLINE = "decline"
    SILENT = "charged, but the first answer never comes"
    REPEATED = "approved, and its call-back comes three times"
    LATE_YES = "pending, then approved by a call-back"
    LATE_NO = "pending, then declined by a call-back"
    OPEN = "pending until somebody settles it"
    BLOCKED = "approved, and its capture is refused until somebody settles it"


BY_LAST_DIGITS = {
    9901: Scenario.DECLINE,
    9902: Scenario.SILENT,
    9903: Scenario.REPEATED,
    9904: Scenario.LATE_YES,
    9905: Scenario.LATE_NO,
    9906: Scenario.OPEN,
    9907: Scenario.BLOCKED,
}
PENDING = (Scenario.LATE_YES, Scenario.LATE_NO, Scenario.OPEN)
BLOCKED = "the bank has blocked the card"
DECLINED = "the bank has declined the payment"


class Refused(Exception):
    """The text says why."""


class Sum(Struct, frozen=True, forbid_unknown_fields=True):
    amount: Annotated[int, Meta(ge=1, lt=2**53)]  # minor units
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class Payment(Struct, frozen=True):
    order_id: UUID
    status: Status
    amount: int
    currency: str
    reason: str = ""

    @property
    def sum(self) -> Sum:
        return Sum(self.amount, self.currency)


def scenario_of(amount: int) -> Scenario:
    return BY_LAST_DIGITS.get(amount % 10_000, Scenario.APPROVE)


@dataclass(frozen=True, slots=True)
class Entry:
    """An order's page in the book; all raise Refused."""

    order_id: UUID
    payment: Payment | None

    def authorise(self, asked: Sum) -> Payment:
        """What was voided before stays so: whoever called it off was first."""
        if self.payment is None:
            return _settled(Payment(self.order_id, Status.PENDING, asked.amount, asked.currency), asked.amount)
        if self.payment.status is not Status.VOIDED:
            self._require(asked)
        return self.payment

    def capture(self, asked: Sum) -> Payment:
        known = self._known(Status.AUTHORISED, Status.CAPTURED, Status.REFUNDED)
        self._require(asked)
        if known.status is not Status.AUTHORISED:
            return known
        if scenario_of(known.amount) is Scenario.BLOCKED:
            raise Refused(BLOCKED)
        return replace(known, status=Status.CAPTURED)

    def void(self) -> Payment:
        if self.payment is None:
            return Payment(self.order_id, Status.VOIDED, 0, "")
        known = self._known(Status.PENDING, Status.AUTHORISED, Status.VOIDED, Status.DECLINED)
        holds = known.status in (Status.PENDING, Status.AUTHORISED)
        return replace(known, status=Status.VOIDED) if holds else known

    def refund(self, asked: Sum) -> Payment:
        known = self._known(Status.CAPTURED, Status.REFUNDED)
        self._require(asked)
        return replace(known, status=Status.REFUNDED)

    def settle(self, status: Status) -> Payment:
        """What a bank says later."""
        if self.payment and scenario_of(self.payment.amount) is Scenario.BLOCKED and status is Status.CAPTURED:
            return replace(self._known(Status.AUTHORISED), status=Status.CAPTURED)
        known = self._known(Status.PENDING)
        if status not in (Status.AUTHORISED, Status.DECLINED):
            raise Refused(f"a bank says authorised or declined, not {status}")
        reason = DECLINED if status is Status.DECLINED else ""
        return replace(known, status=status, reason=reason)

    def come_late(self, status: Status) -> Payment:
        """The same; where it was voided meanwhile, it stays so."""
        known = self._known(*Status)
        return self.settle(status) if known.status is Status.PENDING else known

    def _known(self, *states: Status) -> Payment:
        status = self.payment.status if self.payment else "not there"
        if self.payment is None or status not in states:
            raise Refused(f"the payment is {status}; it would have to be {' or '.join(states)}")
        return self.payment

    def _require(self, asked: Sum) -> None:
        if self.payment and self.payment.sum != asked:
            known = self.payment
            raise Refused(f"it is a payment of {known.amount} {known.currency}, not of {asked.amount} {asked.currency}")


def _settled(payment: Payment, amount: int) -> Payment:
    scenario = scenario_of(amount)
    if scenario in PENDING:
        return payment
    if scenario is Scenario.DECLINE:
        return replace(payment, status=Status.DECLINED, reason=DECLINED)
    return replace(payment, status=Status.AUTHORISED)

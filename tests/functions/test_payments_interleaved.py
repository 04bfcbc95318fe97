"""An order, its payment and all that is said between them, in any order, repeated, late or lost: one charge or none.

The rules are those of the services themselves; only what carries the messages is left out.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import hypothesis.strategies as st
import msgspec
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from functions import payments
from functions.payments import RESULTS, Verb
from functions.take_payment import Due, _news, needs_nothing
from libs.common.errors import Conflict
from libs.common.messages import Fact
from libs.common.messages.orders import (
    OrderConfirmed,
    OrderedLine,
    OrderReturned,
    Outcome,
    PaymentRequested,
    RecordPayment,
)
from localcloud import books
from localcloud.laws import payments_match_orders
from localcloud.payments.book import Entry, Payment, Refused, Status, Sum
from services.orders.domain import Order
from services.orders.transitions import Status as OrderStatus

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ORDER, ADA, MUG = UUID(int=1), UUID(int=2), UUID(int=3)
APPROVED, DECLINED, OPEN, BLOCKED = 1250, 9901, 9906, 9907
ROUNDS = 20  # in which all that is under way has to come to its end


@dataclass
class Provider:
    """Its book, and every change that it has had."""

    payment: Payment | None = None
    movements: list[tuple[str, int]] = field(default_factory=list)

    def ask(self, verb: Verb, total: Sum) -> Payment:
        entry = Entry(ORDER, self.payment)
        match verb:
            case "authorise":
                return self.keep(entry.authorise(total))
            case "capture":
                return self.keep(entry.capture(total))
            case "refund":
                return self.keep(entry.refund(total))
            case _:
                return self.keep(entry.void())

    def keep(self, payment: Payment) -> Payment:
        if payment != self.payment:
            self.payment = payment
            self.movements.append((payment.status, payment.amount))
        return payment


def verb_of(fact: Due) -> Verb:
    kinds: dict[type, Verb] = {PaymentRequested: "authorise", OrderConfirmed: "capture", OrderReturned: "refund"}
    return kinds.get(type(fact), "void")


class Money(RuleBasedStateMachine):
    @initialize(price=st.sampled_from([APPROVED, DECLINED, OPEN, BLOCKED]))
    def place(self, price: int) -> None:
        line = OrderedLine(product_id=MUG, sku="MUG", name="Mug", price=price, quantity=1)
        self.order, self.provider = Order(ORDER, ADA, "EUR", [line], NOON), Provider()
        self.told = list[Due]()
        self.waiting = list[Due]()  # of those, what nobody has answered for good
        self.commands = dict[str, RecordPayment]()
        self.heard = set[str]()  # the inbox

    # --- what people and clocks do to the order ---------------------------------------------------------------------

    @rule()
    def reserve(self) -> None:
        self._tell(self.order.reserve(NOON))

    @rule(verb=st.sampled_from(["cancel", "expire", "ship", "deliver", "take_back"]))
    def act(self, verb: str) -> None:
        try:
            match verb:
                case "cancel":
                    self._tell(self.order.cancel("regretted", NOON))
                case "expire":
                    self._tell(self.order.expire(NOON))
                case "ship":
                    self._tell(self.order.ship("", "", NOON))
                case "deliver":
                    self._tell(self.order.deliver(NOON))
                case _:
                    self._tell(self.order.take_back("broken", NOON))
        except Conflict:
            return

    def _tell(self, fact: Fact | None) -> None:
        if isinstance(fact, Due):
            self.told.append(fact)
            self.waiting.append(fact)

    # --- what the function does because of it, once, again, and with its answer lost --------------------------------

    @precondition(lambda self: self.told)
    @rule(data=st.data(), lost=st.booleans())
    def take_payment(self, data: st.DataObject, lost: bool) -> None:
        self._take(data.draw(st.sampled_from(self.told)), lost=lost)

    def _take(self, fact: Due, *, lost: bool = False) -> None:
        if not needs_nothing(fact):
            verb = verb_of(fact)
            try:
                payment = self.provider.ask(verb, Sum(fact.total, fact.currency))
            except Refused as refused:
                if isinstance(fact, OrderConfirmed) and not lost:
                    self._refuse(fact, str(refused))
                return  # or Event Grid comes again
            if lost:
                return
            assert payment.status in RESULTS[verb]
            self._command(str(fact.id()), fact, payment)
        if fact in self.waiting:
            self.waiting.remove(fact)

    def _refuse(self, fact: OrderConfirmed, refusal: str) -> None:
        told = RecordPayment(order_id=ORDER, outcome="authorised", amount=fact.total, refusal=refusal)
        self.commands[f"{fact.id()} refused"] = told
        if fact in self.waiting:
            self.waiting.remove(fact)

    def _command(self, cause: str, fact: Due, payment: Payment) -> None:
        if news := _news(fact, msgspec.convert(payment, payments.Payment, from_attributes=True)):
            self.commands[cause] = news

    # --- what the bank says later -----------------------------------------------------------------------------------

    @precondition(lambda self: self.provider.payment and self.provider.payment.status is Status.PENDING)
    @rule(status=st.sampled_from([Status.AUTHORISED, Status.DECLINED]))
    def call_back(self, status: Status) -> None:
        payment = self.provider.keep(Entry(ORDER, self.provider.payment).settle(status))
        outcome: Outcome = "authorised" if status is Status.AUTHORISED else "declined"
        self.commands["call-back"] = RecordPayment(order_id=ORDER, outcome=outcome, amount=payment.amount)

    @precondition(lambda self: self._is_blocked())
    @rule()
    def unblock(self) -> None:
        """Somebody has seen to it that the money comes."""
        payment = self.provider.keep(Entry(ORDER, self.provider.payment).settle(Status.CAPTURED))
        self.commands["unblocked"] = RecordPayment(order_id=ORDER, outcome="captured", amount=payment.amount)

    def _is_blocked(self) -> bool:
        known = self.provider.payment
        confirmed = any(isinstance(fact, OrderConfirmed) for fact in self.told)
        return confirmed and known is not None and (known.status, known.amount) == (Status.AUTHORISED, BLOCKED)

    # --- what orders hear of it, in any order and again -------------------------------------------------------------

    @precondition(lambda self: self.commands)
    @rule(data=st.data())
    def record_payment(self, data: st.DataObject) -> None:
        self._record(data.draw(st.sampled_from(sorted(self.commands))))

    def _record(self, cause: str) -> None:
        if cause not in self.heard:
            self.heard.add(cause)
            said = self.commands[cause]
            if said.refusal:
                self.order.refuse_capture(said.refusal)
                return
            self._tell(self.order.record_payment(said.outcome, said.amount, said.reason, NOON))

    # --- what holds always, and what holds at rest ------------------------------------------------------------------

    @invariant()
    def nobody_is_charged_twice(self) -> None:
        counted = Counter(status for status, _ in self.provider.movements)
        assert max(counted.values(), default=0) <= 1, self.provider.movements

    def teardown(self) -> None:
        for _ in range(ROUNDS):
            for fact in [*self.waiting]:
                self._take(fact)
            for cause in [*self.commands]:
                self._record(cause)
            if self.provider.payment and self.provider.payment.status is Status.PENDING:
                self.call_back(Status.AUTHORISED)
            if self._is_blocked():
                self.unblock()
            if self.order.status is OrderStatus.PLACED:
                self._tell(self.order.expire(NOON))
        assert self.waiting == [], "some fact is answered never"
        assert self.order.payment_refusal == "", "what was refused and is captured is still refused"
        assert list(payments_match_orders(self._books())) == []

    def _books(self) -> books.Books:
        history = ["placed", *(fact.type.split(".")[2].removeprefix("order-") for fact in self.told)]
        order = books.Order(ADA, self.order.status.value, Counter(), history, self.order.total)
        known = self.provider.payment
        paid = {ORDER: books.Payment(known.status, self.provider.movements)} if known else {}
        nothing: dict[str, int] = {}
        return books.Books([], [], {}, {}, {}, {ORDER: order}, Counter(), paid, [], nothing, nothing)


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=300, stateful_step_count=25)

"""Whatever is asked of the orders store in whatever order, on every engine: it answers as a few dictionaries would."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import cast
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import Invalid, KeyReused, NotFound, StoreError
from libs.common.ids import uuid7_beside
from libs.common.messages import Fact
from libs.common.messages.customers import Status as CustomerStatus
from libs.common.messages.orders import Outcome
from services.orders.domain import BlockedCustomer, Order, Price, UnknownCustomer, Wanted, place
from services.orders.store import (
    Action,
    Attempt,
    Draft,
    Note,
    Receipt,
    Sought,
    Store,
    migrate,
    open_store,
)
from services.orders.store.entries import END, SETTLING
from services.orders.transitions import Status
from tests.engines.models import Bench, Comparison, Told, compare, telling, verb

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]  # a failure is made shorter for up to five minutes

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOBODY = UUID(int=0)
ROUNDS = {"postgres": 7, "tables": 2, "azuresql": 5}
Basket = Sequence[tuple[int, int]]  # of what, how many
LAMP, DESK, RUG = 1, 2, 3  # with the number of the example they are ids
ADA, BOB, EVE = 1, 2, 3

PRODUCTS = LAMP, LAMP, LAMP, DESK, RUG
PRICES = 100, 250, 11_000_000, 11_000_000, None  # the highest is more than an order may come to; None: delisted
CURRENCIES = "EUR", "EUR", "EUR", "USD"
NEWER = 1, 1, 1, 2, 0, -1  # than what is known of it; late news are not
PEOPLE = ADA, ADA, BOB, BOB, EVE  # whom nobody has told of at first
KEYS = "aAbBcCdDeE"
BASKETS = [(LAMP, 1)], [(LAMP, 2)], [(DESK, 2), (LAMP, 1)], [(LAMP, 1), (DESK, 2)], [(RUG, 1)], [(LAMP, 1), (LAMP, 1)]
NUMBERS = range(10)  # of what there is, from the oldest on and round again


@dataclass(slots=True)
class Model:
    prices: dict[UUID, tuple[int, Price | None]] = field(default_factory=dict)  # by version; None: delisted
    standing: dict[UUID, tuple[int, str]] = field(default_factory=dict)
    orders: dict[UUID, Order] = field(default_factory=dict)
    entries: dict[UUID, list[Note]] = field(default_factory=dict)
    keys: dict[tuple[UUID, str], tuple[datetime, bytes, Receipt]] = field(default_factory=dict)
    causes: set[str] = field(default_factory=set)
    facts: list[Fact] = field(default_factory=list)

    def note_price(self, product_id: UUID, version: int, price: Price | None) -> None:
        if product_id not in self.prices or self.prices[product_id][0] < version:
            self.prices[product_id] = version, price

    def know(self, who: UUID, status: str, version: int) -> None:
        if who not in self.standing or self.standing[who][0] < version:
            self.standing[who] = version, status

    def forget(self, who: UUID, version: int, at: datetime) -> None:
        self.know(who, "erased", version)
        at = END if self.standing[who][1] == "erased" else at
        for order in self.orders.values():
            if order.customer_id == who and order.placed_at <= at:
                order.disown(NOBODY)
                self.entries[order.id] = [replace(entry, reason="") for entry in self.entries[order.id]]
        self.keys = {key: kept for key, kept in self.keys.items() if key[0] != who or kept[0] > at}

    def place(self, attempt: Attempt, draft: Draft) -> Receipt | set[type[StoreError]]:
        """Where several things are wrong, any of them may be said."""
        key = attempt.customer_id, attempt.key
        if key in self.keys:
            _, fingerprint, receipt = self.keys[key]
            return receipt if fingerprint == attempt.fingerprint else {KeyReused}
        wrong = self.wrong_with(attempt.customer_id)
        try:
            order, answer = draft({each: price for each, (_, price) in self.prices.items() if price})
        except Invalid:
            return {*wrong, Invalid}
        if wrong:
            return wrong
        self.keys[key] = order.placed_at, attempt.fingerprint, Receipt(order.id, answer)
        self.note(order, order.placed())
        return Receipt(order.id, answer)

    def wrong_with(self, buyer: UUID) -> set[type[StoreError]]:
        _, status = self.standing.get(buyer, (0, "unknown"))
        return set() if status == "active" else {BlockedCustomer if status == "blocked" else UnknownCustomer}

    def change(self, order_id: UUID, act: Action, who: UUID | None, heard: Note | None) -> Order | type[StoreError]:
        order, cause = self.read(order_id, who), heard.mark if heard else None
        if not isinstance(order, Order) or cause in self.causes:
            return order
        try:
            fact = act(order)
        except StoreError as refusal:
            return type(refusal)
        self.causes |= {cause} if cause else set()
        self.orders[order_id] = replace(order)
        if heard:
            reason = heard.reason if order.customer_id != NOBODY else ""
            self.entries[order_id].append(replace(heard, reason=reason))
        if fact:
            self.note(order, fact)
        return order

    def note(self, order: Order, fact: Fact) -> None:
        self.orders[order.id] = replace(order)
        name, reason = fact.type.split(".")[2], getattr(fact, "reason", "")
        mark = "" if name in {f"order-{status}" for status in SETTLING} else f"v{order.version}"
        told = Note(mark, "told", name, fact.at, reason=reason, version=order.version)
        self.entries.setdefault(order.id, []).append(told)
        self.facts.append(fact)

    def read(self, order_id: UUID, who: UUID | None) -> Order | type[StoreError]:
        order = self.orders.get(order_id)
        return NotFound if order is None or who not in (None, order.customer_id) else replace(order)

    def timeline(self, order_id: UUID, who: UUID | None) -> list[Note] | type[StoreError]:
        return self.entries[order_id] if isinstance(self.read(order_id, who), Order) else NotFound

    def page(self, who: UUID | None, status: Status | None = None) -> list[Order]:
        orders = [order for order in self.orders.values() if who in (None, order.customer_id)]
        orders = [order for order in orders if status in (None, order.status)]
        return sorted(orders, key=lambda order: order.id, reverse=True)


DECISIONS = (
    "reserve",
    "authorised",
    "reject",
    "cancel",
    "expire",
    "declined",
    "captured",
    "ship",
    "deliver",
    "return",
    "refunded",
    "voided",
)


def decide(order: Order, decision: str, at: datetime) -> Fact | None:
    acts: dict[str, Callable[[], Fact | None]] = {
        "reserve": lambda: order.reserve(at),
        "reject": lambda: order.reject("sold out 🎉", at),
        "cancel": lambda: order.cancel("no\nlonger", at),
        "expire": lambda: order.expire(at),
        "ship": lambda: order.ship("DHL", "JJD 🎉", at),
        "deliver": lambda: order.deliver(at),
        "return": lambda: order.take_back("too small", at),
    }
    if decision in acts:
        return acts[decision]()
    return order.record_payment(cast(Outcome, decision), order.total, "", at)


class Orders(Comparison):
    """Each example is on a later day than the one before, so its orders are the newest of all."""

    def __init__(self, bench: Bench, store: Store) -> None:
        super().__init__(bench)
        self.store, self.model = store, Model()
        self.at = NOON + timedelta(days=self.number)
        self.attempts = list[tuple[int, str, Basket]]()

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def begin(self) -> None:
        self.know_customer(ADA, "active", 1)
        self.know_customer(BOB, "active", 1)
        self.list_price(LAMP, 100, "EUR", 1)
        self.list_price(DESK, 250, "EUR", 1)
        self.place(ADA, "first", [(LAMP, 1)])

    @verb(product=PRODUCTS, price=PRICES, currency=CURRENCIES, newer=NEWER)
    def list_price(self, product: int, price: int | None, currency: str, newer: int) -> None:
        product_id = self.id(product)
        version = max(1, self.model.prices.get(product_id, (0, None))[0] + newer)
        if price is None:
            self.run(self.store.delist(product_id, version))
            self.model.note_price(product_id, version, None)
        else:
            listed = Price(product_id, f"SKU-{product}", f"No. {product} 🎉", price, currency, version)
            self.run(self.store.list_price(listed))
            self.model.note_price(product_id, version, listed)

    def standing(self, who: int, newer: int) -> int:
        return max(1, self.model.standing.get(self.id(who), (0, ""))[0] + newer)

    @verb(who=PEOPLE, status=("active", "active", "active", "active", "blocked"), newer=NEWER)
    def know_customer(self, who: int, status: CustomerStatus, newer: int) -> None:
        version = self.standing(who, newer)
        self.run(self.store.know_customer(self.id(who), status, version))
        self.model.know(self.id(who), status, version)

    @verb(who=PEOPLE, newer=(1, 0, -1, -1), seconds_ago=(0, 2, 8))
    def forget_customer(self, who: int, newer: int, seconds_ago: int) -> None:
        version = self.standing(who, newer)
        until = self.now() - timedelta(seconds=seconds_ago)
        self.run(self.store.forget_customer(self.id(who), version, until))
        self.model.forget(self.id(who), version, until)

    @verb(who=PEOPLE, key=KEYS, basket=BASKETS)
    def place(self, who: int, key: str, basket: Basket) -> None:
        self.attempts.append((who, key, basket))
        at, buyer, wanted = self.now(), self.id(who), [Wanted(self.id(product), pieces) for product, pieces in basket]
        order_id = uuid7_beside(buyer, at, lambda bits: 0)
        fingerprint = sha256(repr(basket).encode()).digest()
        attempt = Attempt(buyer, key, fingerprint, [line.product_id for line in wanted])
        draft: Draft = lambda prices: (place(order_id, buyer, wanted, prices, at), b'"%d"' % at.second)  # noqa: E731

        answered, expected = self.outcome(self.store.place(attempt, draft)), self.model.place(attempt, draft)

        assert answered in expected if isinstance(expected, set) else answered == expected

    @verb(number=NUMBERS, other=(None, None, [(LAMP, 2)]))
    def place_again(self, number: int, other: Basket | None) -> None:
        if self.attempts:
            who, key, basket = self.attempts[number % len(self.attempts)]
            self.place(who, key, other or basket)

    @verb(
        number=NUMBERS,
        decision=DECISIONS,
        cause=("one", "one", "two", None),
        who=(None, None, None, ADA),
    )
    def settle(self, number: int, decision: str, cause: str | None, who: int | None) -> None:
        orders, at = list(self.model.orders), self.now()
        order_id, whose = orders[number % len(orders)], self.id(who) if who else None
        act: Action = lambda order: decide(order, decision, at)  # noqa: E731
        mark = f"{order_id} {cause}" if cause else None
        heard = Note(mark, "heard", decision, at, 2, "because 🎉") if mark else None

        answered = self.outcome(self.store.change(order_id, act, cause=mark, customer_id=whose, heard=heard))

        assert answered == self.model.change(order_id, act, whose, heard)
        assert self.outcome(self.store.read(order_id)) == self.model.read(order_id, None)

    def look(self, told: Told) -> None:
        for order_id in (*self.model.orders, self.id(1)):
            for who in (None, self.id(ADA), self.id(BOB)):
                assert self.outcome(self.store.read(order_id, who)) == self.model.read(order_id, who)
                assert self.outcome(self.store.timeline(order_id, who)) == self.model.timeline(order_id, who)
        for who in map(self.id, (ADA, BOB, EVE)):
            assert self.pages(who, 2) == self.model.page(who)
            for status in Status:
                assert self.run(self.store.page(Sought(who, status), None, 100)) == self.model.page(who, status)
        everybodys = self.model.page(None)
        assert self.pages(None, len(everybodys) // 2 + 1, most=len(everybodys)) == everybodys
        assert told == telling(self.model.facts)

    def pages(self, who: UUID | None, size: int, most: int = 100) -> list[Order]:
        """Put together again."""
        orders, before = list[Order](), None
        while len(orders) < most:
            page = self.run(self.store.page(Sought(who), before, size))
            orders += page
            if len(page) < size:
                break
            before = page[-1].id
        return orders[:most]


async def test_orders_are_what_was_decided_first_at_what_was_listed_last(any_database: Database) -> None:
    await migrate(any_database)
    store = await open_store(any_database)

    await compare(Orders, lambda bench: Orders(bench, store), any_database, rounds=ROUNDS[any_database.engine])

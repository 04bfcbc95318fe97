"""Whatever is asked of stock in whatever order, on every engine: nothing is lost, and nothing is set aside twice."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import NotFound, Stale, StoreError
from libs.common.messages import Fact
from libs.common.messages.catalog import ReservedLine
from services.catalog.domain import Details, Product
from services.catalog.reservations import Reservation
from services.catalog.stock import Shelves, Stock, rebuild
from services.catalog.store import ReservationAction, Sort, StockAction, Store, Wanted, migrate, open_store
from tests.engines.models import Bench, Comparison, Told, compare, telling, verb

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]  # a failure is made shorter for up to five minutes

Lines = Sequence[tuple[int, int]]  # of what, how many

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROUNDS = {"postgres": 8, "tables": 2, "azuresql": 3}

LAMP, DESK, UNKNOWN = 1, 2, 3  # with the number of the example they are ids
PRODUCTS = LAMP, DESK
ORDERS = 11, 12, 13
CAUSES = "one", "two", "three", "four"
BASKETS = [(LAMP, 1)], [(DESK, 2), (LAMP, 3)], [(LAMP, 2), (DESK, 1)], [(LAMP, 2), (LAMP, 3)], [(LAMP, 1), (UNKNOWN, 1)]
SEEN = None, None, 0, -1  # how far the version that a caller has read is from the newest


class Seen(Exception):
    """What a change of a reservation would act on; raised from within it, so that it changes nothing."""

    def __init__(self, reservation: Reservation, shelves: Shelves) -> None:
        self.sight = reservation, shelves


@dataclass(slots=True)
class Model:
    shelves: dict[UUID, Stock] = field(default_factory=dict)
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    causes: set[str] = field(default_factory=set)
    facts: list[Fact] = field(default_factory=list)

    def stock(self, product_id: UUID) -> Stock | type[StoreError]:
        stock = self.shelves[product_id]
        return NotFound if stock.deleted else deepcopy(stock)

    def change_stock(
        self, product_id: UUID, act: StockAction, version: int | None, cause: str | None
    ) -> Stock | type[StoreError]:
        stock = self.stock(product_id)
        if isinstance(stock, Stock) and version not in (None, stock.version):
            return Stale
        if not isinstance(stock, Stock) or cause in self.causes:
            return stock
        if refusal := self.tell(lambda: act(stock), cause):
            return refusal
        self.shelves[product_id] = deepcopy(stock)  # with all that has ever moved: it is never read anew
        return stock

    def change_reservation(self, order_id: UUID, act: ReservationAction, cause: str) -> type[StoreError] | None:
        if cause in self.causes:
            return None
        shelves, reservation = deepcopy(self.shelves), deepcopy(self.reservation(order_id))
        if refusal := self.tell(lambda: act(reservation, shelves), cause):
            return refusal
        self.shelves, self.reservations[order_id] = shelves, reservation
        return None

    def reservation(self, order_id: UUID) -> Reservation:
        return self.reservations.get(order_id, Reservation(order_id, lines=[]))

    def tell(self, act: Callable[[], Sequence[Fact]], cause: str | None) -> type[StoreError] | None:
        """How it refuses; then the cause is as good as new."""
        try:
            facts = act()
        except StoreError as refusal:
            return type(refusal)
        self.causes |= {cause} if cause else set()
        self.facts += facts
        return None


class Shop(Comparison):
    def __init__(self, bench: Bench, store: Store) -> None:
        super().__init__(bench)
        self.store, self.model, self.at = store, Model(), NOON
        self.products = dict[UUID, Product]()

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def begin(self) -> None:
        for number in PRODUCTS:
            details = Details(f"{self.number}-{number}", f"No. {number}", "", self.number, "EUR", None)
            product = self.products[self.id(number)] = Product(self.id(number), details)
            self.model.shelves[product.id] = Stock(product.id, product.details.name, sku=details.sku)
            self.model.facts.append(product.created(self.now()))
            self.run(self.store.add(product, self.at))
        self.open(LAMP, 5, "opening")

    @verb(product=PRODUCTS, pieces=(3, 5), cause=CAUSES)
    def open(self, product: int, pieces: int, cause: str) -> None:
        at = self.now()
        self.change_stock(product, lambda stock: stock.open(pieces, at), None, cause)

    @verb(product=PRODUCTS, pieces=(5, 0, 2, 3), seen=SEEN)
    def recount(self, product: int, pieces: int, seen: int | None) -> None:
        at = self.now()
        self.change_stock(product, lambda stock: stock.recount(pieces, "count 🎉", at), seen, None)

    @verb(product=PRODUCTS, cause=CAUSES)
    def find_one(self, product: int, cause: str) -> None:
        at = self.now()
        self.change_stock(product, lambda stock: stock.recount(stock.count + 1, "found", at), None, cause)

    def change_stock(self, product: int, act: StockAction, seen: int | None, cause: str | None) -> None:
        product_id, heard = self.id(product), f"{self.id(product)} {cause}" if cause else None
        version = None if seen is None else self.model.shelves[product_id].version + seen
        answered = self.outcome(self.store.change_stock(product_id, act, version=version, cause=heard))
        assert answered == self.model.change_stock(product_id, act, version, heard)

    @verb(order=ORDERS, basket=BASKETS, cause=CAUSES)
    def hold(self, order: int, basket: Lines, cause: str) -> None:
        at, lines = self.now(), [ReservedLine(product_id=self.id(which), quantity=pieces) for which, pieces in basket]
        self.change_reservation(order, lambda reservation, shelves: reservation.hold(lines, shelves, at), cause, basket)

    @verb(order=ORDERS, cause=CAUSES)
    def sell(self, order: int, cause: str) -> None:
        at = self.now()
        self.change_reservation(order, lambda reservation, shelves: reservation.sell(shelves, at), cause)

    @verb(order=ORDERS, cause=CAUSES)
    def release(self, order: int, cause: str) -> None:
        at = self.now()
        self.change_reservation(order, lambda reservation, shelves: reservation.release(shelves, at), cause)

    @verb(order=ORDERS, cause=CAUSES)
    def take_back(self, order: int, cause: str) -> None:
        at = self.now()
        self.change_reservation(order, lambda reservation, shelves: reservation.take_back(shelves, at), cause)

    @verb(product=PRODUCTS, level=(None, 0, 2, 4), seen=SEEN)
    def reorder_at(self, product: int, level: int | None, seen: int | None) -> None:
        at = self.now()
        self.change_stock(product, lambda stock: stock.reorder_at(level, at), seen, None)

    @verb(product=PRODUCTS, pieces=(1, 1_000_000), cause=CAUSES)
    def receive(self, product: int, pieces: int, cause: str) -> None:
        at = self.now()
        self.change_stock(product, lambda stock: stock.receive(pieces, "delivery", at), None, cause)

    def change_reservation(self, order: int, act: ReservationAction, cause: str, basket: Lines = ()) -> None:
        order_id, wanted = self.id(order), [self.id(product) for product, _ in basket]
        heard = f"{order_id} {cause}"
        answered = self.outcome(self.store.change_reservation(order_id, act, cause=heard, products=wanted))
        assert answered == self.model.change_reservation(order_id, act, heard)
        self.look_at_stock()

    @verb(product=PRODUCTS, really=(True, False, False, False))
    def delete(self, product: int, really: bool) -> None:
        at, product_id = self.now(), self.id(product)
        if really and not self.model.shelves[product_id].deleted:
            self.run(self.store.change(product_id, lambda product: product.delete(at)))
            self.model.facts.append(self.products[product_id].delete(at))
            self.model.shelves[product_id].deleted = True

    def look_at_stock(self) -> None:
        for product_id in self.products:
            stock = self.outcome(self.store.stock(product_id))
            assert stock == self.model.stock(product_id)
            if isinstance(stock, Stock):
                assert stock.received == stock.on_hand + stock.reserved + stock.sold
                assert min(stock.on_hand, stock.reserved, stock.sold) >= 0

    def look(self, told: Told) -> None:
        self.look_at_stock()
        for stock in self.model.shelves.values():
            ledger = self.run(self.store.movements(stock.product_id, stock.version + 1, 1000))
            assert ledger == stock.movements[::-1]
            assert rebuild(ledger) == stock.counts
        for order_id in map(self.id, ORDERS):
            assert self.see(order_id) == (self.model.reservation(order_id), self.model.shelves)
        there = [stock.product_id for stock in self.model.shelves.values() if stock.on_hand and not stock.deleted]
        page = self.run(self.store.page(Wanted(min_price=self.number, in_stock=True), Sort.PRICE, None, 9))
        assert [product.id for product in page.products] == there
        expected = telling(self.model.facts)
        assert in_time(told) == in_time(expected)
        assert by_change(told) == by_change(expected)

    def see(self, order_id: UUID) -> tuple[Reservation, Shelves]:
        """Also the stock of what is no longer sold."""

        def look(reservation: Reservation, shelves: Shelves) -> NoReturn:
            reservation.lines = list(reservation.lines)
            raise Seen(reservation, shelves)

        with pytest.raises(Seen) as seen:
            self.run(self.store.change_reservation(order_id, look, cause="look", products=self.products))
        return seen.value.sight


def in_time(told: Told) -> dict[str, list[str]]:
    return {subject: [time for _, _, time, _ in facts] for subject, facts in told.items()}


def by_change(told: Told) -> Told:
    """What one change tells, it tells in any order; each has a second of its own."""
    return {subject: sorted(facts, key=lambda fact: (fact[2], fact[0])) for subject, facts in told.items()}


async def test_the_books_are_true(any_database: Database) -> None:
    await migrate(any_database)
    store = await open_store(any_database)

    await compare(Shop, lambda bench: Shop(bench, store), any_database, rounds=ROUNDS[any_database.engine])

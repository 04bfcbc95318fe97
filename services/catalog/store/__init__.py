"""Where the catalogue is kept: the contract, and the engine that a URL asks for."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from libs.common.archive import Archive
from libs.common.clock import now
from libs.common.database import Database
from libs.common.errors import Conflict, Invalid, KeyReused, StoreError
from libs.common.messages import Fact
from libs.common.messages.catalog import ProductStatus
from services.catalog.bulk import Outcome
from services.catalog.domain import Category, Parents, Product
from services.catalog.reservations import Reservation
from services.catalog.stock import Movement, Shelves, Stock
from services.catalog.store.rows import ROWS as ROWS

INDEXED_EVERY_SECONDS = 60.0  # how long at most a product is not found by what another version has made it say

ProductAction = Callable[[Product], Fact | None]
CategoryAction = Callable[[Category, Parents], None]
StockAction = Callable[[Stock], Sequence[Fact]]
Show = Callable[[Stock], bytes]
ReservationAction = Callable[[Reservation, Shelves], Sequence[Fact]]

BALANCED_AT_ONCE = 500  # products
MOST_RANKED = 1000  # of what fits, the newest: only they are on a list that is sorted by relevance


class SkuTaken(Invalid):
    """Another product has this SKU."""

    status = HTTPStatus.CONFLICT


class CategoryInUse(Conflict):
    """There are categories or products in it; move or delete them first."""


class TooWide(StoreError):
    """This catalogue's storage can't search so much: narrow it by price and sort by price, or leave filters out."""

    status = HTTPStatus.NOT_IMPLEMENTED


class Sort(StrEnum):
    NEWEST = "newest"
    RELEVANCE = "relevance"
    NAME = "name"
    PRICE = "price"
    PRICE_DOWN = "-price"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of products ended: `value` is what the list is sorted by, `id` decides between equals."""

    sort: Sort
    value: str | int
    id: UUID


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which products; None where it does not matter. Prices are in minor units, both ends included."""

    category: UUID | None = None  # and what is below it
    words: Sequence[str] | None = None  # each begins a word of the product; where there are none, nothing fits
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    status: ProductStatus | None = "published"
    attributes: Sequence[str] = ()  # terms; it has them all

    @property
    def is_indexed(self) -> bool:
        """It asks for what products are found by, beyond what they say themselves."""
        return self.category is not None or self.words is not None or bool(self.attributes)


@dataclass(frozen=True, slots=True)
class Tally:
    total: int
    by_category: Mapping[UUID, int]  # of each that has some, in it or below it; a product counts once


@dataclass(frozen=True, slots=True)
class Page:
    products: list[Product]
    end: Position | None  # where the next page goes on; None where this one is not full


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST of a delivery, as its caller may repeat it."""

    product_id: UUID
    key: str
    fingerprint: bytes  # of the body, to tell a repeat from a reuse

    @property
    def cause(self) -> str:
        """It is marked as well: the version before knows no more of it, and keeps nothing else."""
        return f"receipt {self.product_id} {self.key}"

    def first_answer(self, fingerprint: bytes, answer: bytes) -> bytes:
        """That of which these are kept. Raises KeyReused."""
        if fingerprint != self.fingerprint:
            raise KeyReused
        return answer


class Store(Protocol):
    async def index_anew(self) -> None:
        """Whatever is not found by what it says now: another version has written it, or it was moved here."""

    async def add(self, product: Product, at: datetime) -> None:
        """The product, its empty stock and the fact in one commit. Raises SkuTaken, or Invalid for its category."""

    async def change(self, product_id: UUID, act: ProductAction, *, version: int | None = None) -> Product:
        """Whatever `act` changes, and its fact if it has one, together.

        Raises NotFound, Stale where the product is not at `version`, or as add.
        """

    async def read(self, product_id: UUID) -> Product:
        """Raises NotFound."""

    async def page(self, wanted: Wanted, sort: Sort, after: Position | None, limit: int) -> Page:
        """A page does not move when products are added or deleted. By relevance no more than the MOST_RANKED newest of
        those that fit are listed. May raise TooWide.
        """

    async def counts(self, wanted: Wanted) -> Tally:
        """May raise TooWide."""

    async def put_all(
        self, products: Sequence[Product], at: datetime, *, keeping: Container[UUID] = ()
    ) -> list[Outcome | Invalid]:
        """Each is added, or what has its SKU becomes as it says, which tells nothing where it is so already. Where the
        id is in `keeping`, what is there already keeps its status.

        All in one commit with their facts, except on tables, where each is one. What is refused holds up no other.
        """

    async def add_category(self, category: Category) -> None:
        """Raises Invalid or TooManyCategories."""

    async def change_category(self, category_id: UUID, act: CategoryAction, version: int) -> Category:
        """Raises NotFound or Stale."""

    async def delete_category(self, category_id: UUID, version: int) -> None:
        """Raises NotFound, Stale or CategoryInUse."""

    async def read_category(self, category_id: UUID) -> Category:
        """Raises NotFound."""

    async def categories(self) -> list[Category]:
        """All, by name."""

    async def stock(self, product_id: UUID) -> Stock:
        """Raises NotFound."""

    async def change_stock(
        self, product_id: UUID, act: StockAction, *, version: int | None = None, cause: str | None = None
    ) -> Stock:
        """The change, its facts and its movements together; a cause only once. Raises NotFound or Stale."""

    async def receive(self, delivery: Delivery, act: StockAction, show: Show) -> bytes:
        """The same for a delivery, and what is shown of it: a repeat gets the first answer, also where the product is
        no longer sold. Raises NotFound or KeyReused.
        """

    async def change_reservation(
        self, order_id: UUID, act: ReservationAction, *, cause: str, products: Iterable[UUID] = ()
    ) -> None:
        """The reservation, the stock of `products` and of its own, what moved, and the facts together; a cause only
        once.
        """

    async def movements(self, product_id: UUID, before: int, limit: int) -> list[Movement]:
        """Those to versions before that one, the newest first. Raises NotFound; what is no longer sold has one."""

    async def balance(self, at: datetime) -> None:
        """What moved past the ledger is written into it, some products at a time."""

    async def wait(self, product_id: UUID, customer_id: UUID, at: datetime) -> datetime:
        """Since when the customer waits. Raises NotFound, InStock, WaitingListFull or TooManyWaits."""

    async def waits_since(self, product_id: UUID, customer_id: UUID) -> datetime | None: ...

    async def waits_of(self, customer_id: UUID) -> dict[UUID, datetime]:
        """For which products the customer waits, and since when."""

    async def stop_waiting(self, product_id: UUID, customer_id: UUID) -> None:
        """Whether or not there is such a product, or the customer waits for it."""

    async def call_waiting(self, product_id: UUID, at: datetime) -> bool:
        """Where there is some of it, CALLED_AT_ONCE of those who wait are told, by a fact each, and wait no more, in
        one commit; whether there may be others. Of what is no longer sold they are told nothing.
        """

    async def forget_customer(self, customer_id: UUID) -> None:
        """They wait for nothing any more."""


async def open_store(database: Database) -> Store:
    """Raises Behind where `migrate` is to be run first, and Unfinished where a copy into it has not ended."""
    engine = _engine(database)
    await database.check("catalog", engine.schema)
    store = engine.store(database)
    await store.index_anew()
    return store


async def migrate(database: Database) -> None:
    """Also makes up for what an instance of the version before left undone: what is there is found, and whatever has
    moved is in the ledger.

    It takes its time, and a service that starts later finds it done.
    """
    engine = _engine(database)
    await database.migrate("catalog", engine.schema)
    store = engine.store(database)
    await store.index_anew()
    await store.balance(now())


def open_archive(database: Database) -> Archive:
    """All of ROWS, for moving them to another engine."""
    return _engine(database).archive(database)


class _Engine(NamedTuple):
    schema: str
    store: Callable[[Any], Store]
    archive: Callable[[Any], Archive]


def _engine(database: Database) -> _Engine:
    """Only this engine's modules are imported."""
    match database.engine:
        case "postgres":
            from libs.common.postgres_archive import PostgresArchive
            from services.catalog.store import postgres

            return _Engine(postgres.SCHEMA, postgres.PostgresStore, PostgresArchive)
        case "azuresql":
            from libs.common.azuresql_archive import AzureSqlArchive
            from services.catalog.store import azuresql

            return _Engine(azuresql.SCHEMA, azuresql.AzureSqlStore, AzureSqlArchive)
        case _:
            from services.catalog.store import tables, tables_rows

            return _Engine(tables.SCHEMA, tables.TablesStore, tables_rows.archive)

"""A service's books in Table Storage, read with the account's key over its REST API: the SDK would double the audit."""

import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
from msgspec import Struct, convert

from localcloud.azurite import Azurite
from localcloud.books import Line, Offer, Order, Reservation, Stock, Unreadable, pieces, story

TIMEOUT = aiohttp.ClientTimeout(total=30)
WITHOUT_METADATA = {"Accept": "application/json;odata=nometadata", "DataServiceVersion": "3.0"}
NEXT = ("NextPartitionKey", "NextRowKey")  # where an answer of a thousand goes on


class Figures(Struct, frozen=True):
    product_id: UUID
    on_hand: int
    reserved: int
    sold: int
    received: int


class Moved(Figures, frozen=True):
    """By how much each has changed, to which version."""

    version: int


class Intent(Struct, frozen=True):
    order_id: UUID
    attempt: str


class Shelf(Struct, frozen=True):
    figures: Figures
    intent: Intent | None


class Reserved(Struct, frozen=True):
    status: str
    lines: list[Line]
    attempt: str
    redo: list[Figures]  # what that attempt has made of the stock
    moved: list[Moved] = []  # and how
    returned: bool = False


class Details(Struct, frozen=True):
    sku: str
    name: str
    price: int
    currency: str
    status: str
    tax_rate: int


class Product(Struct, frozen=True):
    id: UUID
    version: int
    deleted: bool
    details: Details


class Price(Offer, frozen=True):
    product_id: UUID


class Listed(Struct, frozen=True):
    price: Price
    listed: bool


class Ordered(Struct, frozen=True):
    id: UUID
    customer_id: UUID
    status: str
    lines: list[Line]


class Entry(Struct, frozen=True):
    """Of an order's history, or of the timeline beside it."""

    version: int
    status: str = ""
    kind: str = "told"
    name: str = ""


class Key(Struct, frozen=True):
    order_id: UUID


class Entity(Struct, frozen=True):
    row: str
    body: bytes


@dataclass(frozen=True, slots=True)
class TablesLedger:
    session: aiohttp.ClientSession
    storage: Azurite
    table: str

    @classmethod
    @asynccontextmanager
    async def open(cls, storage: Azurite, table: str) -> AsyncIterator["TablesLedger"]:
        connector = aiohttp.TCPConnector(ssl=storage.certificates.client_context())
        async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
            yield cls(session, storage, table)

    async def unpublished(self) -> int:
        return len(await self._range("x|"))

    async def unpublishable(self) -> int:
        return len(await self._range("dead|"))

    async def stocks(self) -> list[Stock]:
        reserved = await self._reserved()
        return [_stock(_as_committed(shelf, reserved)) for shelf in await self._shelves()]

    async def movements(self) -> list[Stock]:
        """Those too that are committed, and not written yet."""
        reserved = await self._reserved()
        listed = await self._range("m|")  # with the members of categories, which have no body
        moved = [msgspec.json.decode(entity.body, type=Moved) for entity in listed if entity.body]
        for shelf in await self._shelves():
            if owner := _owner(shelf, reserved):
                moved += [each for each in owner.moved if each.product_id == shelf.figures.product_id]
        return [_stock(each) for each in _sums(moved)]

    async def _shelves(self) -> list[Shelf]:
        return [msgspec.json.decode(entity.body, type=Shelf) for entity in await self._range("s|")]

    async def reservations(self) -> dict[UUID, Reservation]:
        """One that is new was only written so that an attempt at it failed."""
        known = (await self._reserved()).items()
        return {key: Reservation(_status(each), pieces(each.lines)) for key, each in known if each.status != "new"}

    async def _reserved(self) -> dict[UUID, Reserved]:
        return {
            UUID(entity.row.removeprefix("r|")): msgspec.json.decode(entity.body, type=Reserved)
            for entity in await self._range("r|")
        }

    async def offers(self) -> dict[UUID, Offer]:
        known = [msgspec.json.decode(entity.body, type=Product) for entity in await self._range("p|")]
        return {each.id: _offer(each) for each in known if each.details.status == "published" and not each.deleted}

    async def prices(self) -> dict[UUID, Offer]:
        known = [msgspec.json.decode(entity.body, type=Listed) for entity in await self._range("p|")]
        return {
            each.price.product_id: convert(each.price, Offer, from_attributes=True) for each in known if each.listed
        }

    async def unsettled(self) -> int:
        return sum(order.status == "placed" for order in await self._ordered())

    async def orders(self) -> dict[UUID, Order]:
        told: dict[UUID, list[tuple[int, str]]] = {}
        for entity in (*await self._range("h|"), *await self._range("t|")):
            entry = msgspec.json.decode(entity.body, type=Entry)
            if entry.kind == "told":
                told.setdefault(UUID(entity.row.split("|")[1]), []).append((entry.version, entry.status or entry.name))
        return {
            order.id: Order.of(order.customer_id, order.status, order.lines, story(told.get(order.id, [])))
            for order in await self._ordered()
        }

    async def _ordered(self) -> list[Ordered]:
        return [msgspec.json.decode(entity.body, type=Ordered) for entity in await self._range("o|")]

    async def keys(self) -> Counter[UUID]:
        return Counter(msgspec.json.decode(each.body, type=Key).order_id for each in await self._range("i|"))

    async def _range(self, prefix: str) -> list[Entity]:
        """Of all partitions: a look through the whole table, which an operator may take. Raises Unreadable."""
        sought = f"RowKey ge '{prefix}' and RowKey lt '{prefix[:-1]}}}'"  # } is what comes after |
        found, place = list[Entity](), dict[str, str]()
        while True:
            headers = self.storage.asking(self.table, datetime.now(UTC)) | WITHOUT_METADATA
            url, query = f"{self.storage.tables}/{self.table}()", {"$filter": sought, **place}
            try:
                async with self.session.get(url, params=query, headers=headers, raise_for_status=True) as answer:
                    found += map(_entity, msgspec.json.decode(await answer.read())["value"])
                    place = {name: answer.headers[f"x-ms-continuation-{name}"] for name in NEXT if _on(answer, name)}
            except (aiohttp.ClientError, OSError) as error:
                raise Unreadable(f"Azurite: {error or type(error).__name__}") from error
            if not place:
                return found


def _on(answer: aiohttp.ClientResponse, name: str) -> bool:
    return f"x-ms-continuation-{name}" in answer.headers


def _entity(found: dict[str, Any]) -> Entity:
    """A body is in as many binary properties as it needs: b0, b1, …"""
    names = sorted((name for name in found if name[0] == "b"), key=lambda name: int(name[1:]))
    return Entity(found["RowKey"], b"".join(base64.b64decode(found[name]) for name in names))


def _as_committed(shelf: Shelf, reserved: dict[UUID, Reserved]) -> Figures:
    """An intent counts if its reservation tells of the same attempt, whether or not the new figures are written."""
    owner = _owner(shelf, reserved)
    if owner is None:
        return shelf.figures
    return next(each for each in owner.redo if each.product_id == shelf.figures.product_id)


def _owner(shelf: Shelf, reserved: dict[UUID, Reserved]) -> Reserved | None:
    owner = reserved.get(shelf.intent.order_id) if shelf.intent else None
    return owner if owner and shelf.intent and owner.attempt == shelf.intent.attempt else None


def _offer(product: Product) -> Offer:
    said = product.details
    return Offer(said.sku, said.name, said.price, said.currency, product.version, said.tax_rate)


def _status(reserved: Reserved) -> str:
    return "returned" if reserved.returned else reserved.status


def _stock(of: Figures) -> Stock:
    return Stock(of.product_id, of.received, of.on_hand, of.reserved, of.sold)


def _sums(moved: Iterable[Moved]) -> list[Figures]:
    """By product. What is to be written may be written meanwhile: each version counts once."""
    once = {(each.product_id, each.version): each for each in moved}
    sums: dict[UUID, Figures] = {}
    for product_id, each in ((key[0], each) for key, each in once.items()):
        so_far = sums.get(product_id, Figures(product_id, 0, 0, 0, 0))
        sums[product_id] = Figures(
            product_id,
            so_far.on_hand + each.on_hand,
            so_far.reserved + each.reserved,
            so_far.sold + each.sold,
            so_far.received + each.received,
        )
    return list(sums.values())

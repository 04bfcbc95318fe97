"""Customers in Table Storage, all in one partition: so an e-mail address is one customer's by one transaction.

A partition bears some 2,000 entities in a second, which is hundreds of registrations.
"""

from collections.abc import Callable
from hashlib import sha256
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.common.entities import Change, Entity
from libs.common.errors import NotFound, Stale
from libs.common.tables import Tables
from services.customers.domain import Customer, Preferences, Profile
from services.customers.store import Action, EmailTaken, Page, Wanted
from services.customers.store.rows import CustomerRow, KeptBook

SCHEMA = "-- migration 1: customers `c|`, and who has an e-mail address `e|`\n"
CUSTOMERS = "customers"
MOST_WALKED = 1000  # entities for one page: where few fit, pages are short, and the list goes on


class KeptProfile(Struct, frozen=True):
    name: str
    email: str
    language: str
    address: KeptBook | None
    preferences: Preferences | None = None


class KeptCustomer(Struct, frozen=True):
    """An entity's body: what the version before reads and writes, and more."""

    id: UUID
    profile: KeptProfile | None
    status: str
    version: int


PERSONAL = KeptProfile.__struct_fields__

_kept = msgspec.json.Decoder(KeptCustomer)


class TablesStore:
    def __init__(self, database: Tables, *, most_walked: int = MOST_WALKED) -> None:
        self._table, self._most_walked = database.table, most_walked

    async def register(self, customer_id: UUID, act: Action) -> Customer:
        return await self._changed(customer_id, act, lambda customer: None)

    async def change(self, customer_id: UUID, act: Action, *, version: int | None = None) -> Customer:
        def admit(customer: Customer) -> None:
            _registered(customer)
            if version not in (None, customer.version):
                raise Stale

        return await self._changed(customer_id, act, admit)

    async def read(self, customer_id: UUID) -> Customer:
        return _registered((await self._known(customer_id))[1])

    async def page(self, wanted: Wanted, after: UUID | None, limit: int) -> Page:
        """Whom an address leads to is read; all others are found by walking along the list, further for one status."""
        if wanted.email is not None:
            return Page([each for each in await self._with_email(wanted.email) if _fits(each, wanted, after)], None)
        first, found = row_of(after) + "!" if after else "c|", list[Customer]()
        most = self._most_walked if wanted.status else min(limit, self._most_walked)
        entities = await self._table.range(CUSTOMERS, first, "c}", most)
        for entity in entities:
            customer = decoded(entity.body)
            if _fits(customer, wanted, after):
                found.append(customer)
            if len(found) == limit:
                return Page(found, customer.id)
        return Page(found, decoded(entities[-1].body).id if len(entities) == most else None)

    async def _with_email(self, email: str) -> list[Customer]:
        claim = await self._table.read(CUSTOMERS, claim_row(email))
        return [(await self._known(UUID(bytes=claim.body)))[1]] if claim else []

    async def _changed(self, customer_id: UUID, act: Action, admit: Callable[[Customer], None]) -> Customer:
        async def attempt() -> Customer:
            entity, customer = await self._known(customer_id)
            admit(customer)
            before = customer.profile
            if fact := act(customer):
                change = Change(CUSTOMERS)
                if entity:
                    change.replace(entity, encoded(CustomerRow.of(customer)))
                else:
                    change.create(row_of(customer_id), encoded(CustomerRow.of(customer)))
                await self._claim(change, customer, before)
                change.tell(fact)
                await self._table.submit(change)
            return customer

        return await self._table.retried(row_of(customer_id), attempt)

    async def _claim(self, change: Change, customer: Customer, before: Profile | None) -> None:
        """The new address is theirs, the old one is free. Raises EmailTaken."""
        old, new = (claim_row(each.email) if each else "" for each in (before, customer.profile))
        if new and new != old:
            if await self._table.read(CUSTOMERS, new):
                raise EmailTaken
            change.create(new, customer.id.bytes)
        if old and old != new:
            change.remove(old)

    async def _known(self, customer_id: UUID) -> tuple[Entity | None, Customer]:
        entity = await self._table.read(CUSTOMERS, row_of(customer_id))
        return entity, decoded(entity.body) if entity else Customer(customer_id)


def row_of(customer_id: UUID) -> str:
    return f"c|{customer_id}"


def claim_row(email: str) -> str:
    """Addresses are the same where they differ in upper and lower case only; keys hold no personal data."""
    return f"e|{sha256(email.lower().encode()).hexdigest()}"


def encoded(row: CustomerRow) -> bytes:
    profile = None
    if row.name is not None and row.email is not None and row.language is not None:
        profile = KeptProfile(row.name, row.email, row.language, row.address, row.preferences)
    return msgspec.json.encode(KeptCustomer(row.id, profile, row.status, row.version))


def row_in(body: bytes) -> CustomerRow:
    kept = _kept.decode(body)
    said = msgspec.structs.asdict(kept.profile) if kept.profile else dict.fromkeys(PERSONAL)
    return CustomerRow(id=kept.id, status=kept.status, version=kept.version, **said)


def decoded(body: bytes) -> Customer:
    return row_in(body).customer()


def _fits(customer: Customer, wanted: Wanted, after: UUID | None) -> bool:
    """Of the erased, only a tombstone is on the list."""
    beyond = after is None or customer.id > after
    return bool(customer.profile) and beyond and wanted.status in (None, customer.status)


def _registered(customer: Customer) -> Customer:
    if customer.profile is None:
        raise NotFound
    return customer

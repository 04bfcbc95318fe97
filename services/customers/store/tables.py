"""Customers in Table Storage, all in one partition: so an e-mail address is one customer's by one transaction.

A partition bears some 2,000 entities in a second, which is hundreds of registrations.
"""

from collections.abc import Callable
from hashlib import sha256
from uuid import UUID

import msgspec

from libs.common.entities import Change, Entity
from libs.common.errors import NotFound, Stale
from libs.common.tables import Tables
from services.customers.domain import Customer, Profile
from services.customers.store import Action, EmailTaken

SCHEMA = "-- migration 1: customers `c|`, and who has an e-mail address `e|`\n"
CUSTOMERS = "customers"

_customer = msgspec.json.Decoder(Customer)


class TablesStore:
    def __init__(self, database: Tables) -> None:
        self._table = database.table

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

    async def _changed(self, customer_id: UUID, act: Action, admit: Callable[[Customer], None]) -> Customer:
        async def attempt() -> Customer:
            entity, customer = await self._known(customer_id)
            admit(customer)
            before = customer.profile
            if fact := act(customer):
                change = Change(CUSTOMERS)
                if entity:
                    change.replace(entity, msgspec.json.encode(customer))
                else:
                    change.create(row_of(customer_id), msgspec.json.encode(customer))
                await self._claim(change, customer, before)
                change.tell(fact)
                await self._table.submit(change)
            return customer

        return await self._table.retried(row_of(customer_id), attempt)

    async def _claim(self, change: Change, customer: Customer, before: Profile | None) -> None:
        """The new address is theirs, the old one is free. Raises EmailTaken."""
        old, new = claim_row(before), claim_row(customer.profile)
        if new and new != old:
            if await self._table.read(CUSTOMERS, new):
                raise EmailTaken
            change.create(new, customer.id.bytes)
        if old and old != new:
            change.remove(old)

    async def _known(self, customer_id: UUID) -> tuple[Entity | None, Customer]:
        entity = await self._table.read(CUSTOMERS, row_of(customer_id))
        return entity, _customer.decode(entity.body) if entity else Customer(customer_id)


def row_of(customer_id: UUID) -> str:
    return f"c|{customer_id}"


def claim_row(profile: Profile | None) -> str:
    """Addresses are the same where they differ in upper and lower case only; keys hold no personal data."""
    return f"e|{sha256(profile.email.lower().encode()).hexdigest()}" if profile else ""


def _registered(customer: Customer) -> Customer:
    if customer.profile is None:
        raise NotFound
    return customer

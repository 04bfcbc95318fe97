"""Where in Table Storage each row of customers lies, and what else goes with it."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from libs.common.archive import Row
from libs.common.entities import Entity
from libs.common.tables import Tables
from libs.common.tables_archive import Kept, Place, TablesArchive, like
from services.customers.domain import Customer, Profile
from services.customers.store.rows import CustomerRow
from services.customers.store.tables import CUSTOMERS, claim_row, row_of

PERSONAL = ("name", "email", "language", "address")


class KeptCustomers(Kept):
    async def row(self, database: Tables, entity: Entity) -> CustomerRow:
        customer = msgspec.json.decode(entity.body, type=Customer)
        said = {name: getattr(customer.profile, name, None) for name in PERSONAL}
        return CustomerRow(id=customer.id, status=customer.status, version=customer.version, **said)

    def places(self, row: CustomerRow) -> Iterable[Place]:
        """With the claim on their address, if they have one."""
        profile = like(Profile, row) if row.name is not None else None
        customer = replace(like(Customer, row), profile=profile)
        yield Place(CUSTOMERS, row_of(row.id), msgspec.json.encode(customer))
        if profile:
            yield Place(CUSTOMERS, claim_row(profile), row.id.bytes)


KEPT: dict[type[Row], Kept] = {CustomerRow: KeptCustomers([CUSTOMERS], "c|")}
MARKED: tuple[str, ...] = ()  # they hear nothing


def archive(database: Tables) -> TablesArchive:
    return TablesArchive.of(database, KEPT, MARKED)

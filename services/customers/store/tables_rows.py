"""Where in Table Storage each row of customers lies, and what else goes with it."""

from collections.abc import Iterable

from libs.common.archive import Row
from libs.common.entities import Entity
from libs.common.tables import Tables
from libs.common.tables_archive import Kept, Place, TablesArchive
from services.customers.store.rows import CustomerRow
from services.customers.store.tables import CUSTOMERS, claim_row, encoded, row_in, row_of


class KeptCustomers(Kept):
    async def row(self, database: Tables, entity: Entity) -> CustomerRow:
        return row_in(entity.body)

    def places(self, row: CustomerRow) -> Iterable[Place]:
        """With the claim on their address, if they have one."""
        yield Place(CUSTOMERS, row_of(row.id), encoded(row))
        if row.email is not None:
            yield Place(CUSTOMERS, claim_row(row.email), row.id.bytes)


KEPT: dict[type[Row], Kept] = {CustomerRow: KeptCustomers([CUSTOMERS], "c|")}
MARKED: tuple[str, ...] = ()  # they hear nothing


def archive(database: Tables) -> TablesArchive:
    return TablesArchive.of(database, KEPT, MARKED)

"""Customers hear nothing, and what comes all the same is refused where it can be seen."""

import pytest

from libs.common.inbox import UnknownType, react
from libs.common.postgres import Postgres
from services.customers.reactions import REACTIONS
from services.customers.store.postgres import PostgresStore


@pytest.mark.real
async def test_any_message_is_of_an_unknown_type(database: Postgres) -> None:
    body = b'{"id":"1","source":"/somebody","type":"store.orders.order-placed.v1","time":"","specversion":"1.0"}'

    with pytest.raises(UnknownType):
        await react(body, REACTIONS, PostgresStore(database))

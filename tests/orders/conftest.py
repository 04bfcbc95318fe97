"""The store of orders, on every engine."""

import pytest

from libs.common.database import Database
from services.orders.store import Store, migrate, open_store
from tests.orders.ordering import stock_up


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    opened = await open_store(any_database)
    await stock_up(opened)
    return opened

"""A service at a time, with something of Ada's in it."""

from collections.abc import AsyncIterator

import pytest

from libs.common.auth import Verifier
from libs.common.postgres import Postgres
from tests.access.shops import SERVICES, Shop, opened
from tests.tokens import Tokens


@pytest.fixture(params=SERVICES)
async def shop(
    request: pytest.FixtureRequest, database: Postgres, verifier: Verifier, tokens: Tokens
) -> AsyncIterator[Shop]:
    async with opened(request.param, database, verifier, tokens) as shop:
        yield shop

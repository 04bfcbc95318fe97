"""What the stories are told on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from localcloud import azuresql
from localcloud.engines import SERVICES
from tests.engines.azuresql import Server

# In this order everywhere, so that pytest tells all stories of one engine before it starts the next one.
told_on_each_engine = pytest.mark.parametrize(
    "told_on", ["postgres", "tables", pytest.param("orders=tables", id="mixed"), "azuresql"], indirect=True
)


@dataclass(frozen=True, slots=True)
class Ground:
    engine: str  # as `make run ENGINE=` takes it
    server: Server | None  # where azuresql is among them

    @asynccontextmanager
    async def own(self) -> AsyncIterator[None]:
        """Databases of its own for a store that starts inside, also where another one uses the same server."""
        if not self.server:
            yield
            return
        url = urlsplit(self.server.url)._replace(path=f"/store_{uuid4().hex[:8]}").geturl()
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(azuresql.VARIABLE, url)
            yield
        for name in SERVICES:
            await self.server.administer(f"DROP DATABASE IF EXISTS {azuresql.database_of(url, name)}")

"""What the stories are told on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

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
    async def cleared(self) -> AsyncIterator[None]:
        """A server that many stores use in turn is left as it was."""
        yield
        if self.server:
            for name in SERVICES:
                await self.server.administer(f"DROP DATABASE IF EXISTS {name}")

"""All that a service keeps, copied from one engine to another: as it is, and interrupted at every turn."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from libs.common.archive import Archive, Page, Row
from libs.common.copying import copy
from libs.common.database import Database
from libs.common.migrations import Unfinished
from tests.engines import Engine, tell_all

SMALL = 3  # rows of a page, so that there are several
ORIGIN = "somewhere"


class Cut(Exception):
    """The copy ends here."""


@dataclass(slots=True)
class Cutting:
    """An archive that is written to so often, and then no more: before or after a page is there."""

    archive: Archive
    writes: int
    late: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.archive, name)

    async def write(self, kind: type[Row], page: Page) -> None:
        if self.writes == 0 and not self.late:
            raise Cut
        await self.archive.write(kind, page)
        if self.writes == 0:
            raise Cut
        self.writes -= 1


@dataclass(frozen=True, slots=True)
class Move:
    """`service` is a service's package `store`; `see` shows all that a caller can see."""

    service: Any
    fill: Callable[[Any], Awaitable[None]]
    see: Callable[[Any, Database], Awaitable[Any]]

    async def goes_well(self, source: Engine, target: Engine) -> None:
        async with self._filled(source) as there, target.database() as here:
            await self.service.migrate(here)
            said = list[str]()
            await copy(self._archive(there), self._archive(here), self.service.ROWS, origin=ORIGIN, say=said.append)
            await self._is_the_same(there, here)
        assert [line for line in said if "checksum" in line]

    async def goes_on(self, source: Engine, target: Engine) -> None:
        """After it was interrupted at each turn; meanwhile no service starts on it."""
        async with self._filled(source) as there, target.database() as here:
            await self.service.migrate(here)
            late, done = False, False
            while not done:
                late = not late
                cutting = Cutting(self._archive(here), 1, late)
                try:
                    await copy(self._archive(there), cutting, self.service.ROWS, origin=ORIGIN, say=len)  # type: ignore[arg-type]
                    done = True
                except Cut:
                    with pytest.raises(Unfinished):
                        await self.service.open_store(here)
            await self._is_the_same(there, here)

    async def _is_the_same(self, there: Database, here: Database) -> None:
        seen = [await self.see(await self.service.open_store(each), each) for each in (there, here)]
        assert seen[0] == seen[1]

    @asynccontextmanager
    async def _filled(self, engine: Engine) -> AsyncIterator[Database]:
        async with engine.database() as database:
            await self.service.migrate(database)
            await self.fill(await self.service.open_store(database))
            await tell_all(database)
            yield database

    def _archive(self, database: Database) -> Archive:
        small: Archive = replace(self.service.open_archive(database), most=SMALL)
        return small

"""The way out for letters is closed for a while: no order waits for it, and each letter goes out later, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from localcloud.addresses import Port
from tests.localcloud.programs import free_ports, state_of
from tests.stories.shop import Shop
from tests.stories.store import RunningStore
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(300)]

MOST = 65536


@dataclass(slots=True)
class Line:
    """What lies between the store and its mail server, and can be cut."""

    port: int
    to: int = 0
    refused: int = 0
    cut: bool = False

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._called, "127.0.0.1", self.port):
            yield

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            if self.cut:
                self.refused += 1
            else:
                there, back = await asyncio.open_connection("127.0.0.1", self.to)
                await asyncio.gather(_carry(reader, back), _carry(there, writer))
        writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await reader.read(MOST):
            writer.write(some)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def store_behind(line: Line, scheme: str, folder: Path, to: Port) -> AsyncIterator[tuple[RunningStore, Shop]]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MAIL_URL", f"{scheme}://127.0.0.1:{line.port}")
        async with RunningStore.start(folder, "postgres") as running:
            run = running.run()
            line.to = run.base_port + to
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
                yield running, Shop(session, run.addresses["gateway"], run.addresses["letters"], running.token)


@pytest.mark.parametrize(("scheme", "to"), [("smtp", Port.SMTP), ("https", Port.EMAIL)], ids=["smtp", "azure"])
async def test_while_the_mail_server_is_away_orders_go_on_and_each_letter_comes_later_once(
    tmp_path_factory: pytest.TempPathFactory, scheme: str, to: Port
) -> None:
    line = Line(free_ports(1), cut=True)
    with state_of(tmp_path_factory.mktemp("store")) as folder:
        async with line.laid(), store_behind(line, scheme, folder, to) as (running, shop):
            product, buyer = await shop.product(stock=5), await shop.customer()
            orders = [await buyer.settled(await buyer.order(product)) for _ in range(3)]
            await until(partial(_refusals, line), lambda refused: refused >= 3)
            assert await shop.letters(buyer) == []

            line.cut = False
            await running.quiet()

            letters = await shop.letters(buyer)
            assert sorted(letter["message_id"] for letter in letters) == sorted(
                f"<confirmed-{order['id']}@store>" for order in orders
            )
            assert {letter["repeats"] for letter in letters} == {0}
            assert running.logged(b"@example.org") == {}


async def _refusals(line: Line) -> int:
    return line.refused

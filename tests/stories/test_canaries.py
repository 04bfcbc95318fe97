"""Law 7: orders, refusals and failures with every process at DEBUG; nothing secret or personal in a line of any log."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from localcloud import provision
from localcloud.store import Store
from tests.localcloud.programs import state_of
from tests.stories.ground import Ground
from tests.stories.shop import Buyer, Shop
from tests.stories.store import RunningStore

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(300)]

# Each service on each engine; no ground of other stories, which have a store there at the same time.
ON = [
    "postgres",
    pytest.param("catalog=azuresql,orders=tables,customers=azuresql", id="azuresql-with-tables"),
    pytest.param("catalog=tables,orders=azuresql,customers=tables", id="tables-with-azuresql"),
]
MARK = "kanarie"
HOME = {
    "name": f"{MARK}home",
    "street": f"{MARK}street 7",
    "city": f"{MARK}city",
    "postal_code": "50667",
    "country": "DE",
}
PERSON = {"name": f"Ada {MARK}name", "email": f"{MARK}.mail@example.org", "addresses": [HOME], "language": "de"}


@pytest.fixture
async def talkative(told_on: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningStore]:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    with state_of(tmp_path) as folder:
        async with told_on.own(), RunningStore.start(folder, told_on.engine) as store:
            yield store


async def secrets_of(store: RunningStore) -> dict[str, str]:
    """Made at random for this store: passwords of the databases, keys of the cursors, keys of the functions."""
    run = store.run()
    opened = await asyncio.to_thread(Store.open, store.folder, run.base_port, datetime.now(UTC), run.engines)
    kept = await provision._secrets(opened, {})
    files = (opened.state.identity / "header", *opened.state.folder.rglob("*.key"))
    return kept | {path.name: path.read_text(errors="replace").strip() for path in files}


async def refusals(shop: Shop, buyer: Buyer) -> None:
    """What is wrong in each way, with something personal in it."""
    token = shop.token("customer", buyer.id)
    other = Buyer(shop, uuid4())
    assert (await other.call("POST", "/api/customers", json=PERSON)).status == 409
    assert (await other.call("POST", "/api/customers", json=PERSON | {"email": f"{MARK} no mail"})).status == 422
    assert (await other.call("POST", "/api/customers", json=PERSON | {f"{MARK}field": 1})).status == 422
    assert (await shop.call("GET", "/api/orders", token=f"{token}x")).status == 401
    assert (await shop.call("GET", f"/api/orders?access_token={token}", token=token)).status == 422
    assert (await buyer.call("GET", f"/api/customers?email={PERSON['email']}")).status == 403
    assert (await shop.as_admin("GET", f"/api/customers?email={PERSON['email']}")).status == 200
    assert (await buyer.call("GET", f"/api/customer-data/{buyer.id}")).status == 200


async def failures(store: RunningStore, shop: Shop, buyer: Buyer, product: str) -> list[str]:
    """Everything dies once, with an order under way."""
    placed = []
    parts = ("cloud", "functions", "catalog", "customers", "orders", "postgres")
    for part in (each for each in parts if each in store.run().parts):
        store.kill(part)
        placed.append(await buyer.order(product))
    return placed


@pytest.mark.parametrize("told_on", ON, indirect=True)
async def test_no_secret_and_nothing_personal_is_in_a_line_of_any_log(talkative: RunningStore) -> None:
    addresses = talkative.run().addresses
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        shop = Shop(session, addresses["gateway"], addresses["letters"], talkative.token)
        buyer, product = Buyer(shop, uuid4()), await shop.product(stock=20)
        assert (await buyer.call("POST", "/api/customers", json=PERSON)).status == 201
        settled = [await buyer.settled(await buyer.order(product, quantity=many)) for many in (1, 50)]
        await refusals(shop, buyer)
        settled += [await buyer.settled(each) for each in await failures(talkative, shop, buyer, product)]
        await talkative.quiet()
        assert (await buyer.call("DELETE", f"/api/customers/{buyer.id}")).status == 204
        await talkative.quiet()
        token = shop.token("customer", buyer.id)
        canaries = await secrets_of(talkative) | {
            "a person": MARK,
            "a token": token,
            "its signature": token.rpartition(".")[2],
            "any token": "eyJ",
            "whoever calls": "Bearer ey",
        }

    assert {order["status"] for order in settled} == {"confirmed", "rejected"}
    assert len(canaries) > 10 and all(len(value) > 2 for value in canaries.values())
    started = (talkative.folder / "launcher.log").read_bytes()
    for what, value in canaries.items():
        assert talkative.logged(value.encode()) == {}, what
        assert value.encode() not in started, what
    assert {"catalog", "orders", "customers"} <= set(talkative.logged(b"request.answered"))

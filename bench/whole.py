"""What the benchmarks of the whole store have in common: goods to sell, and the wait until it rests."""

from collections.abc import Mapping

from deploy.temporary import TemporaryStore
from localcloud import flow
from localcloud.waiting import until

STOCK = 10**6


async def stock_up(store: TemporaryStore, count: int) -> list[str]:
    """Products of which there are enough, known to all who must know them."""
    made = [await _product(store, number) for number in range(count)]
    await at_rest(store, {}, seconds=60.0)
    return made


async def at_rest(store: TemporaryStore, left: Mapping[str, int], *, seconds: float) -> None:
    """Until so much is on its way between the parts, and no more. Raises TimeoutError."""

    async def look() -> Mapping[str, int]:
        return (await flow.read(store.session, store.letters)).waiting()

    await until(look, left.__eq__, seconds=seconds)


async def _product(store: TemporaryStore, number: int) -> str:
    body = {"name": "Mug", "sku": f"BENCH-{number}", "price": 1250, "currency": "EUR", "opening_stock": STOCK}
    admin, url = store.people().authorization("admin"), f"{store.gateway}/api/products"
    async with store.session.post(url, json=body, headers=admin, raise_for_status=True) as answer:
        return str((await answer.json())["id"])

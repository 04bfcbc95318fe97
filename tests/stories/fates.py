"""Orders of every fate at once, and the end that each comes to whatever happens to the messages on its way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.stories.bank import DECLINED, LATE_YES, OPEN, REPEATED, Bank
from tests.stories.shop import Buyer, Shop
from tests.waiting import until

STOCK = 5
USUAL = 1250


@dataclass(frozen=True, slots=True)
class End:
    """What the customer, the provider, the mail box and the shelf say of an order."""

    status: str
    told: str  # after it was placed
    paid: str
    letters: str
    stock: tuple[int, int, int]  # on hand, reserved, sold


@dataclass(frozen=True, slots=True)
class Placed:
    fate: str
    buyer: Buyer
    product: str
    order_id: str


Act = Callable[[Shop, Bank, Placed], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Fate:
    price: int
    pieces: int
    act: Act
    end: End


async def settle(shop: Shop, bank: Bank, placed: Placed) -> None:
    await placed.buyer.settled(placed.order_id)


async def cancel(shop: Shop, bank: Bank, placed: Placed) -> None:
    """When its stock is set aside and the provider has heard of it."""
    await until(lambda: bank.movements(placed.order_id), bool)
    answer = await placed.buyer.call("POST", f"/api/orders/{placed.order_id}/cancel")
    assert (answer.status, answer.body["status"]) == (200, "cancelled")


async def send_back(shop: Shop, bank: Bank, placed: Placed) -> None:
    await settle(shop, bank, placed)
    for verb in ("ship", "deliver", "return"):
        answer = await shop.as_admin("POST", f"/api/orders/{placed.order_id}/{verb}", json={})
        assert answer.status == 200, answer


ASKED = "payment-requested"
CONFIRMED = f"{ASKED} order-confirmed"
PAID = "authorised captured"
FATES = {
    "confirmed": Fate(USUAL, 2, settle, End("confirmed", CONFIRMED, PAID, "confirmed", (3, 0, 2))),
    "told of its payment three times": Fate(
        REPEATED, 1, settle, End("confirmed", CONFIRMED, PAID, "confirmed", (4, 0, 1))
    ),
    "told of its payment late": Fate(
        LATE_YES, 1, settle, End("confirmed", CONFIRMED, f"pending {PAID}", "confirmed", (4, 0, 1))
    ),
    "declined": Fate(
        DECLINED, 1, settle, End("rejected", f"{ASKED} order-rejected", "declined", "rejected", (STOCK, 0, 0))
    ),
    "cancelled": Fate(
        OPEN, 1, cancel, End("cancelled", f"{ASKED} order-cancelled", "pending voided", "cancelled", (STOCK, 0, 0))
    ),
    "sent back": Fate(
        USUAL,
        3,
        send_back,
        End(
            "returned",
            f"{CONFIRMED} order-shipped order-delivered order-returned",
            f"{PAID} refunded",
            "confirmed returned shipped",
            (STOCK, 0, 0),
        ),
    ),
    "sold out": Fate(USUAL, STOCK + 1, settle, End("rejected", "order-rejected", "", "rejected", (STOCK, 0, 0))),
}


async def place_all(shop: Shop, bank: Bank, each: int) -> Sequence[Placed]:
    """So many of each fate, all at once; done when all are settled."""
    return await asyncio.gather(*(_place(shop, bank, fate) for fate in FATES for _ in range(each)))


async def _place(shop: Shop, bank: Bank, fate: str) -> Placed:
    its = FATES[fate]
    product, buyer = await shop.product(stock=STOCK, price=its.price), await shop.customer()
    placed = Placed(fate, buyer, product, await buyer.order(product, quantity=its.pieces))
    await its.act(shop, bank, placed)
    return placed


async def end_of(placed: Placed, shop: Shop, bank: Bank) -> End:
    """For a store that is at rest."""
    path, stock = f"/api/orders/{placed.order_id}", (await shop.stock(placed.product)).body
    story = (await placed.buyer.call("GET", f"{path}/timeline")).body["items"]
    letters = [letter["message_id"].partition("-")[0].lstrip("<") for letter in await shop.letters(placed.buyer)]
    return End(
        (await placed.buyer.call("GET", path)).body["status"],
        " ".join(entry["name"] for entry in story if entry["kind"] == "told").removeprefix("order-placed "),
        " ".join(await bank.movements(placed.order_id)),
        " ".join(sorted(letters)),
        (stock["on_hand"], stock["reserved"], stock["sold"]),
    )

"""One order, from the click to the letter, told step by step. `make order`"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from localcloud import runfile, sample
from localcloud.people import People
from localcloud.runfile import NotRunning
from localcloud.store import state_folder
from localcloud.waiting import until

TIMEOUT = aiohttp.ClientTimeout(total=10)
STEP_SECONDS = 30.0
MEANING = "validated by process_order, set aside and sold by the catalogue"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Buyer:
    """Raises aiohttp.ClientResponseError where the store refuses, TimeoutError where it takes too long."""

    session: aiohttp.ClientSession
    gateway: str
    letters: str
    authorization: dict[str, str]

    async def in_stock(self) -> list[Any]:
        return list((await self._get(f"{self.gateway}/api/products?in_stock=true&limit=100"))["items"])

    async def order(self, product_id: str) -> Any:
        """What was accepted."""
        headers = {**self.authorization, "Idempotency-Key": uuid4().hex}
        body = {"lines": [{"product_id": product_id, "quantity": 1}]}
        url = f"{self.gateway}/api/orders"
        async with self.session.post(url, json=body, headers=headers, raise_for_status=True) as answer:
            return await answer.json()

    async def settled(self, order_id: str) -> Any:
        """The last line of its story."""
        timeline = await until(
            lambda: self._get(f"{self.gateway}/api/orders/{order_id}/timeline"),
            lambda timeline: len(timeline["items"]) > 1,
            seconds=STEP_SECONDS,
        )
        return timeline["items"][-1]

    async def letter(self, order_id: str) -> Any:
        async def found() -> list[Any]:
            newest = await self._get(f"{self.letters}/letters")
            return [letter for letter in newest if order_id in (letter.get("message_id") or "")]

        return (await until(found, bool, seconds=STEP_SECONDS))[0]

    async def _get(self, url: str) -> Any:
        async with self.session.get(url, headers=self.authorization, raise_for_status=True) as answer:
            return await answer.json()


async def tell(buyer: Buyer, chance: random.Random, say: Say) -> None:
    """With the time of each step, in seconds from the click. Raises what `Buyer` raises."""
    product = chance.choice(await buyer.in_stock())
    began = time.monotonic()

    def step(what: str, more: str) -> None:
        say(f"  {time.monotonic() - began:6.3f} s  {what:<10} {more}")

    say(f"A customer orders {product['name']} for {product['currency']} {product['price'] / 100:.2f}\n")
    order = await buyer.order(product["id"])
    step("placed", f"order {order['id']}; its fact was committed with it")
    last = await buyer.settled(order["id"])
    step(last["status"], last["reason"] or MEANING)
    letter = await buyer.letter(order["id"])
    step("letter", f"“{letter['subject']}” to {', '.join(letter['to'])}")
    say(f"\nRead it: {buyer.letters}/letters/{letter['id']}")


async def order_once(folder: Path, say: Say) -> None:
    """Raises NotRunning, and what `Buyer` raises."""
    run = runfile.running(folder)
    customer = sample.read(folder).customer
    authorization = People.open(folder, run).authorization("customer", customer)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        buyer = Buyer(session, run.addresses["gateway"], run.addresses["letters"], authorization)
        await tell(buyer, random.SystemRandom(), say)


def main(arguments: list[str]) -> str | None:
    """What went wrong, if anything did."""
    parser = argparse.ArgumentParser("python -m localcloud.order", description=__doc__)
    parser.add_argument("--state", type=Path, metavar="DIR")
    folder = state_folder(parser.parse_args(arguments).state)
    try:
        asyncio.run(order_once(folder, lambda line: print(line, flush=True)))  # noqa: T201 - that is what it is for
    except (NotRunning, aiohttp.ClientResponseError) as error:
        return str(error)
    except TimeoutError:
        return f"Nothing more came for {STEP_SECONDS:.0f} s; make audit says where it waits."
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

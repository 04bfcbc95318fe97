"""One order, from the click to the letter, told step by step. `make order`"""

import argparse
import asyncio
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from localcloud import runfile, sample, story
from localcloud.people import People
from localcloud.runfile import NotRunning
from localcloud.store import state_folder
from localcloud.story import Step
from localcloud.waiting import until

TIMEOUT = aiohttp.ClientTimeout(total=10)
STEP_SECONDS = 30.0

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

    async def order(self, product_id: str, trace_id: str) -> Any:
        """What was accepted."""
        trace = {"traceparent": f"00-{trace_id}-{trace_id[:16]}-01"}
        headers = {**self.authorization, **trace, "Idempotency-Key": uuid4().hex}
        body = {"lines": [{"product_id": product_id, "quantity": 1}]}
        url = f"{self.gateway}/api/orders"
        async with self.session.post(url, json=body, headers=headers, raise_for_status=True) as answer:
            return await answer.json()

    async def letter(self, order_id: str) -> Any:
        async def found() -> list[Any]:
            newest = await self._get(f"{self.letters}/letters")
            return [letter for letter in newest if order_id in (letter.get("message_id") or "")]

        return (await until(found, bool, seconds=STEP_SECONDS))[0]

    async def _get(self, url: str) -> Any:
        async with self.session.get(url, headers=self.authorization, raise_for_status=True) as answer:
            return await answer.json()


async def tell(buyer: Buyer, logs: Path, chance: random.Random, say: Say) -> None:
    """With the time of each step, in seconds from the click. Raises what `Buyer` raises."""
    product = chance.choice(await buyer.in_stock())
    say(f"A customer orders {product['name']} for {product['currency']} {product['price'] / 100:.2f}\n")
    began, trace_id = datetime.now(UTC), uuid4().hex
    order = await buyer.order(product["id"], trace_id)
    letter = await buyer.letter(order["id"])
    for step in await _steps(logs, trace_id):
        say(f"  {(step.at - began).total_seconds():6.3f} s  {step.who:<16} {step.what}")
    say(f"\nThe letter: “{letter['subject']}” to {', '.join(letter['to'])}: {buyer.letters}/letters/{letter['id']}")
    say(f"The order:  {order['id']}   its trace: {trace_id}")


async def _steps(logs: Path, trace_id: str) -> list[Step]:
    async def look() -> list[Step]:
        return await asyncio.to_thread(story.read, logs, trace_id)

    return await until(look, story.complete, seconds=STEP_SECONDS)


async def order_once(folder: Path, say: Say) -> None:
    """Raises NotRunning, and what `Buyer` raises."""
    run = runfile.running(folder)
    customer = sample.read(folder).customer
    authorization = People.open(folder, run).authorization("customer", customer)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        buyer = Buyer(session, run.addresses["gateway"], run.addresses["letters"], authorization)
        await tell(buyer, Path(run.logs), random.SystemRandom(), say)


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

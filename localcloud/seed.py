"""Fills a new store, through its public HTTP API, with something to buy and somebody to buy it.

What is there already is kept, so doing it again is harmless.
"""

import argparse
import asyncio
import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp

from localcloud import flow, pictures, runfile, sample
from localcloud.assortment import ARTICLES, CATEGORIES, PEOPLE, Article, Person
from localcloud.people import People
from localcloud.sample import Sample
from localcloud.waiting import until

TIMEOUT = aiohttp.ClientTimeout(total=60)  # pictures are looked at one by one
FLOW_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Seed:
    session: aiohttp.ClientSession
    gateway: str
    letters: str
    people: People

    async def sow(self) -> Sample:
        """Done when the facts of it have reached everybody."""
        categories = await self._categories()
        known = {product["sku"]: product for product in (await self._get("/api/products?limit=100"))["items"]}
        async with asyncio.TaskGroup() as group:
            products = [
                group.create_task(self._product(article, categories[article.category], known.get(article.sku)))
                for article in ARTICLES
            ]
            for person in PEOPLE:
                group.create_task(self._customer(person))
        await self._everybody_knows([each.result() for each in products])
        return Sample(PEOPLE[0].id, products[0].result())

    async def _categories(self) -> dict[str, str]:
        """Their ids by name."""
        ids = {category["name"]: category["id"] for category in (await self._get("/api/categories"))["items"]}
        for name in CATEGORIES:
            ids.setdefault(name, "")
            ids[name] = ids[name] or (await self._post("/api/categories", {"name": name}))["id"]
        return ids

    async def _product(self, article: Article, category_id: str, known: dict[str, Any] | None) -> UUID:
        product = known or await self._post("/api/products", _creation(article, category_id))
        if not product["media"]:
            picture = await asyncio.to_thread(pictures.draw, article.ground, article.shapes)
            headers = {**self.people.authorization("admin"), "Content-Type": "image/png"}
            url = f"{self.gateway}/api/products/{product['id']}/media"
            async with self.session.post(url, data=picture, headers=headers, raise_for_status=True):
                pass
        return UUID(product["id"])

    async def _customer(self, person: Person) -> None:
        headers = self.people.authorization("customer", person.id)
        async with self.session.get(f"{self.gateway}/api/customers/{person.id}", headers=headers) as answer:
            if answer.status == 200:
                return
        await self._post("/api/customers", _registration(person), headers)

    async def _everybody_knows(self, products: list[UUID]) -> None:
        """Stock is counted once a product's fact has come through a function; then nothing is on its way any more."""
        for product_id in products:
            stock = functools.partial(self._get, f"/api/products/{product_id}/stock")
            await until(stock, lambda stock: stock["received"], seconds=FLOW_SECONDS)
        look = functools.partial(flow.read, self.session, self.letters)
        await until(look, lambda flow: not flow.waiting(), seconds=FLOW_SECONDS)

    async def _get(self, path: str) -> Any:
        async with self.session.get(self.gateway + path, raise_for_status=True) as answer:
            return await answer.json()

    async def _post(self, path: str, body: object, headers: dict[str, str] | None = None) -> Any:
        sent = headers or self.people.authorization("admin")
        async with self.session.post(self.gateway + path, json=body, headers=sent, raise_for_status=True) as answer:
            return await answer.json()


def _creation(article: Article, category_id: str) -> dict[str, object]:
    return {
        "sku": article.sku,
        "name": article.name,
        "description": article.description,
        "category_ids": [category_id],
        "price": article.price,
        "currency": "EUR",
        "opening_stock": article.stock,
    }


def _registration(person: Person) -> dict[str, object]:
    address = {
        "street": person.street,
        "city": person.city,
        "postal_code": person.postal_code,
        "country": person.country,
    }
    return {"name": person.name, "email": person.email, "language": person.language, "address": address}


async def seed(folder: Path) -> None:
    run = runfile.running(folder)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        people = People.open(folder, run)
        sample.write(folder, await Seed(session, run.addresses["gateway"], run.addresses["letters"], people).sow())


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m localcloud.seed", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    asyncio.run(seed(parser.parse_args(sys.argv[1:]).state))

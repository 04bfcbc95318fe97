"""The store as its users see it: HTTP through the gateway, letters in the mail box."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import aiohttp

from localcloud.identity import Role
from tests.waiting import until

FINAL = ("confirmed", "rejected", "cancelled")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any
    content: bytes

    @property
    def etag(self) -> str:
        return self.headers["ETag"]


@dataclass(frozen=True, slots=True)
class Shop:
    session: aiohttp.ClientSession
    gateway: str
    letters_url: str
    token: Callable[[Role, UUID | None], str]  # role, customer -> bearer token

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Answer:
        sent = dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        async with self.session.request(method, self.gateway + path, headers=sent, json=json) as response:
            content = await response.read()
            body = await response.json(content_type=None) if "json" in response.content_type else None
            return Answer(response.status, response.headers, body, content)

    async def as_admin(self, method: str, path: str, **options: Any) -> Answer:
        return await self.call(method, path, token=self.token("admin", None), **options)

    async def product(self, *, stock: int, price: int = 1250) -> str:
        """A new product that can be ordered already: orders know its price, and its stock is counted."""
        body = {
            "name": "Mug",
            "sku": f"S-{uuid4().hex[:12]}",
            "price": price,
            "currency": "EUR",
            "opening_stock": stock,
        }
        made = await self.as_admin("POST", "/api/products", json=body)
        assert made.status == 201, made
        product_id = made.body["id"]
        await until(
            lambda: self.stock(product_id), lambda answer: answer.status == 200 and answer.body["count"] == stock
        )
        return str(product_id)

    async def stock(self, product_id: str) -> Answer:
        return await self.as_admin("GET", f"/api/products/{product_id}/stock")

    async def customer(self) -> "Buyer":
        """A new customer; orders hear of them a moment later."""
        buyer = Buyer(self, uuid4())
        name = buyer.id.hex[:10]
        made = await buyer.call("POST", "/api/customers", json={"name": f"Ada {name}", "email": f"{name}@example.org"})
        assert made.status == 201, made
        return buyer

    async def letters(self, buyer: "Buyer") -> list[dict[str, Any]]:
        query = {"to": f"{buyer.id.hex[:10]}@example.org", "limit": "100"}
        async with self.session.get(f"{self.letters_url}/letters", params=query) as response:
            found: list[dict[str, Any]] = await response.json()
        return found

    async def letter_text(self, letter_id: str) -> str:
        async with self.session.get(f"{self.letters_url}/letters/{letter_id}") as response:
            return await response.text()


@dataclass(frozen=True, slots=True)
class Buyer:
    shop: Shop
    id: UUID

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        return await self.shop.call(method, path, token=self.shop.token("customer", self.id), **options)

    async def post_order(
        self, body: Any, *, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = {"Idempotency-Key": key or uuid4().hex} | dict(headers or {})
        return await self.call("POST", "/api/orders", json=body, headers=sent)

    async def order(self, *products: str, quantity: int = 1) -> str:
        """The id of an accepted order. Repeats, with one key, whatever was not answered: that is what keys are for."""
        lines = [{"product_id": product_id, "quantity": quantity} for product_id in products]
        key, body = uuid4().hex, {"lines": lines}
        answer = await until(
            lambda: self._try_order(body, key), lambda answer: answer is not None and answer.status == 202
        )
        assert answer is not None
        return str(answer.body["id"])

    async def _try_order(self, body: Any, key: str) -> Answer | None:
        try:
            answer = await self.post_order(body, key=key)
        except aiohttp.ClientError:
            return None
        # 409 and 422: the new customer or product has not reached orders yet. 5xx: it is being restarted.
        assert answer.status in (202, 409, 422, 502, 503, 504), answer
        return answer

    async def settled(self, order_id: str) -> dict[str, Any]:
        """The order in its final state."""
        read = partial(self.call, "GET", f"/api/orders/{order_id}")
        answer = await until(read, lambda answer: answer.status == 200 and answer.body["status"] in FINAL)
        settled: dict[str, Any] = answer.body
        return settled

    async def letter(self, subject_part: str = "") -> dict[str, Any]:
        """The first letter whose subject has this in it."""

        async def matching() -> list[dict[str, Any]]:
            return [letter for letter in await self.shop.letters(self) if subject_part in letter["subject"]]

        return (await until(matching, bool))[0]

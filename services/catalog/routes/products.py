"""Products in: staff write, anyone reads."""

import secrets
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.errors import Invalid
from libs.common.http import if_match, no_content, path_id, query, read, reply
from libs.common.ids import uuid7
from libs.common.operations import Operation, allow
from services.catalog.domain import (
    Details,
    Media,
    Product,
)
from services.catalog.routes.bodies import Amount, Currency, Name, Pieces, Search, Sku, Text
from services.catalog.routes.keys import CURSORS, GALLERY, STORE
from services.catalog.store import Position, SkuTaken, Sort, TooWide, Wanted

routes = web.RouteTableDef()


class Replacement(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    sku: Sku
    price: Amount
    currency: Currency
    description: Text = ""
    category_id: UUID | None = None

    def details(self) -> Details:
        return Details(self.sku, self.name, self.description, self.price, self.currency, self.category_id)


class Creation(Replacement, frozen=True, forbid_unknown_fields=True):
    opening_stock: Pieces = 0


class Listing(Struct, frozen=True, forbid_unknown_fields=True):
    category: UUID | None = None
    q: Search | None = None
    min_price: Amount | None = None
    max_price: Amount | None = None
    in_stock: bool | None = None
    sort: Sort = Sort.NEWEST
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | None = None

    def wanted(self) -> Wanted:
        return Wanted(self.category, self.q, self.min_price, self.max_price, self.in_stock)


class ProductBody(Struct, frozen=True):
    id: UUID
    sku: str
    name: str
    description: str
    price: int
    currency: str
    category_id: UUID | None
    media: list[Media]
    version: int
    in_stock: bool


class ProductPage(Struct, frozen=True):
    items: list[ProductBody]
    next: str | None


@routes.post("/api/products")
@allow(Role.ADMIN)
@Operation(body=Creation, answers={201: ProductBody}, refuses=[SkuTaken])
async def create_product(request: web.Request) -> web.Response:
    wanted, at = await read(request, Creation), now()
    product = Product(uuid7(at, secrets.randbits), wanted.details(), opening_stock=wanted.opening_stock)
    await request.app[STORE].add(product, at)
    return answer(product, status=201, headers={"Location": f"/api/products/{product.id}"})


@routes.get("/api/products")
@allow()
@Operation(query=Listing, answers={200: ProductPage}, refuses=[TooWide])
async def list_products(request: web.Request) -> web.Response:
    asked, cursors = query(request, Listing), request.app[CURSORS]
    after = cursors.open(asked.cursor, Position) if asked.cursor else None
    if after and after.sort is not asked.sort:
        raise Invalid("cursor", f"the cursor is of a list sorted by {after.sort}")
    page = await request.app[STORE].page(asked.wanted(), asked.sort, after, asked.limit)
    following = cursors.seal(page.end) if page.end else None
    headers = {"Link": f'<{request.rel_url.update_query(cursor=following)}>; rel="next"'} if following else {}
    return reply(ProductPage([body_of(product) for product in page.products], following), headers=headers)


@routes.get("/api/products/{id}")
@allow()
@Operation(answers={200: ProductBody})
async def read_product(request: web.Request) -> web.Response:
    return answer(await request.app[STORE].read(path_id(request)))


@routes.put("/api/products/{id}")
@allow(Role.ADMIN)
@Operation(body=Replacement, headers=["If-Match"], answers={200: ProductBody}, refuses=[SkuTaken])
async def replace_product(request: web.Request) -> web.Response:
    version, wanted, at = if_match(request), await read(request, Replacement), now()
    product = await request.app[STORE].change(
        path_id(request), lambda product: product.replace(wanted.details(), at), version=version
    )
    return answer(product)


@routes.delete("/api/products/{id}")
@allow(Role.ADMIN)
@Operation(headers=["If-Match"], answers={204: None})
async def delete_product(request: web.Request) -> web.Response:
    version, at = if_match(request), now()
    product = await request.app[STORE].change(path_id(request), lambda product: product.delete(at), version=version)
    await request.app[GALLERY].forget(product.media)
    return no_content()


def answer(product: Product, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """The ETag changes with the stock, too: who has a copy must not go on selling what is sold out."""
    etag = f'"v{product.version}-in-stock"' if product.in_stock else f'"v{product.version}"'
    return reply(body_of(product), status=status, headers={"ETag": etag, **(headers or {})})


def body_of(product: Product) -> ProductBody:
    said = product.details
    return ProductBody(
        id=product.id,
        sku=said.sku,
        name=said.name,
        description=said.description,
        price=said.price,
        currency=said.currency,
        category_id=said.category_id,
        media=product.media,
        version=product.version,
        in_stock=product.in_stock,
    )

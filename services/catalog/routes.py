"""HTTP in: products, their stock and images, and categories. Anyone may read; staff write."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID, uuid4

from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.cursors import Cursors
from libs.common.errors import Invalid, Malformed, TooLarge
from libs.common.http import allow, if_match, no_content, path_id, query, read, reply
from libs.common.ids import uuid7
from libs.common.messages.catalog import MOST_PIECES
from services.catalog.domain import Category, Details, Media, Product, check_image
from services.catalog.images import Images
from services.catalog.stock import Stock
from services.catalog.store import Position, Sort, Store, Wanted

routes = web.RouteTableDef()
STORE = web.AppKey("store", Store)
IMAGES = web.AppKey("images", Images)
CURSORS = web.AppKey("cursors", Cursors)

MOST_IMAGE_BYTES = 5 * 1024 * 1024
UPLOAD_SECONDS = 30.0

# In Python `$` also matches before a last line feed.
END = r"$(?!\n)"
LINE = r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f\u2028\u2029]*" + END  # begins with something to see
NO_NUL = r"^[^\x00]*$"
Sku = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9._-]+" + END)]
Name = Annotated[str, Meta(max_length=200, pattern=LINE)]
Text = Annotated[str, Meta(max_length=5000, pattern=NO_NUL)]
Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=NO_NUL)]
Search = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
Amount = Annotated[int, Meta(ge=0, le=100_000_000)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}" + END)]
Pieces = Annotated[int, Meta(ge=0, le=MOST_PIECES)]


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


class Recount(Struct, frozen=True, forbid_unknown_fields=True):
    count: Pieces
    reason: Reason


class CategoryReplacement(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    parent_id: UUID | None = None


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


class StockBody(Struct, frozen=True):
    product_id: UUID
    on_hand: int
    reserved: int
    sold: int
    received: int
    count: int
    version: int


class CategoryList(Struct, frozen=True):
    items: list[Category]


@routes.post("/api/products")
@allow(Role.ADMIN)
async def create_product(request: web.Request) -> web.Response:
    wanted, at = await read(request, Creation), now()
    product = Product(uuid7(at, secrets.randbits), wanted.details(), opening_stock=wanted.opening_stock)
    await request.app[STORE].add(product, at)
    return answer(product, status=201, headers={"Location": f"/api/products/{product.id}"})


@routes.get("/api/products")
@allow()
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
async def read_product(request: web.Request) -> web.Response:
    return answer(await request.app[STORE].read(path_id(request)))


@routes.put("/api/products/{id}")
@allow(Role.ADMIN)
async def replace_product(request: web.Request) -> web.Response:
    version, wanted, at = if_match(request), await read(request, Replacement), now()
    product = await request.app[STORE].change(
        path_id(request), lambda product: product.replace(wanted.details(), at), version=version
    )
    return answer(product)


@routes.delete("/api/products/{id}")
@allow(Role.ADMIN)
async def delete_product(request: web.Request) -> web.Response:
    version, at = if_match(request), now()
    product = await request.app[STORE].change(path_id(request), lambda product: product.delete(at), version=version)
    await request.app[IMAGES].forget(product.media)
    return no_content()


@routes.post("/api/products/{id}/media")
@allow(Role.ADMIN)
async def add_media(request: web.Request) -> web.Response:
    store, images, product_id = request.app[STORE], request.app[IMAGES], path_id(request)
    await store.read(product_id)
    async with images.slot():
        content = await image(request)
        media = images.media(uuid4(), request.content_type)
        async with images.kept(media, content):
            product = await store.change(product_id, lambda product: product.show(media, now()))
    return answer(product, status=201, headers={"Location": media.url})


@routes.delete("/api/products/{id}/media/{media_id}")
@allow(Role.ADMIN)
async def delete_media(request: web.Request) -> web.Response:
    store, product_id, media_id = request.app[STORE], path_id(request), path_id(request, "media_id")
    media = (await store.read(product_id)).media
    await store.change(product_id, lambda product: product.hide(media_id, now()))
    await request.app[IMAGES].forget([each for each in media if each.id == media_id])
    return no_content()


@routes.get("/api/products/{id}/stock")
@allow()
async def read_stock(request: web.Request) -> web.Response:
    stock = await request.app[STORE].stock(path_id(request))
    return reply(stock_body(stock), version=stock.version)


@routes.put("/api/products/{id}/stock")
@allow(Role.ADMIN)
async def recount_stock(request: web.Request) -> web.Response:
    version, wanted, at = if_match(request), await read(request, Recount), now()
    stock = await request.app[STORE].change_stock(
        path_id(request), lambda stock: stock.recount(wanted.count, wanted.reason, at), version=version
    )
    return reply(stock_body(stock), version=stock.version)


@routes.post("/api/categories")
@allow(Role.ADMIN)
async def create_category(request: web.Request) -> web.Response:
    wanted = await read(request, CategoryReplacement)
    category = Category(uuid4(), wanted.name, wanted.parent_id)
    await request.app[STORE].add_category(category)
    headers = {"Location": f"/api/categories/{category.id}"}
    return reply(category, status=201, version=category.version, headers=headers)


@routes.get("/api/categories")
@allow()
async def list_categories(request: web.Request) -> web.Response:
    return reply(CategoryList(await request.app[STORE].categories()))


@routes.get("/api/categories/{id}")
@allow()
async def read_category(request: web.Request) -> web.Response:
    category = await request.app[STORE].read_category(path_id(request))
    return reply(category, version=category.version)


@routes.put("/api/categories/{id}")
@allow(Role.ADMIN)
async def replace_category(request: web.Request) -> web.Response:
    version, wanted = if_match(request), await read(request, CategoryReplacement)
    category = await request.app[STORE].change_category(
        path_id(request), lambda category, parents: category.replace(wanted.name, wanted.parent_id, parents), version
    )
    return reply(category, version=category.version)


@routes.delete("/api/categories/{id}")
@allow(Role.ADMIN)
async def delete_category(request: web.Request) -> web.Response:
    await request.app[STORE].delete_category(path_id(request), if_match(request))
    return no_content()


async def image(request: web.Request) -> bytes:
    """The body, as it comes in. Raises TooLarge, Malformed, UnsupportedImage or Invalid."""
    if (request.content_length or 0) > MOST_IMAGE_BYTES:
        raise TooLarge
    arrived = bytearray()
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            async for chunk in request.content.iter_any():
                arrived += chunk
                if len(arrived) > MOST_IMAGE_BYTES:
                    raise TooLarge
    except TimeoutError as error:
        raise Malformed(f"the image did not arrive within {UPLOAD_SECONDS:.0f} s") from error
    content = bytes(arrived)
    check_image(request.content_type, content)
    return content


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


def stock_body(stock: Stock) -> StockBody:
    return StockBody(
        product_id=stock.product_id,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
        sold=stock.sold,
        received=stock.received,
        count=stock.count,
        version=stock.version,
    )

"""Products in: staff write, anyone reads what is published."""

import secrets
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from aiohttp import web
from msgspec import Meta, Struct, field

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.errors import NotFound
from libs.common.http import bears, if_match, no_content, path_id, read, reply
from libs.common.ids import uuid7
from libs.common.messages.catalog import ProductStatus
from libs.common.operations import Operation, allow
from services.catalog.domain import (
    TAX_RATE,
    Details,
    Media,
    Product,
    Value,
)
from services.catalog.routes.bodies import Amount, Attributes, BasisPoints, Currency, Name, Pieces, Sku, Text
from services.catalog.routes.keys import GALLERY, STORE
from services.catalog.store import SkuTaken

routes = web.RouteTableDef()

# Just ids: what else begins with /api/products/ must not be taken for one.
PRODUCT = "/api/products/{id:[0-9a-fA-F-]{32,36}}"
MOST_CATEGORIES = 10  # of one product


class Replacement(Struct, frozen=True, forbid_unknown_fields=True):
    """Without a `status` the product keeps its own; all else that is left out is as for a new one."""

    name: Name
    sku: Sku
    price: Amount
    currency: Currency
    description: Text = ""
    category_ids: Annotated[list[UUID], Meta(max_length=MOST_CATEGORIES)] = field(default_factory=list)
    attributes: Attributes = field(default_factory=dict)
    status: ProductStatus | None = None
    tax_rate: BasisPoints = TAX_RATE

    def details(self, known: ProductStatus) -> Details:
        """`known` is the status that stays where none is said."""
        categories = tuple(dict.fromkeys(self.category_ids))
        return Details(
            self.sku,
            self.name,
            self.description,
            self.price,
            self.currency,
            categories[0] if categories else None,
            more_categories=categories[1:],
            attributes={name: _plain(value) for name, value in self.attributes.items()},
            status=self.status or known,
            tax_rate=self.tax_rate,
        )


class Creation(Replacement, frozen=True, forbid_unknown_fields=True):
    """Without a `status` it is published."""

    opening_stock: Pieces = 0

    def product(self, product_id: UUID) -> Product:
        return Product(product_id, self.details("published"), opening_stock=self.opening_stock)


class ProductBody(Struct, frozen=True):
    id: UUID
    sku: str
    name: str
    description: str
    price: int
    currency: str
    tax_rate: int
    category_ids: tuple[UUID, ...]
    attributes: Mapping[str, Value]
    status: ProductStatus
    media: list[Media]
    version: int
    in_stock: bool


@routes.post("/api/products")
@allow(Role.ADMIN)
@Operation(body=Creation, answers={201: ProductBody}, refuses=[SkuTaken])
async def create_product(request: web.Request) -> web.Response:
    wanted, at = await read(request, Creation), now()
    product = wanted.product(uuid7(at, secrets.randbits))
    await request.app[STORE].add(product, at)
    return answer(product, status=201, headers={"Location": f"/api/products/{product.id}"})


@routes.get(PRODUCT)
@allow()
@Operation(answers={200: ProductBody})
async def read_product(request: web.Request) -> web.Response:
    """Drafts and what is archived are there for staff only."""
    product = await request.app[STORE].read(path_id(request))
    if product.details.status != "published" and not await bears(request, Role.ADMIN):
        raise NotFound
    return answer(product)


@routes.put(PRODUCT)
@allow(Role.ADMIN)
@Operation(body=Replacement, headers=["If-Match"], answers={200: ProductBody}, refuses=[SkuTaken])
async def replace_product(request: web.Request) -> web.Response:
    version, wanted, at = if_match(request), await read(request, Replacement), now()
    product = await request.app[STORE].change(
        path_id(request), lambda product: product.replace(wanted.details(product.details.status), at), version=version
    )
    return answer(product)


@routes.delete(PRODUCT)
@allow(Role.ADMIN)
@Operation(headers=["If-Match"], answers={204: None})
async def delete_product(request: web.Request) -> web.Response:
    version, at = if_match(request), now()
    product = await request.app[STORE].change(path_id(request), lambda product: product.delete(at), version=version)
    await request.app[GALLERY].forget(product.media)
    return no_content()


def answer(product: Product, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """The ETag changes with all that is shown, of which If-Match heeds the version only: a copy must not go on selling
    what is sold out, nor lack thumbnails, but neither keeps anyone from writing.
    """
    stock, variants = "-in-stock" if product.in_stock else "", f"-{product.variants}" if product.variants else ""
    etag = f'"v{product.version}{stock}{variants}"'
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
        tax_rate=said.tax_rate,
        category_ids=said.category_ids,
        attributes=said.attributes,
        status=said.status,
        media=product.media,
        version=product.version,
        in_stock=product.in_stock,
    )


def _plain(value: Value) -> Value:
    """5.0 is 5, whatever an engine would make of it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value

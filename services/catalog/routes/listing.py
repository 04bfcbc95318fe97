"""Lists of products: searched, filtered, sorted, page by page; and how many there are in each category."""

from typing import Annotated, TypeVar
from uuid import UUID

from aiohttp import web
from msgspec import Meta, Struct, field

from libs.common.auth import Role
from libs.common.errors import Forbidden, Invalid
from libs.common.http import NOTHING, Shown, bears, reply_alike
from libs.common.messages.catalog import ProductStatus
from libs.common.operations import Operation, allow
from libs.common.queries import next_page, query
from services.catalog import search
from services.catalog.routes.bodies import MOST_ATTRIBUTES, Amount, AttributeName, AttributeText, Search
from services.catalog.routes.keys import CURSORS, STORE
from services.catalog.routes.products import ProductBody, body_of
from services.catalog.store import Position, Sort, TooWide, Wanted

routes = web.RouteTableDef()


class Filters(Struct, frozen=True, forbid_unknown_fields=True):
    """All of them hold. `attribute.color=red` asks for an attribute: its value, whatever the case and accents."""

    category: UUID | None = None
    q: Search | None = None
    min_price: Amount | None = None
    max_price: Amount | None = None
    in_stock: bool | None = None
    status: ProductStatus = "published"
    attribute: Annotated[dict[AttributeName, AttributeText], Meta(max_length=MOST_ATTRIBUTES)] = field(
        default_factory=dict
    )

    def wanted(self) -> Wanted:
        """Raises Invalid."""
        return Wanted(
            self.category,
            None if self.q is None else search.sought(self.q),
            self.min_price,
            self.max_price,
            self.in_stock,
            self.status,
            [search.attribute(name, value) for name, value in self.attribute.items()],
        )


class Listing(Filters, frozen=True, forbid_unknown_fields=True):
    sort: Sort | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | None = None

    def order(self) -> Sort:
        """Raises Invalid."""
        if self.sort is Sort.RELEVANCE and self.q is None:
            raise Invalid("sort", "by relevance to what? Say q, or sort otherwise")
        return self.sort or (Sort.NEWEST if self.q is None else Sort.RELEVANCE)


F = TypeVar("F", bound=Filters)


class ProductPage(Struct, frozen=True):
    items: list[ProductBody]
    next: str | None


class CategoryCount(Struct, frozen=True):
    category_id: UUID
    products: int


class ProductCounts(Struct, frozen=True):
    total: int
    categories: list[CategoryCount]


@routes.get("/api/products")
@allow()
@Operation(query=Listing, optional_headers=["If-None-Match"], answers={200: ProductPage}, refuses=[Forbidden, TooWide])
async def list_products(request: web.Request) -> web.Response:
    """`q` finds what has each of its words, at the beginning of a word of name, SKU, attributes or description; sorted
    by how well, unless `sort` says otherwise. Only staff may ask for another `status` than published.
    """
    asked, cursors = await _asked(request, Listing), request.app[CURSORS]
    order, after = asked.order(), await cursors.open(asked.cursor, Position) if asked.cursor else None
    if after and after.sort is not order:
        raise Invalid("cursor", f"the cursor is of a list sorted by {after.sort}")

    async def show() -> Shown:
        page = await request.app[STORE].page(asked.wanted(), order, after, asked.limit)
        following = cursors.seal(page.end) if page.end else None
        shown = ProductPage([body_of(product) for product in page.products], following)
        return shown, _links(request, following)

    return await reply_alike(request, show)


@routes.get("/api/products/counts")
@allow()
@Operation(
    query=Filters, optional_headers=["If-None-Match"], answers={200: ProductCounts}, refuses=[Forbidden, TooWide]
)
async def count_products(request: web.Request) -> web.Response:
    """How many products the list with these filters has, and how many of them are in each category or below it.

    A product that is in several categories counts once in each, and once in what is above them.
    """
    asked = await _asked(request, Filters)

    async def show() -> Shown:
        counts = await request.app[STORE].counts(asked.wanted())
        found = [CategoryCount(category_id, products) for category_id, products in sorted(counts.by_category.items())]
        return ProductCounts(counts.total, found), NOTHING

    return await reply_alike(request, show)


async def _asked(request: web.Request, kind: type[F]) -> F:
    """Raises Invalid or Forbidden."""
    asked = query(request, kind)
    if asked.status != "published" and not await bears(request, Role.ADMIN):
        raise Forbidden
    return asked


def _links(request: web.Request, following: str | None) -> dict[str, str]:
    first = request.rel_url.without_query_params("cursor") if "cursor" in request.query else request.rel_url
    return {"Link": ", ".join([*next_page(request, following).values(), f'<{first}>; rel="first"'])}

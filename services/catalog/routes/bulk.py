"""Many products in and out, a line of JSON each, in bounded memory whatever their number."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.errors import Invalid, Malformed, StoreError, Unavailable
from libs.common.http import DRAINING, begin, decode
from libs.common.ids import uuid7
from libs.common.messages.catalog import ProductStatus
from libs.common.operations import Operation, allow
from libs.common.queries import query
from services.catalog.bulk import Outcome
from services.catalog.domain import Product
from services.catalog.routes.keys import STORE
from services.catalog.routes.lines import MOST_LINE_BYTES, Line, batches, chunks, lines
from services.catalog.routes.products import Creation
from services.catalog.store import Position, Sort, Store, TooWide, Wanted

log = structlog.get_logger()

routes = web.RouteTableDef()

NDJSON = "application/x-ndjson"
IMPORT_SECONDS = 3600.0
WRITE_SECONDS = 30.0  # for whoever does not read what is answered
EXPORTED_AT_ONCE = 200
BROKEN_OFF = (web.RequestPayloadError, ConnectionError)

_encoder = msgspec.json.Encoder()


class NotLines(StoreError):
    """Send a product a line, as application/x-ndjson, and say so in Content-Type."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Import(Struct, frozen=True, forbid_unknown_fields=True):
    first_line: Annotated[int, Meta(ge=1, le=10**9)] = 1  # the number of the first line that is sent


class Export(Struct, frozen=True, forbid_unknown_fields=True):
    status: ProductStatus | None = None


class Refused(Struct, frozen=True, tag="refused"):
    line: int
    field: str
    detail: str


class Progress(Struct, frozen=True, tag="progress"):
    """Every line up to this one has had its effect, or was refused."""

    line: int
    created: int
    updated: int
    unchanged: int
    refused: int


class Done(Progress, frozen=True, tag="done"):
    """All lines were read."""


class Stopped(Struct, frozen=True, tag="stopped"):
    """Go on with the line after this one."""

    line: int
    detail: str


Report = Refused | Progress | Done | Stopped


@dataclass(slots=True)
class Importing:
    store: Store
    line: int  # all up to this one are done
    counted: Counter[str] = field(default_factory=Counter)

    async def put(self, batch: Sequence[Line]) -> list[Report]:
        """One commit. Raises Unavailable."""
        read = {line.number: _read(line) for line in batch if line.content is None or line.content.strip()}
        said = {number: each for number, each in read.items() if isinstance(each, Creation)}
        products = [each.product(uuid7(now(), secrets.randbits)) for each in said.values()]
        keeping = {product.id for product, each in zip(products, said.values(), strict=True) if each.status is None}
        outcomes = await self.store.put_all(products, now(), keeping=keeping)
        became = read | dict(zip(said, outcomes, strict=True))
        refusals = list[Report]()
        for number, outcome in became.items():
            if isinstance(outcome, Invalid):
                refusals.append(Refused(number, outcome.field, outcome.detail))
            self.counted[outcome if isinstance(outcome, Outcome) else "refused"] += 1
        self.line = batch[-1].number
        return [*refusals, self.progress(Progress)]

    def progress(self, kind: type[Progress]) -> Progress:
        each = {name: self.counted[name] for name in (*Outcome, "refused")}
        return kind(self.line, **each)


@routes.post("/api/products/import")
@allow(Role.ADMIN)
@Operation(
    body=bytes,
    body_types=(NDJSON,),
    query=Import,
    answers={200: bytes},
    answer_types=(NDJSON,),
    refuses=[NotLines],
)
async def import_products(request: web.Request) -> web.StreamResponse:
    """A line is what POST /api/products takes. It adds a product, or replaces the one that has its SKU, whose stock
    stays as it is, and its status where the line says none; where nothing would be new, nothing happens. So what was
    broken off can be sent again as a whole.

    What is answered comes while lines are still read: `refused` for a line that is wrong, which stops no other;
    `progress` after each commit; at the end `done`, or `stopped` with the reason. Read it while you send. To go on
    rather than begin again, send the rest of the lines, with `first_line` one more than the last `line` of a progress.
    """
    importing = Importing(request.app[STORE], query(request, Import).first_line - 1)
    if request.content_type != NDJSON:
        raise NotLines
    answer = await begin(request, NDJSON)
    try:
        async with asyncio.timeout(IMPORT_SECONDS):
            await _import(request, importing, answer)
    except BROKEN_OFF:
        log.warning("import.broken_off", line=importing.line)
    except (TimeoutError, StoreError) as error:
        said = error.detail if isinstance(error, StoreError) else "it takes too long"
        log.warning("import.stopped", line=importing.line, reason=said)
        await _write(answer, [Stopped(importing.line, said)])
    return answer


@routes.get("/api/products/export", allow_head=False)  # what is written to HEAD is taken for the next answer
@allow(Role.ADMIN)
@Operation(query=Export, answers={200: bytes}, answer_types=(NDJSON,), refuses=[TooWide])
async def export_products(request: web.Request) -> web.StreamResponse:
    """All products, or those of one status, the newest first: lines that an import takes as they are.

    An export that can't be brought to its end breaks the connection off.
    """
    pages = _pages(request.app[STORE], Wanted(status=query(request, Export).status))
    first = await anext(pages)
    answer = await begin(request, NDJSON)
    try:
        await _write(answer, map(_line_of, first))
        async for products in pages:
            await _write(answer, map(_line_of, products))
    except (StoreError, TimeoutError, *BROKEN_OFF) as error:
        log.warning("export.broken_off", reason=type(error).__name__)
        if request.transport:
            request.transport.abort()
    return answer


async def _import(request: web.Request, importing: Importing, answer: web.StreamResponse) -> None:
    """Raises Unavailable, TimeoutError, or what the connection does."""
    first = importing.line + 1
    async for batch in batches(lines(chunks(request.content), first)):
        if request.app[DRAINING].is_set():
            raise Unavailable("this instance is about to stop; another goes on")
        await _write(answer, await importing.put(batch))
    log.info("products.imported", line=importing.line, **importing.counted)
    await _write(answer, [importing.progress(Done)])


async def _pages(store: Store, wanted: Wanted) -> AsyncIterator[list[Product]]:
    after: Position | None = None
    while True:
        page = await store.page(wanted, Sort.NEWEST, after, EXPORTED_AT_ONCE)
        yield page.products
        if page.end is None:
            return
        after = page.end


def _read(line: Line) -> Creation | Invalid:
    if line.content is None:
        return Invalid("line", f"it is longer than {MOST_LINE_BYTES} bytes")
    try:
        return decode(line.content, Creation)
    except Malformed as error:
        return Invalid("line", error.detail)
    except Invalid as error:
        return error


def _line_of(product: Product) -> Creation:
    said = product.details
    return Creation(
        name=said.name,
        sku=said.sku,
        price=said.price,
        currency=said.currency,
        description=said.description,
        category_ids=list(said.category_ids),
        attributes=dict(said.attributes),
        status=said.status,
        tax_rate=said.tax_rate,
        opening_stock=product.opening_stock,
    )


async def _write(answer: web.StreamResponse, said: Iterable[Struct]) -> None:
    """Raises TimeoutError where the caller does not read it."""
    async with asyncio.timeout(WRITE_SECONDS):
        await answer.write(_encoder.encode_lines(said))

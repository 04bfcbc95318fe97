"""Categories in: a tree. Anyone reads, staff write."""

from uuid import UUID, uuid4

from aiohttp import web
from msgspec import Struct

from libs.common.auth import Role
from libs.common.http import NOTHING, Shown, if_match, no_content, path_id, read, reply, reply_alike
from libs.common.operations import Operation, allow
from services.catalog.domain import (
    Category,
    TooManyCategories,
)
from services.catalog.routes.bodies import Name
from services.catalog.routes.keys import STORE
from services.catalog.store import CategoryInUse

routes = web.RouteTableDef()


class CategoryReplacement(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    parent_id: UUID | None = None


class CategoryList(Struct, frozen=True):
    items: list[Category]


@routes.post("/api/categories")
@allow(Role.ADMIN)
@Operation(body=CategoryReplacement, answers={201: Category}, refuses=[TooManyCategories])
async def create_category(request: web.Request) -> web.Response:
    wanted = await read(request, CategoryReplacement)
    category = Category(uuid4(), wanted.name, wanted.parent_id)
    await request.app[STORE].add_category(category)
    headers = {"Location": f"/api/categories/{category.id}"}
    return reply(category, status=201, version=category.version, headers=headers)


@routes.get("/api/categories")
@allow()
@Operation(optional_headers=["If-None-Match"], answers={200: CategoryList})
async def list_categories(request: web.Request) -> web.Response:

    async def show() -> Shown:
        return CategoryList(await request.app[STORE].categories()), NOTHING

    return await reply_alike(request, show)


@routes.get("/api/categories/{id}")
@allow()
@Operation(answers={200: Category})
async def read_category(request: web.Request) -> web.Response:
    category = await request.app[STORE].read_category(path_id(request))
    return reply(category, version=category.version)


@routes.put("/api/categories/{id}")
@allow(Role.ADMIN)
@Operation(body=CategoryReplacement, headers=["If-Match"], answers={200: Category})
async def replace_category(request: web.Request) -> web.Response:
    version, wanted = if_match(request), await read(request, CategoryReplacement)
    category = await request.app[STORE].change_category(
        path_id(request), lambda category, parents: category.replace(wanted.name, wanted.parent_id, parents), version
    )
    return reply(category, version=category.version)


@routes.delete("/api/categories/{id}")
@allow(Role.ADMIN)
@Operation(headers=["If-Match"], answers={204: None}, refuses=[CategoryInUse])
async def delete_category(request: web.Request) -> web.Response:
    await request.app[STORE].delete_category(path_id(request), if_match(request))
    return no_content()

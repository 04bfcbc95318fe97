"""Categories in Table Storage: they change one at a time, guarded by an entity that stands for the tree."""

from collections.abc import Mapping
from operator import attrgetter
from uuid import UUID

import msgspec

from libs.common.entities import Change, Entity
from libs.common.errors import NotFound, Stale
from libs.common.tables import Tables
from services.catalog.domain import Category, Parents, admit
from services.catalog.store import CategoryAction, CategoryInUse

CATALOG = "catalog"  # the partition of categories, products and their lists
TREE = "tree"

_category = msgspec.json.Decoder(Category)


class Categories:
    def __init__(self, database: Tables) -> None:
        self._table = database.table

    async def categories(self) -> list[Category]:
        return sorted((await self._tree())[1].values(), key=attrgetter("name", "id"))

    async def read_category(self, category_id: UUID) -> Category:
        return _found(await self._table.read(CATALOG, row_of_category(category_id)))

    async def add_category(self, category: Category) -> None:
        async def add() -> None:
            tree, known = await self._tree()
            admit(category, parents_of(known))
            change = _changing(tree)
            change.create(row_of_category(category.id), msgspec.json.encode(category))
            await self._table.submit(change)

        await self._table.retried(TREE, add)

    async def change_category(self, category_id: UUID, act: CategoryAction, version: int) -> Category:
        async def attempt() -> Category:
            tree, known = await self._tree()
            entity, category = await self._at_version(category_id, version)
            act(category, parents_of(known))
            change = _changing(tree)
            change.replace(entity, msgspec.json.encode(category))
            await self._table.submit(change)
            return category

        return await self._table.retried(TREE, attempt)

    async def delete_category(self, category_id: UUID, version: int) -> None:
        async def attempt() -> None:
            tree, known = await self._tree()
            entity, _ = await self._at_version(category_id, version)
            if category_id in parents_of(known).values() or await self._has_products(category_id):
                raise CategoryInUse
            change = _changing(tree)
            change.delete(entity)
            await self._table.submit(change)

        await self._table.retried(TREE, attempt)

    async def _tree(self) -> tuple[Entity | None, dict[UUID, Category]]:
        """The entity first: whoever has changed a category since then has changed it, too."""
        tree = await self._table.read(CATALOG, TREE)
        known = map(_found, await self._table.range(CATALOG, "k|", "k}"))
        return tree, {category.id: category for category in known}

    async def _at_version(self, category_id: UUID, version: int) -> tuple[Entity, Category]:
        """Raises NotFound or Stale."""
        entity = await self._table.read(CATALOG, row_of_category(category_id))
        category = _found(entity)
        if entity is None or category.version != version:
            raise Stale
        return entity, category

    async def _has_products(self, category_id: UUID) -> bool:
        members = f"m|{category_id}|"
        return bool(await self._table.range(CATALOG, members, f"{members}~", most=1))


def row_of_category(category_id: UUID) -> str:
    return f"k|{category_id}"


def _changing(tree: Entity | None) -> Change:
    change = Change(CATALOG)
    if tree:
        change.replace(tree, b"")
    else:
        change.create(TREE)
    return change


def parents_of(known: Mapping[UUID, Category]) -> Parents:
    return {category.id: category.parent_id for category in known.values()}


def _found(entity: Entity | None) -> Category:
    if entity is None:
        raise NotFound
    return _category.decode(entity.body)

"""The rules of products and categories."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from libs.common.errors import Invalid, NotFound
from services.catalog.domain import (
    MOST_CATEGORIES,
    MOST_MEDIA,
    Category,
    Details,
    Media,
    Parents,
    Product,
    TooManyCategories,
    TooManyMedia,
    Variant,
    admit,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP = Details("LAMP", "Lamp", "Gives light.", 4900, "EUR", UUID(int=7))


def lamp() -> Product:
    return Product(UUID(int=1), LAMP, opening_stock=5)


def picture() -> Media:
    return Media(uuid4(), "https://media.example/a.png", "image/png")


def test_a_new_product_tells_its_price_and_its_opening_stock() -> None:
    fact = lamp().created(NOON)

    assert (fact.sku, fact.price, fact.currency, fact.opening_stock, fact.version) == ("LAMP", 4900, "EUR", 5, 1)


def test_a_replaced_product_has_a_new_version_and_tells_it() -> None:
    product = lamp()

    fact = product.replace(structs.replace(LAMP, price=5900), NOON)

    assert fact is not None
    assert (fact.price, fact.version, product.version) == (5900, 2, 2)


def test_what_changes_nothing_tells_nothing() -> None:
    product = lamp()

    assert product.replace(LAMP, NOON) is None
    assert product.version == 1


def test_a_deleted_product_keeps_its_name_and_frees_its_category() -> None:
    product = lamp()

    fact = product.delete(NOON)

    assert (product.deleted, product.details.name, product.details.category_id) == (True, "Lamp", None)
    assert fact.version == product.version == 2


def test_images_come_and_go_and_each_is_a_new_version() -> None:
    product, media = lamp(), picture()

    shown = product.show(media, NOON)
    hidden = product.hide(media.id, NOON)

    assert shown is not None
    assert (shown.version, hidden.version, product.media) == (2, 3, [])
    with pytest.raises(NotFound):
        product.hide(media.id, NOON)


def test_a_product_has_so_many_images_and_no_more() -> None:
    product = lamp()
    for _ in range(MOST_MEDIA):
        product.show(picture(), NOON)

    with pytest.raises(TooManyMedia):
        product.show(picture(), NOON)


def test_an_upload_is_shown_once() -> None:
    product, upload_id = lamp(), uuid4()
    first, second = (replace(picture(), upload_id=upload_id) for _ in range(2))

    shown, again = product.show(first, NOON), product.show(second, NOON)

    assert (shown is None, again, product.media) == (False, None, [first])


def test_thumbnails_join_their_image_in_the_order_of_their_sizes_whatever_comes_first() -> None:
    product, media, other = lamp(), picture(), picture()
    product.media = [other, media]
    small, large = Variant("small", "s", 160, 90), Variant("large", "l", 1280, 720)

    for variant in (large, small, large, small):
        product.vary(media.id, variant)

    assert product.media == [other, replace(media, variants=(small, large))]
    assert (product.variants, product.version) == (2, 1)


def test_a_thumbnail_of_what_is_gone_changes_nothing() -> None:
    product = lamp()

    product.vary(uuid4(), Variant("small", "s", 1, 1))

    assert product == replace(product, media=[], version=1)


# --- categories --------------------------------------------------------------------------------------------------

HOME, LIGHT, LED = UUID(int=1), UUID(int=2), UUID(int=3)
TREE: Parents = {HOME: None, LIGHT: HOME, LED: LIGHT}


def test_a_category_moves_with_what_is_below_it() -> None:
    category = Category(LED, "LED", LIGHT)

    category.replace("Lamps", HOME, TREE)

    assert (category.name, category.parent_id, category.version) == ("Lamps", HOME, 2)


@pytest.mark.parametrize(("category", "parent"), [(HOME, HOME), (HOME, LIGHT), (HOME, LED), (LIGHT, UUID(int=9))])
def test_a_category_is_never_below_itself_nor_below_nothing(category: UUID, parent: UUID) -> None:
    moved = Category(category, "x", None)

    with pytest.raises(Invalid) as refusal:
        moved.replace("x", parent, TREE)

    assert (refusal.value.field, moved.version) == ("parent_id", 1)


def test_a_new_category_needs_a_parent_that_is_there_and_room() -> None:
    admit(Category(uuid4(), "x", LED), TREE)

    with pytest.raises(Invalid):
        admit(Category(uuid4(), "x", UUID(int=9)), TREE)
    with pytest.raises(TooManyCategories):
        admit(Category(uuid4(), "x", None), {uuid4(): None for _ in range(MOST_CATEGORIES)})


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_whatever_is_moved_where_every_category_hangs_on_a_root(moves: list[tuple[int, int]]) -> None:
    ids = [UUID(int=n) for n in range(6)]
    parents: dict[UUID, UUID | None] = dict.fromkeys(ids)

    for which, under in moves:
        category = Category(ids[which], "x", parents[ids[which]])
        try:
            category.replace("x", ids[under], parents)
        except Invalid:
            continue
        parents[category.id] = category.parent_id

    for each in ids:
        above, steps = parents[each], 0
        while above is not None:
            above, steps = parents[above], steps + 1
            assert steps < len(ids)

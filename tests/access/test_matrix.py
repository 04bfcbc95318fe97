"""Every route of every service, as everybody who may not: refused as its policy says, with nothing changed."""

from typing import Any

import pytest

from libs.common.auth import Role
from libs.common.postgres import Postgres
from tests.access.shops import ADA, BOB, Route, Shop, body_for, routes_of
from tests.forgeries import FORGERIES

pytestmark = pytest.mark.real

# What is not one customer's but the caller's own by itself: the product is everybody's.
NOBODYS = {"/api/products/{id}/waiting"}


def sent(shop: Shop, route: Route) -> dict[str, Any]:
    body = body_for(shop.service, route)
    return {"json": body} if body else {}


async def held(database: Postgres) -> dict[str, list[str]]:
    """Every row of every table."""
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        name: [row["row"] for row in await database.fetch(f'SELECT t::text AS row FROM "{name}" t ORDER BY 1')]
        for name in sorted(str(table["tablename"]) for table in tables)
    }


async def test_nobody_gets_in_without_a_good_token(shop: Shop, database: Postgres) -> None:
    before = await held(database)
    bad = {name: {"Authorization": make(shop.tokens)} for name, make in FORGERIES.items()}

    closed = [route for route in routes_of(shop.service) if route.policy]
    let_in = [
        (str(route), name, status)
        for route in closed
        for name, who in bad.items()
        if (status := (await shop.call(route, who, **sent(shop, route)))[0]) != 401
    ]

    assert closed
    assert let_in == []
    assert await held(database) == before


async def test_nobody_gets_in_in_a_role_that_the_route_is_not_for(shop: Shop, database: Postgres) -> None:
    before = await held(database)
    people = [[role] for role in Role] + [[]]

    let_in = [
        (str(route), roles, status)
        for route in routes_of(shop.service)
        for roles in people
        if route.policy and not route.policy & set(roles)
        if (status := (await shop.call(route, shop.tokens.bearer(*roles, oid=ADA), **sent(shop, route)))[0]) != 403
    ]

    assert let_in == []
    assert await held(database) == before


async def test_another_customer_finds_nothing_of_adas(shop: Shop, database: Postgres) -> None:
    before, bob = await held(database), shop.tokens.bearer(Role.CUSTOMER, oid=BOB)
    own = [
        route
        for route in routes_of(shop.service)
        if Role.CUSTOMER in route.policy and "{id}" in route.path and route.path not in NOBODYS
    ]

    found = [
        (str(route), status)
        for route in own
        if (status := (await shop.call(route, bob, **sent(shop, route)))[0]) != 404
    ]

    assert found == []
    assert await held(database) == before


async def test_what_is_listed_for_another_customer_is_nothing_of_adas(shop: Shop) -> None:
    bob = shop.tokens.bearer(Role.CUSTOMER, oid=BOB)
    lists = [
        route
        for route in routes_of(shop.service)
        if Role.CUSTOMER in route.policy and route.method == "GET" and "{id}" not in route.path
    ]

    for route in lists:
        plain, asked = await shop.call(route, bob), await shop.call(route, bob, params={"customer": str(ADA)})

        assert (plain[0], asked[0]) == (200, 404), route
        for _, content in (plain, asked):
            assert str(ADA).encode() not in content and shop.thing.encode() not in content, route


async def test_what_another_customer_does_to_what_is_everybodys_leaves_adas_alone(shop: Shop) -> None:
    ada, bob = (shop.tokens.bearer(Role.CUSTOMER, oid=who) for who in (ADA, BOB))
    shared = [route for route in routes_of(shop.service) if route.path in NOBODYS]

    for read in (route for route in shared if route.method == "GET"):
        before = await shop.call(read, ada)
        for route in shared:
            await shop.call(route, bob)

        assert await shop.call(read, ada) == before


def test_what_changes_something_is_open_to_nobody_without_a_role() -> None:
    every = [route for service in ("catalog", "orders", "customers") for route in routes_of(service)]

    assert [str(route) for route in every if not route.policy and route.method != "GET"] == []


async def test_each_role_gets_in_where_the_route_is_for_it(shop: Shop) -> None:
    """The test of the tests above: what is refused there is refused for who asks, and not for what is sent."""
    refused = [
        (str(route), role, status)
        for route in routes_of(shop.service)
        for role in route.policy
        if route.method == "GET"
        if (status := (await shop.call(route, shop.tokens.bearer(Role(role), oid=ADA)))[0]) >= 400
    ]

    assert refused == []

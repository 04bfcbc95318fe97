"""What is answered piece by piece carries what every answer does: a page of a named origin can read it."""

import pytest

from libs.common.auth import Role
from libs.common.entrance import ENTRANCE
from tests.access.shops import SERVICES, Route, Shop, routes_of

pytestmark = pytest.mark.real

SHOP = "https://shop.example"
STREAMS = [
    (service, route)
    for service in SERVICES
    for route in routes_of(service)
    if bytes in route.operation.answers.values()
]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ASKED = {"Origin": SHOP, "X-Request-Id": "stream-7", "traceparent": TRACE}
EVERY = {"RateLimit", "RateLimit-Policy", "traceparent", "X-Content-Type-Options", "Access-Control-Expose-Headers"}


def test_each_kind_of_stream_is_looked_at() -> None:
    assert [str(route) for _, route in STREAMS] == [
        "POST /api/products/import",
        "GET /api/products/export",
        "GET /api/orders/{id}/events",
    ]


@pytest.mark.parametrize(("shop", "route"), STREAMS, indirect=["shop"], ids=[str(route) for _, route in STREAMS])
async def test_a_page_of_a_named_origin_can_read_a_stream(shop: Shop, route: Route) -> None:
    shop.client.app[ENTRANCE].origins = frozenset({SHOP})
    headers = ASKED | shop.tokens.bearer(Role.ADMIN) | {"Content-Type": route.operation.body_types[0]}

    async with shop.client.request(route.method, route.with_id(shop.thing), headers=headers) as answer:
        said = answer.headers

    assert (answer.status, said["Content-Type"]) == (200, route.operation.answer_types[0])
    assert (said.getall("Access-Control-Allow-Origin"), said.getall("Vary")) == ([SHOP], ["Origin"])
    assert (said["X-Request-Id"], said["Cache-Control"]) == ("stream-7", "no-store")
    assert set(said) > EVERY
    assert said["traceparent"].split("-")[1] == TRACE.split("-")[1]

"""What a collector gets of a whole store: one trace from the request to the letter, and the figures."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import aiohttp
import pytest

from tests.localcloud.programs import state_of
from tests.otlp import Collector, Seen
from tests.stories.ground import Ground
from tests.stories.shop import Shop
from tests.stories.store import RunningStore
from tests.waiting import so, until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(240)]

ON = ["postgres", pytest.param("catalog=azuresql,orders=tables", id="mixed")]
AT_ONCE = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "500"}
CALLER = "1" * 16
POST = ("orders", "POST /api/orders", "SERVER")
EXAMINED = ("functions", "process_order", "CONSUMER")
RESERVED = ("catalog", "process store.catalog.reserve-stock.v1", "CONSUMER")
HEARD = ("orders", "process store.catalog.stock-reserved.v1", "CONSUMER")
LETTER = ("functions", "notify_customer", "CONSUMER")
BELOW = {  # each is told or heard because of the one that it belongs to
    ("orders", "publish store.orders.order-placed.v1", "PRODUCER"): POST,
    EXAMINED: POST,
    ("customers", "GET /api/customers/{id}", "SERVER"): EXAMINED,
    RESERVED: EXAMINED,
    ("catalog", "publish store.catalog.stock-reserved.v1", "PRODUCER"): RESERVED,
    HEARD: RESERVED,
}


@dataclass(frozen=True, slots=True)
class Watched:
    store: RunningStore
    shop: Shop
    collector: Collector


@pytest.fixture
async def watched(
    told_on: Ground, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Watched]:
    """A store of its own, which was told of a collector."""
    async with Collector.running() as collector, aiohttp.ClientSession() as session:
        for name, value in {**AT_ONCE, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}.items():
            monkeypatch.setenv(name, value)
        with state_of(tmp_path_factory.mktemp("watched")) as folder:
            async with told_on.own(), RunningStore.start(folder, told_on.engine) as store:
                addresses = store.run().addresses
                shop = Shop(session, addresses["gateway"], addresses["letters"], store.token)
                yield Watched(store, shop, collector)


def who(span: Seen) -> tuple[str, str, str]:
    return span.service, span.name, span.kind


def ancestors(span: Seen, trace: dict[str, Seen]) -> Iterator[Seen]:
    while span := trace.get(span.parent_id):  # type: ignore[assignment]
        yield span


@pytest.mark.parametrize("told_on", ON, indirect=True)
async def test_a_collector_sees_one_trace_from_the_request_to_the_letter(watched: Watched) -> None:
    shop, trace_id = watched.shop, uuid4().hex
    product, buyer = await shop.product(stock=5), await shop.customer()
    await buyer.order(product)
    body = {"lines": [{"product_id": product, "quantity": 1}]}

    answer = await buyer.post_order(body, headers={"traceparent": f"00-{trace_id}-{CALLER}-01"})
    await buyer.settled(answer.body["id"])
    await until(lambda: shop.letters(buyer), lambda letters: len(letters) == 2)
    await so(lambda: {LETTER, HEARD, *BELOW} <= {who(span) for span in watched.collector.of(trace_id)})
    await watched.store.quiet()

    trace = {span.id: span for span in watched.collector.of(trace_id)}
    assert [who(span) for span in trace.values() if span.parent_id not in trace] == [POST]
    pairs = {(who(span), who(trace[span.parent_id])) for span in trace.values() if span.parent_id in trace}
    assert set(BELOW.items()) <= pairs
    (letter,) = (span for span in trace.values() if who(span) == LETTER)
    way = [who(span) for span in ancestors(letter, trace)]
    assert (way[0][0], way[0][2]) == ("orders", "CONSUMER")  # the reaction that confirmed it
    assert way[-4:] == [HEARD, RESERVED, EXAMINED, POST]
    assert not [span for span in trace.values() if span.failed]
    (post,) = (span for span in trace.values() if who(span) == POST)
    assert (post.parent_id, post.attributes["http.response.status_code"]) == (CALLER, 202)
    assert any(
        span.name.endswith(("postgresql", "azure.table")) for span in trace.values() if span.parent_id == post.id
    )
    await so(lambda: ("orders", "store.order.settling") in watched.collector.metrics)
    assert {("functions", "faas.invoke_duration"), ("catalog", "messaging.process.duration")} <= {
        *watched.collector.metrics
    }


async def test_prometheus_reads_every_service_and_nobody_does_through_the_gateway(
    shop: Shop, running: RunningStore
) -> None:
    buyer = await shop.customer()
    await buyer.settled(await buyer.order(await shop.product(stock=5)))
    addresses = running.run().addresses

    async def figures(service: str) -> str:
        async with shop.session.get(f"{addresses[service]}/metrics") as response:
            assert response.status == 200
            return await response.text()

    orders = await until(
        partial(figures, "orders"),
        lambda text: 'settling_seconds_count{status="confirmed"}' in text and "store_outbox_waiting 0" in text,
    )
    through = await shop.call("GET", "/metrics")

    assert 'http_route="/api/orders",http_response_status_code="202"' in orders
    assert 'store_order_settling_seconds_count{status="confirmed"}' in orders
    assert 'db_system_name="postgresql",db_operation_name="fetch"' in orders
    assert 'store_messages_delivered_total{messaging_destination_name="orders",outcome="completed"}' in orders
    assert 'store_orders_recent{status="placed"}' in orders
    assert "store_relay_leading 1" in orders
    assert str(buyer.id) not in orders
    for service in ("catalog", "customers"):
        assert "store_facts_published_total" in await figures(service)
    assert through.status == 404

"""What becomes of the speed where there is more: products, old orders, processes."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from bench import statements
from bench.figures import Figures, middle
from bench.filling import BUYERS, ORDERS, PRODUCTS, fill, known, sweep
from bench.servers import Bench, Served, request
from bench.speed import Pace, Say, answer_of, listing, placing, reading

Growth = dict[int, dict[str, Figures]]
PROCESSES = (1, 2, 4)
SEARCH = "?q=green+mug"
MINE = "/api/orders"


async def of_products(bench: Bench, most: int, pace: Pace, say: Say) -> Growth:
    found = Growth()
    for there, many in ((0, statements.PRODUCTS), (statements.PRODUCTS, most)):
        if there:
            say(f"products are being made, until there are {many:,} …")
            await fill(bench.url("catalog"), PRODUCTS, there + 1, many)
        async with bench.service("catalog") as catalog:
            asked = {"list": listing(catalog), "search": listing(catalog, SEARCH), "read": reading(catalog)}
            found[many] = await _each(bench, asked, pace)
        say(_said(f"{many:,} products", found[many]))
    return found


async def of_orders(bench: Bench, most: int, pace: Pace, say: Say) -> Growth:
    found = Growth()
    for many in (0, most):
        if many:
            say(f"{many:,} old orders are being made …")
            await fill(bench.url("orders"), ORDERS, 1, many, statements.lines())
        async with bench.service("orders") as orders:
            placed = placing(bench, [orders])
            found[many] = await _each(bench, {"place": placed, "mine": _mine(bench, orders)}, pace)
        say(_said(f"{many:,} old orders", found[many]))
    await sweep(bench.url("orders"))
    return found


async def of_processes(bench: Bench, pace: Pace, say: Say) -> Growth:
    found = Growth()
    for many in PROCESSES:
        async with AsyncExitStack() as stack:
            started = [await stack.enter_async_context(bench.service("orders")) for _ in range(many)]
            found[many] = await _each(bench, {"place": placing(bench, started)}, pace)
        await sweep(bench.url("orders"))
        say(_said(f"{many} processes of orders", found[many]))
    return found


async def _each(bench: Bench, asked: Mapping[str, Served], pace: Pace) -> dict[str, Figures]:
    """In turns."""
    rounds: dict[str, list[Figures]] = {what: [] for what in asked}
    for served in asked.values():
        await answer_of(served)
    for _ in range(pace.rounds):
        for what, served in asked.items():
            rounds[what].append(await bench.figures(served, pace.seconds))
    return {what: middle(each) for what, each in rounds.items()}


def _mine(bench: Bench, orders: tuple[int, int]) -> Served:
    """The customer's own, newest first."""
    people = bench.store.people()
    tokens = [people.authorization("customer", known(number)) for number in range(1, BUYERS + 1)]
    return Served([orders[0]], [orders[1]], [request("GET", MINE, token) for token in tokens], 200)


def _said(what: str, found: Mapping[str, Figures]) -> str:
    return f"{what}: " + ", ".join(f"{name} {each.per_second:,.0f}/s" for name, each in found.items())

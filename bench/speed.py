"""One process of a service against the bare one and pgbench, in alternating rounds."""

import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from bench import statements
from bench.figures import Figures, middle
from bench.filling import BUYERS, CUSTOMERS, PRICES, PRODUCTS, fill, known, sweep
from bench.load import NEW_KEY, Load, run
from bench.servers import Bench, Served, request

LISTED = "/api/products"
ASK_SECONDS = 0.2
ETAG = '"v1-in-stock"'

Say = Callable[[str], None]
Round = Callable[[float], Awaitable[Figures]]  # of so many seconds
Contenders = dict[str, dict[str, Round]]  # by operation and contender


@dataclass(frozen=True, slots=True)
class Pace:
    rounds: int
    seconds: float  # of each


async def stock_up(bench: Bench) -> None:
    """What may be asked for."""
    await fill(bench.url("catalog"), PRODUCTS, 1, statements.PRODUCTS)
    await fill(bench.url("orders"), PRICES, 1, statements.PRODUCTS)
    await fill(bench.url("orders"), CUSTOMERS, 1, BUYERS)


async def measure(bench: Bench, pace: Pace, say: Say) -> dict[str, dict[str, Figures]]:
    """By operation and contender."""
    async with AsyncExitStack() as stack:
        orders = await stack.enter_async_context(bench.service("orders"))
        catalog = await stack.enter_async_context(bench.service("catalog"))
        served = {
            "place": placing(bench, [orders]),
            "list": listing(catalog),
            "apart": listing_apart(catalog),
            "read": reading(catalog),
            "unchanged": unchanged(catalog),
        }
        answers = {what: await answer_of(each) for what, each in served.items()}
        port, pid = await stack.enter_async_context(bench.bare(answers))
        contenders: Contenders = {what: {"service": partial(bench.figures, each)} for what, each in served.items()}
        for what, each in served.items():
            method = "POST" if what == "place" else "GET"
            bare = Served([port], [pid], [bare_request(method, f"/{what}", each.requests[0])], each.status)
            contenders[what]["bare"] = partial(bench.figures, bare)
        add_pgbench(bench, contenders, answers)
        return await in_turns(bench, contenders, pace, say)


def add_pgbench(bench: Bench, contenders: Contenders, answers: Mapping[str, bytes]) -> None:
    scripts = {
        "place": ("orders", statements.placing_script(answers["place"])),
        "list": ("catalog", statements.listing_script()),
        "apart": ("catalog", statements.listing_apart_script()),
        "read": ("catalog", statements.reading_script()),
    }
    for what, (name, script) in scripts.items():
        contenders[what]["pgbench"] = partial(bench.pgbench_figures, name, script)


async def in_turns(bench: Bench, contenders: Contenders, pace: Pace, say: Say) -> dict[str, dict[str, Figures]]:
    """So that what else the machine does is spread over all."""
    rounds: dict[str, dict[str, list[Figures]]] = {what: {who: [] for who in each} for what, each in contenders.items()}
    for number in range(1, pace.rounds + 1):
        for what, each in contenders.items():
            for who, measured in each.items():
                rounds[what][who].append(found := await measured(pace.seconds))
                say(f"round {number} of {pace.rounds}: {what}, {who}: {found.per_second:,.0f}/s")
                await sweep(bench.url("orders"))
    return {what: {who: middle(found) for who, found in each.items()} for what, each in rounds.items()}


# --- what is asked ------------------------------------------------------------------------------------------------


def placing(bench: Bench, processes: Sequence[tuple[int, int]]) -> Served:
    """By many customers, each with a token."""
    people, chance = bench.store.people(), random.Random(1)
    tokens = [people.authorization("customer", known(number)) for number in range(1, BUYERS + 1)]
    requests = [_order(tokens[number % BUYERS], chance) for number in range(statements.CHOSEN)]
    return Served([port for port, _ in processes], [pid for _, pid in processes], requests, 202)


def _order(authorization: dict[str, str], chance: random.Random) -> bytes:
    chosen = chance.sample(range(1, statements.PRODUCTS + 1), statements.LINES)
    body = {"lines": [{"product_id": str(known(number)), "quantity": 1} for number in chosen]}
    headers = {**authorization, "Idempotency-Key": NEW_KEY.decode()}
    return request("POST", "/api/orders", headers, json.dumps(body).encode())


def listing(process: tuple[int, int], *queries: str) -> Served:
    requests = [request("GET", f"{LISTED}{query}", {}) for query in queries or [""]]
    return Served([process[0]], [process[1]], requests, 200)


def listing_apart(process: tuple[int, int]) -> Served:
    """Each for other ones, so that none is shared."""
    return listing(process, *(f"?min_price={price}" for price in range(statements.CHOSEN)))


def reading(process: tuple[int, int]) -> Served:
    return _reading(process, {}, 200)


def unchanged(process: tuple[int, int]) -> Served:
    """By one who has it already."""
    return _reading(process, {"If-None-Match": ETAG}, 304)


def _reading(process: tuple[int, int], headers: dict[str, str], status: int) -> Served:
    chosen = [known(number) for number in random.Random(1).sample(range(1, statements.PRODUCTS + 1), statements.CHOSEN)]
    requests = [request("GET", f"{LISTED}/{product}", headers) for product in chosen]
    return Served([process[0]], [process[1]], requests, status)


def bare_request(method: str, path: str, like: bytes) -> bytes:
    """The same headers and body, to another path."""
    _, _, rest = like.partition(b" HTTP/1.1\r\n")
    return f"{method} {path}".encode() + b" HTTP/1.1\r\n" + rest


async def answer_of(served: Served) -> bytes:
    """It also warms the service up."""
    return (await run(Load(served.ports, served.requests, served.status, ASK_SECONDS))).first

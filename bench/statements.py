"""The statements that a service runs for a request, with what they ask for: for the bare one, and for pgbench."""

import random
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from bench.filling import BUYERS, known
from libs.common.ids import uuid7_beside
from libs.common.messages import encode_fact
from services.catalog.store import Sort, Wanted
from services.catalog.store.postgres_list import listing
from services.catalog.store.postgres_products import READ
from services.orders.domain import Order, Price
from services.orders.domain import Wanted as Ordered
from services.orders.domain import place as make
from services.orders.store.postgres_statements import PLACE

PRODUCTS = 1000  # that are asked for
LINES = 2
PAGE = 20
LIST, ASKED = listing(Wanted(status="published"), Sort.NEWEST, None, PAGE)
APART, _ = listing(Wanted(status="published", min_price=0), Sort.NEWEST, None, PAGE)
CHOSEN = 64  # requests that differ, and are sent in any order


def an_order() -> Order:
    at = datetime.now(UTC)
    products = [known(number) for number in range(1, LINES + 1)]
    prices = {each: Price(each, "BULK-1", "green mug 1", 1001, "EUR", 1, 1900) for each in products}
    return make(known(0), known(1), [Ordered(each, 1) for each in products], prices, at)


def lines() -> str:
    return msgspec.json.encode(an_order().lines).decode()


class Placing:
    """PLACE with an order that is always the same, but for its ids."""

    def __init__(self, answer: bytes, chance: random.Random) -> None:
        order = an_order()
        self.chance, self.at = chance, order.placed_at
        self.fact, self.lines, self.total, self.answer = encode_fact(order.placed(), ""), lines(), order.total, answer

    def parameters(self) -> Sequence[Any]:
        buyer = known(self.chance.randint(1, BUYERS))
        products = [known(number) for number in self.chance.sample(range(1, PRODUCTS + 1), LINES)]
        order_id = uuid7_beside(buyer, datetime.now(UTC), secrets.randbits)
        said = (order_id, buyer, "EUR", self.total, self.lines, self.at, secrets.token_hex(16), b"f" * 32, self.answer)
        return (*([each] for each in (*said, self.fact)), [order_id] * LINES, products, [1] * LINES)


def read() -> list[UUID]:
    return [known(secrets.randbelow(PRODUCTS) + 1)]


def apart() -> tuple[int, str]:
    return secrets.randbelow(CHOSEN), "published"


# --- the same as scripts of pgbench, which knows numbers only -------------------------------------------------------


def placing_script(answer: bytes) -> str:
    like = Placing(answer, random.Random(1))
    products = ", ".join(_known(f":p{number}") for number in range(LINES))
    order_id = "md5(:key::text)::uuid"
    values = [
        *map(
            _array,
            (
                order_id,
                _known(":buyer"),
                "'EUR'",
                str(like.total),
                _text(like.lines),
                "now()",
                "md5(:key::text)",
                _bytes(b"f" * 32),
                _bytes(answer),
                _bytes(like.fact),
            ),
        ),
        _array(*[order_id] * LINES),
        _array(products),
        _array(*["1"] * LINES),
    ]
    chosen = [("buyer", 1, BUYERS), ("key", 1, 2**62)]
    chosen += [(f"p{n}", 1 + n * PRODUCTS // LINES, (n + 1) * PRODUCTS // LINES) for n in range(LINES)]
    return script(PLACE, values, chosen)


def reading_script() -> str:
    return script(READ, [_array(_known(":product"))], [("product", 1, PRODUCTS)])


def listing_script() -> str:
    return script(LIST, [_text(value) for value in ASKED], [])


def listing_apart_script() -> str:
    return script(APART, [":price", _text("published")], [("price", 0, CHOSEN - 1)])


def script(statement: str, values: Sequence[str], chosen: Sequence[tuple[str, int, int]]) -> str:
    """`chosen` are variables of pgbench: between which numbers each is."""
    for number in range(len(values), 0, -1):  # $1 is the beginning of $12
        statement = statement.replace(f"${number}", values[number - 1])
    variables = [f"\\set {name} random({low}, {high})" for name, low, high in chosen]
    return "\n".join([*variables, " ".join(statement.split()) + ";", ""])


def _known(variable: str) -> str:
    return f"('{str(known(0))[:24]}' || lpad(to_hex({variable}::bigint), 12, '0'))::uuid"


def _array(*values: str) -> str:
    return f"ARRAY[{', '.join(values)}]"


def _text(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def _bytes(value: bytes) -> str:
    return f"'\\x{value.hex()}'::bytea"

"""What the tests of the mail have in common: a letter, and who has no right to post it."""

from email.message import EmailMessage
from typing import Any

from azure.core.credentials import AccessToken

from functions.api import Customer
from functions.letters import write
from libs.common.messages.orders import OrderConfirmed
from tests.functions.surroundings import ADA, LINES, NOON, ORDER, TRACEPARENT

CONFIRMED = OrderConfirmed(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=34800, lines=LINES, version=2, at=NOON
)


def letter(name: str = "Ada Müller") -> EmailMessage:
    customer = Customer(id=ADA, name=name, email="ada@example.org", language="de", status="active")
    return write(CONFIRMED, customer, sender="Store <store@example.org>", traceparent=TRACEPARENT)


class Nobody:
    """Whose tokens nobody asks for, or who has none that is good."""

    token = "none"

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.token, 2**31)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Nobody":
        return self

    async def __aexit__(self, *_: object) -> None: ...

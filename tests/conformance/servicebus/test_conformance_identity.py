"""Whoever comes by a token of Entra and no key: makes entities, sends, receives."""

from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from azure.core.credentials import AccessToken
from azure.servicebus import ServiceBusMessage, TransportType

from tests.conformance.servicebus.messages import one, send
from tests.conformance.servicebus.place import WHERE, Namespace, Place, Way

pytestmark = pytest.mark.real

FAR: Final = 4_102_444_800  # the year 2100


@dataclass(frozen=True, slots=True)
class Anyone:
    """The emulator that the suite starts takes every token: what they must say is tried elsewhere."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("header.claims.signature", FAR)

    def close(self) -> None: ...

    def __enter__(self) -> "Anyone":
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def by_token(place: Place) -> Place:
    if place.credential is None and WHERE == "Azure":
        pytest.skip("SERVICEBUS_CONFORMANCE_NAMESPACE is not said")
    return place if place.credential else replace(place, credential=Anyone())


async def test_by_a_token_a_queue_is_made_and_used_and_removed(by_token: Place, way: Way) -> None:
    async with by_token.administration() as admin:
        made = Namespace(by_token, admin, way)
        try:
            queue = await made.queue()
            async with made.client() as sdk:
                await send(sdk, queue, ServiceBusMessage("1"))
                assert str(await one(sdk, queue)) == "1"
            async with by_token.over(TransportType.AmqpOverWebsocket) as sdk:
                await send(sdk, queue, ServiceBusMessage("2"))
                assert str(await one(sdk, queue)) == "2"
        finally:
            await made.remove_all()

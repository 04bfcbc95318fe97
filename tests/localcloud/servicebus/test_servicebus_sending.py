"""What the unmodified SDK sends."""

from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthorizationError,
    ServiceBusConnectionError,
    ServiceBusQuotaExceededError,
)

from localcloud.access import Access
from localcloud.certificates import Certificates
from localcloud.servicebus.broker import Envelope
from localcloud.servicebus.errors import QueueFull, TooLarge, UnknownEntity
from localcloud.servicebus.namespace import Limits
from tests.localcloud.servicebus.bus import Bus, client, one, opened, received

pytestmark = pytest.mark.real


def sending(sdk: ServiceBusClient) -> ServiceBusSender:
    return sdk.get_queue_sender("catalog")


def receiving(sdk: ServiceBusClient) -> ServiceBusReceiver:
    return sdk.get_queue_receiver("catalog")


async def test_a_message_arrives_as_it_was_sent(bus: Bus) -> None:
    async with (
        bus.of() as sdk,
        sending(sdk) as sender,
        receiving(sdk) as receiver,
    ):
        await sender.send_messages(
            ServiceBusMessage(
                b"\x00\xff",
                message_id="m-1",
                content_type="application/json",
                correlation_id="c-1",
                subject="reserve",
                partition_key="p-1",
                application_properties={"text": "grün", "number": 7, "exact": 0.5, "yes": True},
            )
        )

        message = await one(receiver)

    assert b"".join(message.body) == b"\x00\xff"
    assert (message.message_id, message.correlation_id, message.subject) == ("m-1", "c-1", "reserve")
    assert (message.content_type, message.partition_key) == ("application/json", "p-1")
    assert message.application_properties == {b"text": "grün".encode(), b"number": 7, b"exact": 0.5, b"yes": True}
    assert (message.sequence_number, message.delivery_count) == (1, 0)
    assert message.enqueued_time_utc and message.locked_until_utc


async def test_lists_and_batches_arrive_one_by_one_in_order(bus: Bus) -> None:
    async with (
        bus.of() as sdk,
        sending(sdk) as sender,
        receiving(sdk) as receiver,
    ):
        batch = await sender.create_message_batch()
        for number in range(3):
            batch.add_message(ServiceBusMessage(str(number), message_id=f"m-{number}"))
        await sender.send_messages(batch)
        await sender.send_messages([ServiceBusMessage(str(number)) for number in (3, 4)])

        messages = await received(receiver, 5)

    assert [str(message) for message in messages] == ["0", "1", "2", "3", "4"]
    assert [message.sequence_number for message in messages] == [1, 2, 3, 4, 5]
    assert messages[2].message_id == "m-2"


async def test_a_large_message_travels_in_several_frames_both_ways(bus: Bus) -> None:
    body = bytes(range(256)) * 1_000
    async with (
        bus.of() as sdk,
        sending(sdk) as sender,
        receiving(sdk) as receiver,
    ):
        await sender.send_messages(ServiceBusMessage(body))

        assert b"".join((await one(receiver)).body) == body


async def test_what_is_too_large_is_refused_and_the_link_lives_on(bus: Bus) -> None:
    async with bus.of() as sdk, sending(sdk) as sender:
        with pytest.raises(MessageSizeExceededError):
            await sender.send_messages(ServiceBusMessage(bytes(300_000)))
        await sender.send_messages(ServiceBusMessage(b"small"))

    assert bus.broker.counts("catalog").active == 1


async def test_a_full_queue_refuses(tmp_path: Path, access: Access, files: Certificates) -> None:
    async with opened(tmp_path / "bus.sqlite", access, files, limits=Limits(messages=2)) as bus, bus.of() as sdk:
        async with sending(sdk) as sender:
            await sender.send_messages([ServiceBusMessage("1"), ServiceBusMessage("2")])

            with pytest.raises(ServiceBusQuotaExceededError):
                await sender.send_messages(ServiceBusMessage("3"))
        with pytest.raises(QueueFull):
            await bus.broker.send("catalog", b"", Envelope("4"))

    assert bus.broker.counts("catalog").active == 2


async def test_an_unknown_queue_is_not_found(bus: Bus) -> None:
    async with bus.of() as sdk:
        with pytest.raises(MessagingEntityNotFoundError):
            async with sdk.get_queue_sender("nope") as sender:
                await sender.send_messages(ServiceBusMessage("1"))


async def test_who_may_only_receive_does_not_send_and_the_other_way_round(bus: Bus) -> None:
    async with bus.of("catalog") as receives, bus.of("functions") as sends:
        with pytest.raises(ServiceBusAuthorizationError):
            async with receives.get_queue_sender("catalog") as sender:
                await sender.send_messages(ServiceBusMessage("1"))
        with pytest.raises(ServiceBusAuthorizationError):
            async with sends.get_queue_receiver("catalog") as receiver:
                await receiver.receive_messages(1, 1)

        async with sends.get_queue_sender("catalog") as sender, receives.get_queue_receiver("catalog") as receiver:
            await sender.send_messages(ServiceBusMessage("2"))
            assert str(await one(receiver)) == "2"


async def test_a_strangers_token_is_refused(bus: Bus, stranger: Access) -> None:
    async with client(stranger, bus.files, bus.port) as sdk:
        with pytest.raises(ServiceBusConnectionError) as refused:  # with a custom endpoint the SDK calls a 401 so
            async with sending(sdk) as sender:
                await sender.send_messages(ServiceBusMessage("1"))

    assert "Status code: 401" in str(refused.value.inner_exception)


async def test_a_message_sent_in_the_same_process_is_like_any_other(bus: Bus) -> None:
    async with bus.of() as sdk, receiving(sdk) as receiver:
        await bus.broker.send("Catalog", b"{}", Envelope("e-1", "text/json", {"a": "b"}, partition_key="p"))

        message = await one(receiver)

    assert (b"".join(message.body), message.message_id, message.content_type) == (b"{}", "e-1", "text/json")
    assert (message.application_properties, message.partition_key) == ({b"a": b"b"}, "p")
    with pytest.raises(UnknownEntity):
        await bus.broker.send("nope", b"", Envelope("e-2"))
    with pytest.raises(TooLarge):
        await bus.broker.send("catalog", bytes(300_000), Envelope("e-3"))


async def test_what_is_received_and_deleted_is_gone(bus: Bus) -> None:
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with bus.of() as sdk, sending(sdk) as sender:
        await sender.send_messages([ServiceBusMessage(str(number)) for number in range(3)])
        async with sdk.get_queue_receiver("catalog", receive_mode=mode) as receiver:
            messages = await received(receiver, 3)

    assert [str(message) for message in messages] == ["0", "1", "2"]
    assert bus.broker.counts("catalog") == (0, 0, 0, None)

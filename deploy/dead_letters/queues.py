"""The dead letters of a Service Bus queue: peeked at, and sent to the queue again."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import MessageAlreadySettled, ServiceBusError

from deploy.dead_letters.letters import DeadLetter, Tally, Wanted, read

PEEKED = 100  # at once
RECEIVED = 20  # at once: each is locked for 30 s, and sending one takes milliseconds
MOST_LOOKED_AT = 10_000
WAIT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
OF_ITS_DEATH = ("DeadLetterReason", "DeadLetterErrorDescription")


@dataclass(frozen=True, slots=True)
class DeadQueue:
    client: ServiceBusClient
    name: str

    async def look(self, wanted: Wanted, room: int) -> list[DeadLetter]:
        """At most `room` of those that are wanted; they stay as they are. Raises ServiceBusError."""
        found, start, looked_at = list[DeadLetter](), 1, 0
        async with self._receiver() as receiver:
            while len(found) < room and looked_at < MOST_LOOKED_AT:
                seen = await receiver.peek_messages(PEEKED, sequence_number=start, timeout=ANSWER_SECONDS)
                if not seen:
                    break
                found += filter(wanted.has, map(self._letter, seen))
                start, looked_at = (seen[-1].sequence_number or start) + 1, looked_at + len(seen)
        return found[:room]

    async def replay(self, chosen: Iterable[DeadLetter], tally: Tally) -> None:
        """Those and no others: what comes back as a dead letter has another number. Raises ServiceBusError."""
        left, held = {letter.key[0] for letter in chosen}, dict[int, ServiceBusReceivedMessage]()
        async with self._receiver() as receiver, self.client.get_queue_sender(self.name) as sender:
            try:
                for _ in range(MOST_LOOKED_AT // RECEIVED):
                    messages = await receiver.receive_messages(RECEIVED, WAIT_SECONDS) if left else []
                    if not messages:
                        break
                    for message in messages:
                        number = message.sequence_number or 0
                        if number in left:
                            left.discard(number)
                            await self._again(message, receiver, sender, tally)
                        else:
                            held[number] = message
            finally:
                await _give_back(receiver, held.values())
        tally.gone += len(left)

    async def _again(
        self, message: ServiceBusReceivedMessage, receiver: ServiceBusReceiver, sender: ServiceBusSender, tally: Tally
    ) -> None:
        """Whoever dies between the two sends it once more, and the inbox knows it."""
        if message.body_type is not AmqpMessageBodyType.DATA:
            tally.refused.append(
                f"queue {self.name}, {message.message_id}: its body is no bytes; the store sends no such"
            )
            await receiver.abandon_message(message)
            return
        await sender.send_messages(copy(message, self.name), timeout=ANSWER_SECONDS)
        await receiver.complete_message(message)
        tally.sent += 1

    def _receiver(self) -> ServiceBusReceiver:
        return self.client.get_queue_receiver(self.name, sub_queue=ServiceBusSubQueue.DEAD_LETTER, prefetch_count=0)

    def _letter(self, message: ServiceBusReceivedMessage) -> DeadLetter:
        body = b"".join(message.body) if message.body_type is AmqpMessageBodyType.DATA else b""
        return DeadLetter(
            place=f"queue {self.name}",
            at=message.enqueued_time_utc,
            deliveries=message.delivery_count or 0,
            reason=message.dead_letter_reason or "",
            description=message.dead_letter_error_description or "",
            content=read(body, message.message_id or ""),
            key=(message.sequence_number or 0,),
        )


def copy(message: ServiceBusReceivedMessage, queue: str) -> ServiceBusMessage:
    """What the store says of a message, under another message id.

    A queue that knows repeats takes the old id for one, says that it has it, and drops it; and we would remove the only
    one there is. Who sends the same dead letter twice sends it under the same new id. The inboxes know the event's.
    """
    said = {_text(key): value for key, value in (message.application_properties or {}).items()}
    number = f"{queue} {message.sequence_number} {message.enqueued_time_utc} {message.message_id}"
    return ServiceBusMessage(
        b"".join(message.body),
        message_id=str(uuid5(NAMESPACE_URL, number)),
        content_type=message.content_type,
        correlation_id=message.correlation_id,
        subject=message.subject,
        application_properties={key: value for key, value in said.items() if key not in OF_ITS_DEATH},
    )


async def _give_back(receiver: ServiceBusReceiver, held: Collection[ServiceBusReceivedMessage]) -> None:
    """What was passed over; at the end only, for it would be the next to come."""
    for message in held:
        with suppress(ServiceBusError, MessageAlreadySettled):  # its lock ends by itself
            await receiver.abandon_message(message)


def _text(key: str | bytes) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else key

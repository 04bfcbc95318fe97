"""The operations of `<entity>/$management` ("AMQP 1.0 in Azure Service Bus: request-response operations")."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from localcloud.servicebus import encoding, settling
from localcloud.servicebus.claims import LISTEN, SEND
from localcloud.servicebus.encoding import Array, Int, Timestamp
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.errors import BadArgument, NotImplementedHere, TooLarge, Unauthorized
from localcloud.servicebus.message import DESCRIPTION, LARGEST, REASON, split
from localcloud.servicebus.nodes import Answer, Reply, Request, argument, arguments, failure
from localcloud.servicebus.performatives import Accepted, Error, Modified, Outcome, Rejected

MOST_PEEKED: Final = 250  # messages
MOST_NAMED: Final = 1_000  # numbers, tokens or messages of one request
LARGEST_ANSWER: Final = 1_048_576  # bytes, and the message that goes beyond
DELETE: Final = 0  # receiver-settle-mode

Body = dict[str, Any]


class Management:
    status = ("statusCode", "statusDescription")

    def __init__(self, entity: Entity, rights: frozenset[str], operations: "Mapping[str, Operation]") -> None:
        self._entity, self._rights, self._operations = entity, rights, operations

    def answer(self, request: Request, reply: Reply) -> None:
        operation = self._operations.get(request.operation.removeprefix("com.microsoft:"))
        if operation is None:
            raise NotImplementedHere(request.operation)
        if operation.claim not in self._rights:
            raise Unauthorized(operation.claim)
        if not isinstance(request.body, dict):
            raise BadArgument("the body is not a map")
        self._entity.main.used = self._entity.ground.clock()
        operation.act(self._entity, request.body, reply)


def peek(entity: Entity, body: Body, reply: Reply) -> None:
    start, most = argument(body, "from-sequence-number", int), argument(body, "message-count", int)
    size, messages = 0, list[dict[str, bytes]]()
    for entry in entity.queue.peek(start, min(max(most, 0), MOST_PEEKED), _session(body)):
        messages.append({"message": entity.encoded(entry)})
        size += entry.size
        if size > LARGEST_ANSWER:
            break
    reply(Answer(body={"messages": messages}) if messages else Answer(204, "No Content"))


def schedule(entity: Entity, body: Body, reply: Reply) -> None:
    encoded = [argument(each, "message", bytes) for each in _few(arguments(body, "messages", dict))]
    if any(len(each) > LARGEST for each in encoded):
        raise TooLarge(LARGEST)
    arrival, done = entity.arrive([split(each) for each in encoded])
    numbers = [entry.number for _, entry, _ in arrival.kept]
    then(done, reply, {"sequence-numbers": Array(encoding.wide_long, numbers)})


def cancel(entity: Entity, body: Body, reply: Reply) -> None:
    then(settling.cancel(entity, _few(arguments(body, "sequence-numbers", int))), reply, {})


def receive_by_number(entity: Entity, body: Body, reply: Reply) -> None:
    numbers = _few(arguments(body, "sequence-numbers", int))
    deletes = argument(body, "receiver-settle-mode", int) == DELETE
    receive = settling.delete_deferred if deletes else settling.receive_deferred
    found, done = receive(entity, numbers, _session(body))
    messages = [{"lock-token": UUID(bytes_le=token), "message": encoded} for token, encoded in found]
    then(done, reply, {"messages": messages})


def renew_lock(entity: Entity, body: Body, reply: Reply) -> None:
    until = [settling.renew(entity, token.bytes_le) for token in _few(arguments(body, "lock-tokens", UUID))]
    reply(Answer(body={"expirations": Array(encoding.timestamp, until)}))


def update_disposition(entity: Entity, body: Body, reply: Reply) -> None:
    outcome = _outcome(body)
    tokens = _few(arguments(body, "lock-tokens", UUID))
    then(asyncio.gather(*[settling.settle(entity, token.bytes_le, outcome) for token in tokens]), reply, {})


def renew_session_lock(entity: Entity, body: Body, reply: Reply) -> None:
    until = settling.renew_session(entity, argument(body, "session-id", str))
    reply(Answer(body={"expiration": Timestamp(until)}))


def get_session_state(entity: Entity, body: Body, reply: Reply) -> None:
    lane = entity.sessions.holding(argument(body, "session-id", str), entity.ground.clock())
    reply(Answer(body={"session-state": lane.state}))


def set_session_state(entity: Entity, body: Body, reply: Reply) -> None:
    state = body.get("session-state")
    if state is not None and not isinstance(state, bytes):
        raise BadArgument("session-state")
    then(settling.put_session_state(entity, argument(body, "session-id", str), state), reply, {})


def get_message_sessions(entity: Entity, body: Body, reply: Reply) -> None:
    after, skip, top = (argument(body, name, int) for name in ("last-updated-time", "skip", "top"))
    names = entity.sessions.names(after)[max(skip, 0) :][: min(max(top, 0), MOST_NAMED)]
    body = {"skip": Int(skip + len(names)), "sessions-ids": Array(encoding.wide_string, names)}
    reply(Answer(body=body) if names else Answer(204, "No Content"))


class Operation(NamedTuple):
    claim: str
    act: Callable[[Entity, Body, Reply], None]


OPERATIONS: Final[dict[str, Operation]] = {
    "peek-message": Operation(LISTEN, peek),
    "schedule-message": Operation(SEND, schedule),
    "cancel-scheduled-message": Operation(SEND, cancel),
    "receive-by-sequence-number": Operation(LISTEN, receive_by_number),
    "renew-lock": Operation(LISTEN, renew_lock),
    "update-disposition": Operation(LISTEN, update_disposition),
    "renew-session-lock": Operation(LISTEN, renew_session_lock),
    "get-session-state": Operation(LISTEN, get_session_state),
    "set-session-state": Operation(LISTEN, set_session_state),
    "get-message-sessions": Operation(LISTEN, get_message_sessions),
}


def then(done: "asyncio.Future[Any]", reply: Reply, body: Body) -> None:
    done.add_done_callback(lambda done: reply(failure(error) if (error := done.exception()) else Answer(body=body)))


def _few(values: list[Any]) -> list[Any]:
    if len(values) > MOST_NAMED:
        raise BadArgument(f"more than {MOST_NAMED} at once")
    return values


def _session(body: Body) -> str | None:
    session = body.get("session-id")
    if session is not None and not isinstance(session, str):
        raise BadArgument("session-id")
    return session


def _outcome(body: Body) -> Outcome:
    changes = body.get("properties-to-modify")
    if changes is not None and not isinstance(changes, dict):
        raise BadArgument("properties-to-modify")
    match body.get("disposition-status"):
        case "completed":
            return Accepted()
        case "abandoned":
            return Modified(delivery_failed=True, message_annotations=changes)
        case "defered":
            return Modified(delivery_failed=True, undeliverable_here=True, message_annotations=changes)
        case "suspended":
            said = {REASON: body.get("deadletter-reason"), DESCRIPTION: body.get("deadletter-description")}
            return Rejected(Error("com.microsoft:dead-letter", info={**(changes or {}), **said}))
        case status:
            raise BadArgument(f"disposition-status {status}")

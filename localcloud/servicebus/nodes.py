"""What answers requests: `$cbs` takes tokens (AMQP Claims-Based Security 1.0), `<entity>/$management` the rest.

The operations of `$management` are Service Bus' own ("AMQP 1.0 in Azure Service Bus: request-response operations").
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID

from localcloud.access import Forbidden
from localcloud.access import Unauthorized as BadToken
from localcloud.servicebus import encoding
from localcloud.servicebus.addresses import parse
from localcloud.servicebus.encoding import Array
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.errors import BadArgument, InvalidToken, NotImplementedHere, Refused, Unauthorized
from localcloud.servicebus.performatives import Accepted, Error, Modified, Outcome, Rejected

SEND, LISTEN = "Send", "Listen"
MOST_TOKENS: Final = 100  # of one connection
MOST_PEEKED: Final = 250  # messages
LARGEST_ANSWER: Final = 1_048_576  # bytes, and the message that goes beyond

T = TypeVar("T")
Authorize = Callable[[str, str, str], None]  # token, claim, queue; raises access.Unauthorized or access.Forbidden
Rights = dict[str, frozenset[str]]  # the claims that a connection has shown, by queue


class Request(NamedTuple):
    operation: str
    properties: dict[Any, Any]
    body: Any


class Answer(NamedTuple):
    status: int = 200
    description: str = "OK"
    body: Any = None
    condition: str | None = None


Reply = Callable[[Answer], None]


class Node(Protocol):
    status: tuple[str, str]  # the application properties that carry an answer's status and its description

    def answer(self, request: Request, reply: Reply) -> None:
        """Raises Refused."""


class Cbs:
    status = ("status-code", "status-description")

    def __init__(self, authorize: Authorize, rights: Rights) -> None:
        self._authorize, self._rights = authorize, rights

    def answer(self, request: Request, reply: Reply) -> None:
        if request.operation != "put-token":
            raise NotImplementedHere(request.operation)
        queue = parse(_argument(request.properties, "name", str)).queue
        if len(self._rights) >= MOST_TOKENS:
            self._rights.clear()
        claims = [claim for claim in (SEND, LISTEN) if self._may(str(request.body), claim, queue)]
        self._rights[queue] = frozenset(claims)
        reply(Answer(202, "Accepted"))

    def _may(self, token: str, claim: str, queue: str) -> bool:
        try:
            self._authorize(token, claim, queue)
        except Forbidden:
            return False
        except BadToken as error:
            raise InvalidToken(error) from None
        return True


class Management:
    status = ("statusCode", "statusDescription")

    def __init__(self, entity: Entity, rights: frozenset[str]) -> None:
        self._entity, self._rights = entity, rights
        self._operations: dict[str, Callable[[dict[str, Any], Reply], None]] = {
            "com.microsoft:peek-message": self._peek,
            "com.microsoft:renew-lock": self._renew,
            "com.microsoft:update-disposition": self._settle,
        }

    def answer(self, request: Request, reply: Reply) -> None:
        if request.operation not in self._operations:
            raise NotImplementedHere(request.operation)
        if LISTEN not in self._rights:
            raise Unauthorized(LISTEN)
        if not isinstance(request.body, dict):
            raise BadArgument("the body is not a map")
        self._operations[request.operation](request.body, reply)

    def _peek(self, body: dict[str, Any], reply: Reply) -> None:
        start, most = _argument(body, "from-sequence-number", int), _argument(body, "message-count", int)
        size, messages = 0, list[dict[str, bytes]]()
        for entry in self._entity.queue.peek(start, min(most, MOST_PEEKED)):
            messages.append({"message": entry.encoded()})
            size += entry.size
            if size > LARGEST_ANSWER:
                break
        reply(Answer(body={"messages": messages}) if messages else Answer(204, "No Content"))

    def _renew(self, body: dict[str, Any], reply: Reply) -> None:
        until = [self._entity.renew(token) for token in _tokens(body)]
        reply(Answer(body={"expirations": Array(encoding.timestamp, until)}))

    def _settle(self, body: dict[str, Any], reply: Reply) -> None:
        outcome = _outcome(body)
        done = asyncio.gather(*[self._entity.settle(token, outcome) for token in _tokens(body)])
        done.add_done_callback(lambda done: reply(failure(error) if (error := done.exception()) else Answer(body={})))


def failure(error: BaseException) -> Answer:
    refused = error if isinstance(error, Refused) else Refused()
    return Answer(refused.status, str(refused), condition=refused.condition)


def _argument(of: dict[str, Any], name: str, kind: type[T]) -> T:
    value = of.get(name)
    if not isinstance(value, kind):
        raise BadArgument(name)
    return value


def _tokens(body: dict[str, Any]) -> list[UUID]:
    tokens = _argument(body, "lock-tokens", list)
    if not tokens or any(not isinstance(token, UUID) for token in tokens):
        raise BadArgument("lock-tokens")
    return tokens


def _outcome(body: dict[str, Any]) -> Outcome:
    match body.get("disposition-status"):
        case "completed":
            return Accepted()
        case "abandoned":
            return Modified(delivery_failed=True)
        case "suspended":
            reasons = ("deadletter-reason", "deadletter-description")
            info = dict(zip(("DeadLetterReason", "DeadLetterErrorDescription"), map(body.get, reasons), strict=True))
            return Rejected(Error("com.microsoft:dead-letter", info=info))
        case status:
            raise NotImplementedHere(status)

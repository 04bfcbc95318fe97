"""`$cbs` takes tokens (AMQP Claims-Based Security 1.0): shared access signatures, and Entra's."""

from typing import Final

from localcloud.servicebus.addresses import parse
from localcloud.servicebus.claims import Claims
from localcloud.servicebus.errors import NotImplementedHere
from localcloud.servicebus.nodes import Answer, Reply, Request, argument

MOST_TOKENS: Final = 100  # of one connection

Rights = dict[str, frozenset[str]]  # the claims that a connection has shown, by entity


class Cbs:
    status = ("status-code", "status-description")

    def __init__(self, claims: Claims, rights: Rights) -> None:
        self._claims, self._rights = claims, rights

    def answer(self, request: Request, reply: Reply) -> None:
        if request.operation != "put-token":
            raise NotImplementedHere(request.operation)
        entity = parse(argument(request.properties, "name", str)).entity
        if len(self._rights) >= MOST_TOKENS:
            self._rights.clear()
        self._rights[entity] = self._claims.of(str(request.body), entity)
        reply(Answer(202, "Accepted"))

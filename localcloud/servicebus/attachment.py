"""What a peer may attach to: a queue, its dead letters, or the nodes that answer requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from localcloud.servicebus import message
from localcloud.servicebus.addresses import CBS, Address, parse
from localcloud.servicebus.composites import MessageId
from localcloud.servicebus.encoding import Int, Symbol
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.errors import NotAllowed, NotImplementedHere, Refused, Unauthorized, UnknownEntity
from localcloud.servicebus.links import Incoming, Outgoing, Receiver, Session
from localcloud.servicebus.nodes import (
    LISTEN,
    SEND,
    Answer,
    Authorize,
    Cbs,
    Management,
    Node,
    Request,
    Rights,
    failure,
)
from localcloud.servicebus.performatives import Attach, Properties, Source, Target

SETTLED: Final = 1  # snd-settle-mode: what is sent is settled, and gone
TAG: Final = b"answer"  # of every answer: settled deliveries need no tag of their own
FORMATS: Final = {0: lambda payload: [message.split(payload)], message.BATCH: message.batch}


@dataclass(slots=True)
class Peer:
    """Who is at the other end of a connection, and what it may reach."""

    entities: Mapping[str, Entity]  # queues, by their name in lower case
    authorize: Authorize
    rights: Rights = field(default_factory=dict)
    largest_frame: int = 512  # bytes that it takes
    writable: bool = True  # it reads what it is sent


def open_link(peer: Peer, session: Session, attach: Attach) -> Incoming | Outgoing:
    """Raises Refused."""
    terminus = attach.source if attach.role else attach.target
    if terminus is None or terminus.address is None:
        raise NotAllowed("a link without an address")
    name = terminus.address.lower()
    if name == CBS:
        return _to_node(Cbs(peer.authorize, peer.rights), name, session, attach)
    address = parse(name)
    rights = peer.rights.get(address.queue, frozenset())
    if address.management:
        _require(rights, SEND, LISTEN)
        return _to_node(Management(_entity(peer, address), rights), name, session, attach)
    if not attach.role:
        _require(rights, SEND)
        return _to_queue(peer, address, session, attach)
    _require(rights, LISTEN)
    if attach.source and attach.source.filter:
        raise NotAllowed("sessions and filters")
    return Receiver(session, attach.handle, _entity(peer, address), deletes=attach.snd_settle_mode == SETTLED)


def acceptance(attach: Attach) -> Attach:
    source, target = attach.source or Source(), attach.target or Target()
    return refusal(attach)._replace(source=Source(source.address), target=Target(target.address))


def refusal(attach: Attach) -> Attach:
    """Without source and target; a detach that says why follows it."""
    return Attach(
        attach.name,
        attach.handle,
        role=not attach.role,
        snd_settle_mode=attach.snd_settle_mode,
        rcv_settle_mode=attach.rcv_settle_mode,
        initial_delivery_count=0 if attach.role else None,
        max_message_size=message.LARGEST,
    )


def _require(rights: frozenset[str], *claims: str) -> None:
    if rights.isdisjoint(claims):
        raise Unauthorized(" or ".join(claims))


def _entity(peer: Peer, address: Address) -> Entity:
    entity = peer.entities.get(address.queue)
    found = entity.dead_letters if entity and address.dead else entity
    if found is None:
        raise UnknownEntity(address.queue)
    return found


def _to_queue(peer: Peer, address: Address, session: Session, attach: Attach) -> Incoming:
    entity = _entity(peer, address)
    if address.dead:
        raise NotAllowed("dead letters are not sent to")
    return Incoming(session, attach.handle, lambda payload, kind: entity.send(_messages(payload, kind)))


def _messages(payload: bytes, kind: int) -> list[message.Message]:
    if kind not in FORMATS:
        raise NotImplementedHere(f"message-format {kind}")
    return FORMATS[kind](payload)


def _to_node(node: Node, name: str, session: Session, attach: Attach) -> Incoming | Outgoing:
    if attach.role:
        link = session.answers[name] = Outgoing(session, attach.handle)
        return link
    return Incoming(session, attach.handle, lambda payload, _: _ask(node, session.answers.get(name), payload))


def _ask(node: Node, link: Outgoing | None, payload: bytes) -> None:
    properties, application, body = message.read(payload)
    if link is None or link.credit == 0:
        raise NotAllowed("there is no link with credit for the answer")
    link.reserve()
    answered = partial(_answered, node, link, properties.message_id)
    try:
        node.answer(Request(str(application.get("operation")), application, body), answered)
    except Refused as refused:
        answered(failure(refused))


def _answered(node: Node, link: Outgoing, request: MessageId | None, answer: Answer) -> None:
    status, description = node.status
    said = {status: Int(answer.status), description: answer.description}
    condition = {"errorCondition": Symbol(answer.condition)} if answer.condition else {}
    link.transfer(message.write(Properties(correlation_id=request), said | condition, value=answer.body), TAG)

"""What a peer may attach to: a queue, its dead letters, or the nodes that answer requests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from localcloud.servicebus import ledger, message
from localcloud.servicebus.addresses import CBS, Address, parse
from localcloud.servicebus.cbs import Cbs, Rights
from localcloud.servicebus.claims import LISTEN, SEND, Claims
from localcloud.servicebus.composites import MessageId
from localcloud.servicebus.encoding import Described, Int, Symbol
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.errors import Disabled, NotAllowed, NotImplementedHere, Refused, TooLarge, Unauthorized
from localcloud.servicebus.lanes import Lane
from localcloud.servicebus.links import Incoming, Outgoing, Receiver, Session, SessionReceiver
from localcloud.servicebus.management import OPERATIONS, Management
from localcloud.servicebus.namespace import Defined, Namespace
from localcloud.servicebus.nodes import Answer, Node, Request, failure
from localcloud.servicebus.performatives import Attach, Properties, Source, Target
from localcloud.servicebus.rule_operations import operations
from localcloud.servicebus.rulebook import Rulebook
from localcloud.topology import BusTopic

SETTLED: Final = 1  # snd-settle-mode: what is sent is settled, and gone
TAG: Final = b"answer"  # of every answer: settled deliveries need no tag of their own
SESSION_FILTER, LOCKED_UNTIL = Symbol("com.microsoft:session-filter"), Symbol("com.microsoft:locked-until-utc")
TIMEOUT, SEEK_SECONDS = Symbol("com.microsoft:timeout"), 60  # how long a receiver waits for a session
MOST_SEEK_SECONDS: Final = 3_600
TICKS_OF_1970, TICKS = 621_355_968_000_000_000, 10_000  # .NET's: since the year 1, and in a millisecond
MOST_MESSAGES: Final = 4_500  # of a batch
LONGEST_NAME: Final = 128  # characters of a session's name

Link = Incoming | Outgoing
Opened = Callable[[Link | Refused], None]


@dataclass(slots=True)
class Peer:
    """Who is at the other end of a connection, and what it may reach."""

    namespace: Namespace
    claims: Claims
    rights: Rights = field(default_factory=dict)
    largest_frame: int = 512  # bytes that it takes
    writable: bool = True  # it reads what it is sent

    def allowed(self, entity: str) -> frozenset[str]:
        """By the tokens for it, for its topic, for the namespace."""
        above = (entity, entity.partition("/")[0], "")
        return frozenset[str]().union(*(self.rights.get(name, ()) for name in above))


def open_link(peer: Peer, session: Session, attach: Attach, opened: Opened) -> Callable[[], None] | None:
    """At once; or later, and then it says how to give up. Raises Refused."""
    terminus = attach.source if attach.role else attach.target
    if terminus is None or terminus.address is None:
        raise NotAllowed("a link without an address")
    name = terminus.address.lower()
    address = parse(name) if name != CBS else None
    if attach.role and address and not address.management:
        _require(peer.allowed(address.entity), address, LISTEN)
        return _from_queue(peer.namespace[address.entity], address, session, attach, opened)
    opened(
        _to_node(_node(peer, address), name, session, attach)
        if not address or address.management
        else _to_queue(peer, address, session, attach)
    )
    return None


def _node(peer: Peer, address: Address | None) -> Node:
    if address is None:
        return Cbs(peer.claims, peer.rights)
    rights = peer.allowed(address.entity)
    _require(rights, address, SEND, LISTEN)
    defined = peer.namespace[address.entity]
    more = operations(Rulebook(peer.namespace, defined.name)) if defined.kind == "subscription" else {}
    return Management(defined.entity.sub_queue(address.place), rights, OPERATIONS | more)


def acceptance(attach: Attach, link: Link) -> Attach:
    source, target = attach.source or Source(), attach.target or Target()
    said = refusal(attach)._replace(source=Source(source.address), target=Target(target.address))
    if not isinstance(link, SessionReceiver):
        return said
    ticks = TICKS_OF_1970 + (link.lane.held_until or 0) * TICKS
    session = Source(source.address, filter={SESSION_FILTER: link.lane.session})
    return said._replace(source=session, properties={LOCKED_UNTIL: ticks})


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


def _require(rights: frozenset[str], on: Address, *claims: str) -> None:
    if rights.isdisjoint(claims):
        raise Unauthorized(f"{' or '.join(claims)} on {on}")


def _to_queue(peer: Peer, address: Address, session: Session, attach: Attach) -> Incoming:
    _require(peer.allowed(address.entity), address, SEND)
    defined = peer.namespace[address.entity]
    entity = defined.entity
    if address.place != ledger.MAIN or defined.kind == "subscription":
        raise NotAllowed("nobody sends to dead letters, nor to a subscription")
    if not entity.takes:
        raise Disabled(defined.name)
    return Incoming(session, attach.handle, lambda payload, kind: entity.arrive(_messages(payload, kind))[1])


def _from_queue(
    defined: Defined, address: Address, session: Session, attach: Attach, opened: Opened
) -> Callable[[], None] | None:
    if isinstance(defined.settings, BusTopic):
        raise NotAllowed("nobody receives from a topic: its subscriptions are received from")
    if address.place == ledger.MAIN and defined.settings.forward_to:
        raise NotAllowed("nobody receives from where messages are forwarded")
    if not defined.entity.gives:
        raise Disabled(defined.name)
    defined.entity.used = defined.entity.ground.clock()
    entity, deletes = defined.entity.sub_queue(address.place), attach.snd_settle_mode == SETTLED
    filters = (attach.source and attach.source.filter) or {}
    if entity.queue.sessions != (SESSION_FILTER in filters):
        raise NotAllowed("a session is needed here" if entity.queue.sessions else "there are no sessions here")
    if entity.queue.sessions:
        return _from_session(entity, filters[SESSION_FILTER], session, attach, opened)
    opened(Receiver(session, attach.handle, entity, entity.queue.lane(None), deletes=deletes))
    return None


def _from_session(
    entity: Entity, wanted: Any, session: Session, attach: Attach, opened: Opened
) -> Callable[[], None] | None:
    wanted = wanted.value if isinstance(wanted, Described) else wanted
    deletes, at = attach.snd_settle_mode == SETTLED, entity.ground.clock()

    def found(lane: Lane | Refused) -> None:
        if isinstance(lane, Lane):
            opened(SessionReceiver(session, attach.handle, entity, lane, deletes=deletes))
        else:
            opened(lane)

    if wanted is None:
        seeker = entity.sessions.seek(found, at, _patience(attach))
        entity.arm()
        return partial(entity.sessions.stop, seeker) if seeker else None
    if not isinstance(wanted, str) or len(wanted) > LONGEST_NAME:
        raise NotAllowed("a session has a name of at most 128 characters")
    found(entity.sessions.accept(wanted, at))
    entity.arm()
    return None


def _patience(attach: Attach) -> float:
    milliseconds = (attach.properties or {}).get(TIMEOUT)
    seconds = milliseconds / 1000 if isinstance(milliseconds, int) else SEEK_SECONDS
    return min(max(seconds, 0), MOST_SEEK_SECONDS)


def _messages(payload: bytes, kind: int) -> list[message.Message]:
    if kind == message.SINGLE:
        return [message.split(payload)]
    if kind != message.BATCH:
        raise NotImplementedHere(f"message-format {kind}")
    messages = message.batch(payload)
    if len(messages) > MOST_MESSAGES:
        raise TooLarge(f"{MOST_MESSAGES} messages in a batch")
    return messages


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

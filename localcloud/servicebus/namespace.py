"""All entities by name: made from what is defined, changed and deleted while others use them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from localcloud.servicebus import ledger
from localcloud.servicebus.arrivals import Inlet
from localcloud.servicebus.copies import copies, facts_of
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.entry import Entry
from localcloud.servicebus.errors import AlreadyExists, BadArgument, Refused, UnknownEntity
from localcloud.servicebus.filters import BadFilter, Compiled, FilterFailed, compile_rule
from localcloud.servicebus.ground import Ground
from localcloud.servicebus.message import Message
from localcloud.servicebus.queue import Queue, Room
from localcloud.servicebus.remembrance import Remembrance
from localcloud.topology import BusSubscription, BusTopic, Policy
from localcloud.topology import Queue as QueueSettings

SUBSCRIPTIONS: Final = "/subscriptions/"
NO_LONGER_FITS: Final = ("Session ID is null.", "The message was kept before the entity required sessions.")
FILTER_FAILED: Final = "FilterEvaluationException"
TARGET_GONE: Final = "MessagingEntityNotFound"
MOST_ENTITIES: Final = 10_000
Settings = QueueSettings | BusTopic | BusSubscription
KINDS: Final[dict[str, type[Settings]]] = {
    "queue": QueueSettings,
    "topic": BusTopic,
    "subscription": BusSubscription,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """The bytes that a queue holds are its own setting."""

    messages: int = 2_000_000  # of one queue, its dead letters included
    memory: int = 64 * 1024 * 1024  # bytes, of all queues: what does not fit lies on disk only


@dataclass(frozen=True, slots=True)
class Defined:
    name: str  # as it was written
    settings: Settings
    entity: Entity
    created: int
    updated: int
    rules: Mapping[str, Compiled]  # of a subscription

    @property
    def kind(self) -> str:
        return next(kind for kind, settings in KINDS.items() if type(self.settings) is settings)


class Namespace:
    def __init__(self, ground: Ground, limits: Limits) -> None:
        self._ground, self._limits = ground, limits
        self.defined: dict[str, Defined] = {}  # by name in lower case
        self._below: dict[str, dict[str, Defined]] = {}  # subscriptions by topic

    @property
    def clock(self) -> Callable[[], int]:
        return self._ground.clock

    def __getitem__(self, name: str) -> Defined:
        """Raises UnknownEntity."""
        if (found := self.defined.get(name.lower())) is None:
            raise UnknownEntity(name)
        return found

    def get(self, name: str) -> Defined | None:
        return self.defined.get(name.lower())

    def policies(self, name: str) -> Mapping[str, Policy]:
        found = self.get(name)
        return found.settings.policies if found else {}

    def subscriptions(self, topic: str) -> list[Defined]:
        return list(self._below.get(topic.lower(), {}).values())

    def load(self, given: Mapping[str, Settings]) -> None:
        """What is given, as it is given now; and what others have made, but nothing below a topic that is gone."""
        for name, settings in given.items():
            self.define(name, settings)
        for name, kind, encoded in self._ground.journal.rows(ledger.ENTITIES):
            topic, below, _ = name.lower().partition(SUBSCRIPTIONS)
            if name.lower() not in self.defined and (not below or topic in self.defined):
                self.define(name, msgspec.json.decode(encoded, type=KINDS[kind]))

    def close(self) -> None:
        for defined in self.defined.values():
            defined.entity.close()

    def create(self, name: str, settings: Settings) -> asyncio.Future[None]:
        """For good: it is there after a restart, too. Raises AlreadyExists, UnknownEntity or BadArgument."""
        if name.lower() in self.defined:
            raise AlreadyExists(name)
        if len(self.defined) >= MOST_ENTITIES:
            raise BadArgument(f"there are {MOST_ENTITIES} entities already")
        return self.change(name, settings)

    def change(self, name: str, settings: Settings) -> asyncio.Future[None]:
        """Raises UnknownEntity or BadArgument."""
        defined = self.define(name, settings)
        encoded = msgspec.json.encode(settings)
        return self._ground.write(ledger.defined(name.lower(), name, defined.kind, encoded))

    def define(self, name: str, settings: Settings) -> Defined:
        key = name.lower()
        if isinstance(settings, BusSubscription):
            self[key.partition(SUBSCRIPTIONS)[0]]  # must be there
        rules = _compiled(settings)
        before, at = self.defined.get(key), self._ground.clock()
        entity = before.entity if before else self._made(key, settings)
        defined = Defined(name, settings, entity, before.created if before else at, at, rules)
        self._configure(key, defined)
        self._put(key, defined)
        if isinstance(settings, BusTopic):
            for sub, of in settings.subscriptions.items():
                self.define(f"{name}{SUBSCRIPTIONS}{sub}", of)
        entity.attend()
        return defined

    def delete(self, name: str) -> asyncio.Future[None]:
        """With all that lies there. Raises UnknownEntity."""
        defined = self[name]
        for below in self.subscriptions(name):
            self.delete(below.name)
        del self.defined[name.lower()]
        self._below.get(name.lower().partition(SUBSCRIPTIONS)[0], {}).pop(name.lower(), None)
        defined.entity.dismiss(UnknownEntity(name))
        defined.entity.close()
        return self._ground.write(*ledger.undefined(name.lower()))

    def size_of(self, defined: Defined) -> int:
        """Bytes that lie there."""
        return _bytes(defined.settings) - defined.entity.queue.room.bytes

    def _put(self, key: str, defined: Defined) -> None:
        self.defined[key] = defined
        if isinstance(defined.settings, BusSubscription):
            self._below.setdefault(key.partition(SUBSCRIPTIONS)[0], {})[key] = defined

    # --- making -------------------------------------------------------------------------------------------------------

    def _made(self, key: str, settings: Settings) -> Entity:
        room = Room(self._limits.messages, _bytes(settings))
        entity = Entity(key, Queue(30_000, room), self._ground)
        entity.dead_letters = Entity(key, Queue(30_000, room), self._ground, under=entity, place=ledger.DEAD)
        entity.stuck = Entity(key, Queue(30_000, room), self._ground, under=entity, place=ledger.STUCK)
        self._load(entity, getattr(settings, "sessions", False))
        return entity

    def _load(self, entity: Entity, sessions: bool) -> None:
        """What was locked is active again: the delivery that it was locked for was counted then."""
        entity.queue.sessions = sessions
        rows = self._ground.journal.each(ledger.LOAD, entity.name)
        for number, place, state, at, expires, session, deliveries, size in rows:
            until = expires if place == ledger.MAIN else None  # what is dead expires no more
            entry = Entry(number, at, size, None, state, deliveries, until, session)
            to = entity.sub_queue(place)
            to.queue.room.messages, to.queue.room.bytes = to.queue.room.messages - 1, to.queue.room.bytes - size
            to.queue.last_number = number
            to.put(entry)
        for (last,) in self._ground.journal.rows(ledger.LAST, entity.name):
            entity.queue.last_number = entity.queue.reserved = last
        for session, state, updated in self._ground.journal.rows(ledger.SESSIONS, entity.name):
            lane = entity.queue.lane(session)
            lane.state, lane.updated = state, updated
        for entry in [each for each in entity.queue.entries.values() if sessions and each.session is None]:
            entity.bury(entry, *NO_LONGER_FITS)

    def _configure(self, key: str, defined: Defined) -> None:
        entity, settings = defined.entity, defined.settings
        entity.takes = settings.status in ("Active", "ReceiveDisabled")
        entity.gives = settings.status in ("Active", "SendDisabled")
        entity.ttl_ms = _milliseconds(settings.ttl_seconds)
        if isinstance(settings, BusTopic):
            entity.exit = lambda message: self._to_subscriptions(key, message, entity.queue.last_number + 1)
        else:
            self._configure_queue(entity, settings)
        window = _milliseconds(settings.duplicate_window_seconds)
        if window is None:
            entity.seen = None
        elif entity.seen is None:
            entity.seen = Remembrance(key, window, dict(self._ground.journal.each(ledger.SEEN, key)))
        else:
            entity.seen = replace(entity.seen, window_ms=window)

    def _configure_queue(self, entity: Entity, settings: QueueSettings) -> None:
        entity.buries_expired = settings.dead_letter_expired
        entity.queue.most_deliveries = settings.max_delivery_count
        for each in (entity, entity.dead_letters, entity.stuck):
            if each:
                each.queue.lock_ms = round(settings.lock_seconds * 1000)
        to, dead_to = settings.forward_to, settings.forward_dead_letters_to
        entity.exit = (lambda message: self._forwarded(entity, to, message)) if to else None
        entity.dead_exit = lambda: self._found(dead_to) if dead_to else None
        entity.bury_exhausted()

    # --- ways ---------------------------------------------------------------------------------------------------------

    def _found(self, name: str) -> Entity | None:
        found = self.get(name)
        return found.entity if found else None

    def _forwarded(self, entity: Entity, to: str, message: Message) -> Sequence[tuple[Inlet, Message]]:
        """Among what could not be forwarded where the target is gone: from here itself nobody receives."""
        if target := self._found(to):
            return [(target, message)]
        return [(entity.sub_queue(ledger.STUCK), message.dead_lettered(TARGET_GONE, f"There is no {to}."))]

    def _to_subscriptions(self, topic: str, message: Message, number: int) -> Sequence[tuple[Inlet, Message]]:
        facts, onward = facts_of(message, number, self.clock()), list[tuple[Inlet, Message]]()
        for defined in self.subscriptions(topic):
            try:
                onward += [(defined.entity, copy) for copy in copies(defined.rules, message, facts)]
            except (FilterFailed, Refused) as error:
                if isinstance(defined.settings, BusSubscription) and defined.settings.dead_letter_filter_errors:
                    dead = message.dead_lettered(FILTER_FAILED, str(error))
                    onward.append((defined.entity.sub_queue(ledger.DEAD), dead))
        return onward


def _compiled(settings: Settings) -> dict[str, Compiled]:
    if not isinstance(settings, BusSubscription):
        return {}
    try:
        return {name: compile_rule(rule) for name, rule in settings.rules.items()}
    except BadFilter as error:
        raise BadArgument(str(error)) from None


def _bytes(settings: Settings) -> int:
    return settings.max_megabytes * 1024 * 1024


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)

"""What becomes of a message that somebody holds, or asks for by its number."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.servicebus import ledger
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.entry import Entry, State
from localcloud.servicebus.errors import MessageNotFound, NotAllowed
from localcloud.servicebus.lanes import Lane
from localcloud.servicebus.message import DESCRIPTION, REASON
from localcloud.servicebus.performatives import Accepted, Modified, Outcome, Rejected


def settle(entity: Entity, token: bytes, outcome: Outcome) -> asyncio.Future[None]:
    """Done when it is on disk. Raises LockLost, SessionLockLost, NotAllowed or BadArgument."""
    entry = entity.queue.holding(token, entity.ground.clock())
    match outcome:
        case Accepted():
            return entity.remove(entry)
        case Rejected(error):
            return _dead_letter(entity, entry, (error and error.info) or {})
        case Modified(undeliverable_here=True):
            return _defer(entity, entry, outcome.message_annotations or {})
        case Modified():
            return _abandon(entity, entry, outcome.message_annotations or {})
        case _:
            return release(entity, entry)


def renew(entity: Entity, token: bytes) -> int:
    """Until when the lock holds, in milliseconds since the epoch. Raises LockLost or SessionLockLost."""
    return entity.queue.renew(token, entity.ground.clock())


def release(entity: Entity, entry: Entry) -> asyncio.Future[None]:
    """It comes again, and this delivery does not count."""
    entry.deliveries -= 1
    entity.give_back(entry)
    done = entity.write(*ledger.counted(entity.name, [entry]))
    entity.attend()
    return done


def close_session(entity: Entity, lane: Lane) -> None:
    """Its receiver needs it no more: what it did not settle was not delivered."""
    if entity.queue.held.get(lane.session) is not lane:
        return
    for entry in entity.queue.let_go(lane):
        release(entity, entry)
    entity.sessions.offer(lane)
    entity.queue.forget_if_empty(lane)
    entity.attend()


def cancel(entity: Entity, numbers: Sequence[int]) -> asyncio.Future[None]:
    """Scheduled ones: all or none. Raises MessageNotFound."""
    entries = [entity.queue.parked(number, State.SCHEDULED) for number in dict.fromkeys(numbers)]
    for entry in entries:
        entity.queue.remove(entry)
        entity.contents.forget(entry)
    return entity.write(*(ledger.removed(entity.name, entry.number) for entry in entries))


def receive_deferred(
    entity: Entity, numbers: Sequence[int], session: str | None
) -> tuple[list[tuple[bytes, bytes]], asyncio.Future[None]]:
    """All or none, locked; each with its token. Raises MessageNotFound or SessionLockLost."""
    at, locked = entity.ground.clock(), list[tuple[bytes, bytes]]()
    entries = _deferred(entity, numbers, session, at)
    for entry in entries:
        token = entity.ground.new_token()
        entity.queue.lock(entry, token, at)
        locked.append((token, entity.encoded(entry)))
    entity.arm()
    return locked, entity.write(*ledger.counted(entity.name, entries))


def delete_deferred(
    entity: Entity, numbers: Sequence[int], session: str | None
) -> tuple[list[tuple[bytes, bytes]], asyncio.Future[None]]:
    """The same, and gone."""
    entries = _deferred(entity, numbers, session, entity.ground.clock())
    encoded = [(entity.ground.new_token(), entity.encoded(entry)) for entry in entries]
    for entry in entries:
        entity.queue.remove(entry)
        entity.contents.forget(entry)
    return encoded, entity.write(*(ledger.removed(entity.name, entry.number) for entry in entries))


def put_session_state(entity: Entity, session: str, state: bytes | None) -> asyncio.Future[None]:
    """Raises SessionLockLost or TooLarge."""
    at = entity.ground.clock()
    entity.sessions.put_state(session, state, at)
    return entity.write(ledger.session_kept(entity.name, session, state, at))


def renew_session(entity: Entity, session: str) -> int:
    """Raises SessionLockLost."""
    at = entity.ground.clock()
    return entity.queue.hold(entity.sessions.holding(session, at), at)


def _deferred(entity: Entity, numbers: Sequence[int], session: str | None, at: int) -> list[Entry]:
    if entity.queue.sessions:
        entity.sessions.holding(session or "", at)
    entries = [entity.queue.parked(number, State.DEFERRED) for number in dict.fromkeys(numbers)]
    for entry in entries:
        if entity.queue.sessions and entry.session != session:
            raise MessageNotFound(entry.number)
        if entry.expires is not None and entry.expires <= at:
            entity.expire(entry)
            raise MessageNotFound(entry.number)
    return entries


def _dead_letter(entity: Entity, entry: Entry, info: Mapping[Any, Any]) -> asyncio.Future[None]:
    if entity.dead_letters is None:
        raise NotAllowed("these are dead letters already")
    _change(entity, entry, {key: value for key, value in info.items() if key not in (REASON, DESCRIPTION)})
    reason, description = info.get(REASON), info.get(DESCRIPTION)
    done = entity.bury(
        entry,
        reason if isinstance(reason, str) else None,
        description if isinstance(description, str) else None,
    )
    entity.attend()
    return done


def _defer(entity: Entity, entry: Entry, changes: Mapping[Any, Any]) -> asyncio.Future[None]:
    """Received by its number alone, from now on."""
    _change(entity, entry, changes)
    entry.state = State.DEFERRED
    entity.give_back(entry)
    return entity.write(ledger.parked(entity.name, entry))


def _abandon(entity: Entity, entry: Entry, changes: Mapping[Any, Any]) -> asyncio.Future[None]:
    """Where nothing changes there is nothing to write: its delivery was counted when it was locked."""
    _change(entity, entry, changes)
    entity.recover(entry)
    entity.attend()
    return entity.write()


def _change(entity: Entity, entry: Entry, changes: Mapping[Any, Any]) -> None:
    """Its application properties. What is written later waits for that. Raises BadArgument."""
    if changes:
        entity.rewrite(entry, entity.content(entry).changed({str(key): value for key, value in changes.items()}))

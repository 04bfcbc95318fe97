"""What somebody does to an entity by hand: send a dead letter again, throw away what waits."""

import asyncio
from itertools import islice
from typing import Final

from localcloud.journal import when_done
from localcloud.servicebus import ledger
from localcloud.servicebus.arrivals import Arrival
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.entry import Entry
from localcloud.servicebus.errors import Disabled, MessageNotFound, Refused
from localcloud.servicebus.message import DESCRIPTION, REASON

GRAVES: Final = (ledger.DEAD, ledger.STUCK)
MOST_AT_ONCE: Final = 500  # thrown away, before others get their turn


async def resend(entity: Entity, number: int) -> None:
    """To where it died or was to be forwarded from, without its reason; there and no longer here by one commit.

    Raises MessageNotFound, Disabled or QueueFull.
    """
    dead, entry = _found(entity, number)
    if not entity.takes:
        raise Disabled(entity.name)
    arrival = Arrival(entity.ground.clock())
    try:
        arrival.pass_on(entity, dead.content(entry).changed({}, (REASON, DESCRIPTION)))
    except Refused:
        arrival.undo()
        raise
    dead.queue.remove(entry)
    dead.contents.forget(entry)
    done = entity.write(*arrival.statements(ledger.removed(entity.name, number)))
    when_done(done, arrival.settle)
    await asyncio.shield(done)


def _found(entity: Entity, number: int) -> tuple[Entity, Entry]:
    """Numbers are an entity's own, so it is in one of them at most. Raises MessageNotFound."""
    for dead in map(entity.sub_queue, GRAVES):
        entry = dead.queue.entries.get(number)
        if entry and not entry.token:
            return dead, entry
    raise MessageNotFound(number)


async def purge(entity: Entity, place: int) -> int:
    """All that lies there now and that nobody holds: so many. They are gone from disk, too."""
    here, gone = entity.sub_queue(place), 0
    numbers = iter(list(here.queue.entries))
    while some := list(islice(numbers, MOST_AT_ONCE)):
        entries = [each for number in some if (each := here.queue.entries.get(number)) and not each.token]
        for entry in entries:
            here.queue.remove(entry)
            here.contents.forget(entry)
        await asyncio.shield(here.write(*(ledger.removed(here.name, entry.number) for entry in entries)))
        gone += len(entries)
        await asyncio.sleep(0)
    return gone

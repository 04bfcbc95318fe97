"""Entities that say how long they may lie idle (AutoDeleteOnIdle), and are removed when they have."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog

from localcloud.servicebus.entity import Entity
from localcloud.servicebus.entry import State
from localcloud.servicebus.namespace import Defined, Namespace
from localcloud.topology import BusSubscription, BusTopic

log = structlog.get_logger()

LOOK_EVERY_SECONDS: Final = 15.0  # the shortest idleness is five minutes


@dataclass(slots=True)
class Idleness:
    """What was sent is seen by the last number that was given, so that sending costs nothing more."""

    namespace: Namespace
    _sent: dict[Entity, tuple[int, int]] = field(default_factory=dict)  # the last number, and when it was first seen
    _timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_SECONDS, self.watch)
        self.remove()

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()

    def remove(self) -> None:
        """What has been idle for as long as it may."""
        at, mortal = self.namespace.clock(), self._mortal()
        self._sent = {each.entity: self._seen(each.entity, at) for each in mortal}
        for defined in mortal:
            is_there = self.namespace.get(defined.name) is defined  # or it went with its topic
            if is_there and at - self._used(defined, at) >= (defined.settings.auto_delete_seconds or 0) * 1000:
                log.info("entity.removed", entity=defined.name, reason="it was idle for as long as it may be")
                self.namespace.delete(defined.name)

    def _mortal(self) -> list[Defined]:
        return [each for each in self.namespace.defined.values() if each.settings.auto_delete_seconds is not None]

    def _seen(self, entity: Entity, at: int) -> tuple[int, int]:
        number = entity.queue.last_number
        before = self._sent.get(entity)
        return before if before and before[0] == number else (number, at)

    def _used(self, defined: Defined, at: int) -> int:
        """When it was last: by itself, or by what lies below."""
        below = self.namespace.subscriptions(defined.name)
        if any(_is_used(each) for each in (defined, *below)):
            return at
        used = [max(each.updated, each.entity.used) for each in (defined, *below)]
        if not isinstance(defined.settings, BusSubscription):  # what its topic gets does not count
            used.append(self._sent[defined.entity][1])
        return max(used)


def _is_used(defined: Defined) -> bool:
    """It forwards, which is to receive; or somebody is attached to it, or something is to come."""
    if not isinstance(defined.settings, BusTopic) and defined.settings.forward_to:
        return True
    entity = defined.entity
    places = [each for each in (entity, entity.dead_letters, entity.stuck) if each]
    return any(each.consumers for each in places) or any(
        entry.state == State.SCHEDULED for entry in entity.queue.entries.values()
    )

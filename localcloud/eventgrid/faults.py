"""Faults on the way to a subscriber, by chance from a seed: to see that what hears of events can bear them."""

import random
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from localcloud.eventgrid.pending import Delivery

LONGEST_DELAY_SECONDS = 60.0  # scaled as all of Event Grid's times are
A_MOMENT_SECONDS = 0.1  # what comes within it changes places; that much time is real

Share = Annotated[float, Meta(ge=0, le=1)]


class Conditions(Struct, frozen=True, forbid_unknown_fields=True):
    """How events are delivered. What has a share hits so many of all first attempts; `fail` hits any attempt.

    So what is delivered twice, late or unanswered arrives in the end also where the share is 1.
    """

    time_scale: Annotated[float, Meta(gt=0, le=1)] = 1.0  # 0.01: a hundred times as fast as Azure
    answer_seconds: Annotated[float, Meta(gt=0, le=30)] = 30.0  # that a subscriber has, by the clock
    seed: int = 0
    duplicate: Share = 0.0  # it is delivered twice, at once
    delay: Share = 0.0  # by up to a minute
    reorder: Share = 0.0  # others go first
    fail: Share = 0.0  # nobody is reached
    drop: Share = 0.0  # it is delivered, and the answer is lost


FAIR = Conditions()


@dataclass(frozen=True, slots=True)
class Fate:
    """Of one attempt."""

    wait: float = 0.0  # seconds until it is made; nothing else happens to it before
    copies: int = 1  # 0: it reaches nobody
    answered: bool = True


def fate(of: Delivery, under: Conditions, chance: random.Random) -> Fate:
    """Takes as much of chance whatever the conditions, so that another share leaves the rest of a story as it was."""
    delayed, reordered, failed, doubled, dropped, length = (chance.random() for _ in range(6))
    first, fresh = of.attempts == 0, of.due == of.since
    if fresh and delayed < under.delay:
        return Fate(wait=length * LONGEST_DELAY_SECONDS * under.time_scale)
    if fresh and reordered < under.reorder:
        return Fate(wait=length * A_MOMENT_SECONDS)
    if failed < under.fail:
        return Fate(copies=0)
    return Fate(copies=1 + (first and doubled < under.duplicate), answered=not (first and dropped < under.drop))


@dataclass(slots=True)
class Weather:
    """The conditions of now, and the chance that belongs to them."""

    conditions: Conditions
    chance: random.Random

    @classmethod
    def under(cls, conditions: Conditions) -> "Weather":
        return cls(conditions, random.Random(conditions.seed))  # noqa: S311

    def change(self, to: Conditions) -> None:
        self.conditions = to
        self.chance.seed(to.seed)

    def fate(self, of: Delivery) -> Fate:
        return fate(of, self.conditions, self.chance)

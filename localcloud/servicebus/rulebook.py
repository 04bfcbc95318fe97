"""The rules of a subscription: read, put and removed, whoever asks, over AMQP or HTTP."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from localcloud.servicebus.errors import AlreadyExists, BadArgument, UnknownEntity
from localcloud.servicebus.filters import BadFilter, compile_rule
from localcloud.servicebus.namespace import Defined, Namespace
from localcloud.topology import BusSubscription, BusTopic, Rule

MOST_RULES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What the entity of this name has. Every verb raises UnknownEntity where it is no subscription."""

    namespace: Namespace
    name: str

    @property
    def subscription(self) -> Defined:
        return self._read()[0]

    @property
    def rules(self) -> dict[str, Rule]:
        return dict(self._read()[1].rules)

    def find(self, wanted: str) -> tuple[str, Rule]:
        """As it was named. Raises UnknownEntity."""
        for name, rule in self.rules.items():
            if name.lower() == wanted.lower():
                return name, rule
        raise UnknownEntity(wanted)

    def add(self, name: str, rule: Rule) -> asyncio.Future[None]:
        """Raises AlreadyExists or BadArgument."""
        if any(name.lower() == each.lower() for each in self.rules):
            raise AlreadyExists(name)
        if len(self.rules) >= MOST_RULES:
            raise BadArgument(f"more than {MOST_RULES} rules")
        return self._put(self.rules | {name: rule})

    def replace(self, name: str, rule: Rule) -> asyncio.Future[None]:
        """Raises BadArgument."""
        return self._put(self.rules | {self.find(name)[0]: rule})

    def remove(self, name: str) -> asyncio.Future[None]:
        gone, _ = self.find(name)
        return self._put({each: rule for each, rule in self.rules.items() if each != gone})

    def _read(self) -> tuple[Defined, BusSubscription]:
        defined = self.namespace[self.name]
        if not isinstance(defined.settings, BusSubscription):
            raise UnknownEntity(self.name)
        return defined, defined.settings

    def _put(self, rules: dict[str, Rule]) -> asyncio.Future[None]:
        defined, settings = self._read()
        return self.namespace.change(defined.name, msgspec.structs.replace(settings, rules=rules))


def check(topics: Mapping[str, BusTopic]) -> None:
    """Of a topology. Raises BadFilter with the place of a rule that is none."""
    rules = [
        (f"$.bus_topics.{topic}.subscriptions.{subscription}.rules.{name}", rule)
        for topic, said in topics.items()
        for subscription, below in said.subscriptions.items()
        for name, rule in below.rules.items()
    ]
    for place, rule in rules:
        try:
            compile_rule(rule)
        except BadFilter as error:
            raise BadFilter(f"{error} - at `{place}`") from None

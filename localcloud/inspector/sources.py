"""Where the inspector looks: the emulators in this process, and the functions host and the logs beside it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from localcloud.eventgrid import EventGrid
from localcloud.eventgrid.delivery import Subscriber
from localcloud.inspector import overview
from localcloud.inspector.calls import FunctionsHost
from localcloud.inspector.graveyard import Graveyard
from localcloud.inspector.overview import MOST_LETTERS, MOST_SECRETS, Overview
from localcloud.keyvault import KeyVault
from localcloud.mail import Letters
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.errors import UnknownEntity
from localcloud.servicebus.namespace import Namespace
from localcloud.topology import Topology


@dataclass(frozen=True, slots=True)
class Sources:
    topology: Topology
    namespace: Namespace
    grid: EventGrid
    vault: KeyVault
    letters: Letters
    host: FunctionsHost
    logs: Path
    graveyard: Graveyard

    async def overview(self) -> Overview:
        known = self.topology.subscriptions
        functions, graves = await asyncio.gather(
            self.host.functions(), self.graveyard.counts(each.name for each in known)
        )
        states = {state.name: state for state in self.grid.state()}
        return Overview(
            topics=self.topology.topics,
            subscriptions=[overview.subscriber(each, states[each.name], graves) for each in known],
            entities=overview.entities(self.namespace),
            functions=functions,
            secrets=overview.secrets(await self.vault.shelf.newest("", MOST_SECRETS)),
            letters=await self.letters.newest(MOST_LETTERS),
            conditions=self.grid.conditions,
        )

    def entity(self, name: str) -> Entity:
        """Raises UnknownEntity."""
        return self.namespace[name].entity

    def subscriber(self, name: str) -> Subscriber:
        """Raises UnknownEntity."""
        if (found := self.grid.subscriber(name)) is None:
            raise UnknownEntity(name)
        return found

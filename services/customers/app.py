"""Wiring: the three loops."""

import asyncio
import random

from libs.common import bus, outbox, service
from libs.common.cursors import Cursors
from libs.common.queue_watch import QueueWatch
from libs.common.serving import serve
from libs.common.watch import RelayWatch
from services.customers.reactions import REACTIONS
from services.customers.routes import CURSORS, STORE, routes
from services.customers.settings import Settings
from services.customers.store import open_store


async def run(settings: Settings) -> None:
    stop, chance = service.stop_on_signal(), random.SystemRandom()
    async with service.connect("customers", settings) as to:
        store = await open_store(to.database)
        app = service.application("customers", routes, settings, to)
        watch = RelayWatch(to.database, to.measures)
        app[STORE] = store
        app[CURSORS] = cursors = await Cursors.of(to.vault, "customers-cursor-key")
        async with asyncio.TaskGroup() as loops:
            serving = serve(app, settings.host, settings.port, stop=stop, drain_seconds=settings.drain_seconds)
            queue = QueueWatch("customers", to.measures)
            listening = bus.listen(to.bus, queue, REACTIONS, store, stop=stop, chance=chance)
            relaying = outbox.relay(to.database, to.topic, stop=stop, chance=chance, watch=watch)
            loops.create_task(serving, name="serve")
            loops.create_task(listening, name="listen")
            loops.create_task(relaying, name="relay")
            loops.create_task(to.vault.follow("customers-cursor-key", cursors.rekey, stop=stop), name="follow")

"""Wiring: the three loops, and one that collects what is left of media."""

import asyncio
import random

from libs.common import bus, outbox, service
from libs.common.cursors import Cursors
from libs.common.queue_watch import QueueWatch
from libs.common.serving import serve
from libs.common.watch import RelayWatch
from services.catalog import blobs
from services.catalog.gallery import Gallery
from services.catalog.orphans import Collector, collect
from services.catalog.reactions import REACTIONS
from services.catalog.routes import CURSORS, GALLERY, STORE, routes
from services.catalog.settings import Settings
from services.catalog.store import open_store


async def run(settings: Settings) -> None:
    stop, chance = service.stop_on_signal(), random.SystemRandom()
    async with (
        service.connect("catalog", settings) as to,
        blobs.connect(settings.blob_endpoint, to.credential) as storage,
    ):
        store = await open_store(to.database)
        app = service.application("catalog", routes, settings, to)
        queue, watch = QueueWatch("catalog", to.measures), RelayWatch(to.database, to.measures)
        app[STORE], app[GALLERY] = store, Gallery(storage, settings.media_url)
        app[CURSORS] = cursors = await Cursors.of(to.vault, "catalog-cursor-key")
        async with asyncio.TaskGroup() as loops:
            serving = serve(app, settings.host, settings.port, stop=stop, drain_seconds=settings.drain_seconds)
            listening = bus.listen(to.bus, queue, REACTIONS, store, stop=stop, chance=chance)
            relaying = outbox.relay(to.database, to.topic, stop=stop, chance=chance, watch=watch)
            loops.create_task(serving, name="serve")
            loops.create_task(listening, name="listen")
            loops.create_task(relaying, name="relay")
            loops.create_task(to.vault.follow("catalog-cursor-key", cursors.rekey, stop=stop), name="follow")
            loops.create_task(collect(Collector(store, storage, stop), chance=chance), name="collect")

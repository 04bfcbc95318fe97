"""Wiring: the three loops."""

import asyncio
import random

from libs.common import bus, http, outbox, service
from libs.common.cursors import Cursors
from libs.common.queue_watch import QueueWatch
from libs.common.watch import RelayWatch
from services.catalog.images import Images
from services.catalog.reactions import REACTIONS
from services.catalog.routes import CURSORS, IMAGES, STORE, routes
from services.catalog.settings import Settings
from services.catalog.store import open_store


async def run(settings: Settings) -> None:
    stop, chance = service.stop_on_signal(), random.SystemRandom()
    async with (
        service.connect("catalog", settings) as to,
        Images.connect(settings.blob_endpoint, settings.media_url, to.credential) as images,
    ):
        store = await open_store(to.database)
        app = http.application(routes, to.verifier, to.database.ping, measures=to.measures)
        watch = RelayWatch(to.database, to.measures)
        app[STORE], app[IMAGES] = store, images
        app[CURSORS] = Cursors((await to.vault.read("catalog-cursor-key")).encode())
        async with asyncio.TaskGroup() as loops:
            serving = http.serve(app, settings.host, settings.port, stop=stop, drain_seconds=settings.drain_seconds)
            queue = QueueWatch("catalog", to.measures)
            listening = bus.listen(to.bus, queue, REACTIONS, store, stop=stop, chance=chance)
            relaying = outbox.relay(to.database, to.topic, stop=stop, chance=chance, watch=watch)
            loops.create_task(serving, name="serve")
            loops.create_task(listening, name="listen")
            loops.create_task(relaying, name="relay")

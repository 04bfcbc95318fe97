"""Wiring: the three loops."""

import asyncio
import random

from libs.common import bus, http, outbox, service
from libs.common.cursors import Cursors
from libs.common.pages import with_pages
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
        app = http.application(with_pages("catalog", routes), to.verifier, to.database.ping)
        app[STORE], app[IMAGES] = store, images
        app[CURSORS] = Cursors((await to.vault.read("catalog-cursor-key")).encode())
        async with asyncio.TaskGroup() as loops:
            serving = http.serve(app, settings.host, settings.port, stop=stop, drain_seconds=settings.drain_seconds)
            loops.create_task(serving, name="serve")
            loops.create_task(bus.listen(to.bus, "catalog", REACTIONS, store, stop=stop, chance=chance), name="listen")
            loops.create_task(outbox.relay(to.database, to.topic, stop=stop, chance=chance), name="relay")

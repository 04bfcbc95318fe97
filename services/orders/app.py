"""Wiring: the three loops, and two of orders' own: what expires, and what other processes change."""

import asyncio
import random

from libs.common import bus, outbox, service
from libs.common.cursors import Cursors
from libs.common.queue_watch import QueueWatch
from libs.common.serving import serve
from libs.common.watch import RelayWatch
from services.orders.expiry import expire
from services.orders.reactions import REACTIONS
from services.orders.routes import CURSORS, STORE, routes
from services.orders.settings import Settings
from services.orders.sight import OrderSight
from services.orders.store import open_store


async def run(settings: Settings) -> None:
    stop, chance = service.stop_on_signal(), random.SystemRandom()
    async with service.connect("orders", settings) as to:
        store = await open_store(to.database)
        app = service.application("orders", routes, settings, to)
        watch = RelayWatch(to.database, to.measures, OrderSight(to.database, to.measures.metrics))
        app[STORE] = store
        app[CURSORS] = cursors = await Cursors.of(to.vault, "orders-cursor-key")
        async with asyncio.TaskGroup() as loops:
            serving = serve(app, settings.host, settings.port, stop=stop, drain_seconds=settings.drain_seconds)
            queue = QueueWatch("orders", to.measures)
            listening = bus.listen(to.bus, queue, REACTIONS, store, stop=stop, chance=chance)
            relaying = outbox.relay(to.database, to.topic, stop=stop, chance=chance, watch=watch)
            loops.create_task(serving, name="serve")
            loops.create_task(listening, name="listen")
            loops.create_task(relaying, name="relay")
            loops.create_task(to.vault.follow("orders-cursor-key", cursors.rekey, stop=stop), name="follow")
            loops.create_task(expire(store, settings.expire_seconds, stop=stop, chance=chance), name="expire")
            loops.create_task(store.watch.follow(store.versions, stop), name="watch")

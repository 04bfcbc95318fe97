"""Event Grid in a process of its own, to be killed. Arguments: a folder, a port, the functions' URL, subscriptions."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from localcloud import certificates, topology
from localcloud.addresses import HOST
from localcloud.eventgrid import Conditions, Door, EventGrid, FunctionsAddress, Reach
from tests.localcloud.eventgrid.grid import KEY, Graves, Queues
from tests.localcloud.eventgrid.hooks import hearing


def anyone(_token: str, _topic: str) -> None: ...


async def main(folder: Path, port: int, functions: str, *subscriptions: str) -> None:
    store = topology.load(Path(__file__).parents[3] / "deploy/topology.yaml")
    async with EventGrid.open(
        hearing(store, *map(json.loads, subscriptions)) if subscriptions else store,
        folder / "eventgrid.sqlite",
        door=Door(anyone),
        reach=Reach(FunctionsAddress(functions, KEY), Queues().send),
        bury=Graves().put,
        conditions=Conditions(time_scale=0.001),
    ) as grid:
        await grid.serve(HOST, port, certificates.ensure(folder, datetime.now(UTC)).server_context())


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))

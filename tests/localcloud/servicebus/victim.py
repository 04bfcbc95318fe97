"""A broker in a process of its own, to be killed. Its arguments: a folder, a port."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from localcloud import certificates
from localcloud.addresses import HOST
from localcloud.servicebus import Broker
from localcloud.servicebus.claims import Key
from tests.localcloud.servicebus.bus import QUEUES

KEY = "for-tests-on-this-machine-only"


def anyone(_token: str, _claim: str, _queue: str) -> None: ...


async def main(folder: Path, port: int) -> None:
    tls = certificates.ensure(folder, datetime.now(UTC)).server_context()
    async with Broker.open(
        QUEUES, folder / "servicebus.sqlite", anyone, keys={"RootManageSharedAccessKey": Key(KEY)}
    ) as broker:
        await broker.serve(HOST, port, tls)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))

"""Lists dead letters, and sends them again: `python -m deploy.dead_letters list`, `… replay --queue orders --yes`."""

import argparse
import asyncio
import logging
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import monotonic

import aiohttp
import msgspec
from azure.core.exceptions import AzureError
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient

from deploy.dead_letters.blobs import DeadContainer
from deploy.dead_letters.destinations import Destinations
from deploy.dead_letters.letters import DeadLetter, Tally, Wanted, lines, shown
from deploy.dead_letters.queues import DeadQueue
from libs.common import bus, settings
from libs.common.errors import StoreError
from libs.common.vault import Vault
from localcloud import topology
from localcloud.topology import Topology

DEPLOY = Path(__file__).parents[1]
USUAL_LIMIT, MOST = 100, 1000
STEP_SECONDS = 20  # of storage
FUNCTION = aiohttp.ClientTimeout(total=35)  # Event Grid itself waits for 30 s
LONGEST_SECONDS = 3600.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    service_bus: str  # the namespace: ….servicebus.windows.net
    service_bus_endpoint: str = ""  # sb://host:port, where it is reached by another address
    blob_endpoint: str  # https://<account>.blob.core.windows.net
    key_vault: str  # https://….vault.azure.net
    functions_url: str  # where Event Grid calls the functions


@dataclass(frozen=True, slots=True)
class Desk:
    known: Topology
    bus: ServiceBusClient
    container: DeadContainer
    destinations: Destinations
    say: Say

    async def look(self, wanted: Wanted) -> list[DeadLetter]:
        """At most as many as are wanted, and one more where there are more. Raises AzureError."""
        found = list[DeadLetter]()
        for name in wanted.queues_of(self.known.queues):
            found += await DeadQueue(self.bus, name).look(wanted, wanted.limit + 1 - len(found))
        if wanted.subscriptions_of(self.container.subscriptions):
            found += await self.container.look(wanted, wanted.limit + 1 - len(found))
        return found

    def show(self, found: list[DeadLetter], limit: int) -> None:
        for place, letters in groupby(found[:limit], key=lambda letter: letter.place):
            self.say(place)
            for letter in letters:
                for line in lines(letter):
                    self.say(line)
        if len(found) > limit:
            self.say(f"There are more than these {limit}: choose by queue, subscription, type, reason, or say --limit.")

    async def replay(self, chosen: list[DeadLetter]) -> bool:
        """Was each of them sent? Says what became of them, however it ends. Raises AzureError or Unavailable."""
        tally = Tally()
        try:
            for name in self.known.queues:
                if letters := [each for each in chosen if each.place == f"queue {name}"]:
                    await DeadQueue(self.bus, name).replay(letters, tally)
            rest = [each for each in chosen if isinstance(each.key[0], str)]
            await self.container.replay(rest, self.destinations, tally)
        finally:
            for reason in tally.refused:
                self.say(f"not sent, and still there: {shown(reason)}")
            gone = f", {tally.gone} in other hands or gone meanwhile" if tally.gone else ""
            self.say(f"{tally.sent} sent again, {len(tally.refused)} not{gone}; what fails again is listed again.")
        return tally.good


@asynccontextmanager
async def opened(told: Settings, known: Topology, say: Say) -> AsyncIterator[Desk]:
    async with (
        DefaultAzureCredential() as credential,
        bus.connect(told.service_bus, told.service_bus_endpoint, credential) as client,
        Vault.connect(told.key_vault, credential, monotonic) as vault,
        BlobServiceClient(
            told.blob_endpoint, credential, connection_timeout=STEP_SECONDS, read_timeout=STEP_SECONDS, retry_total=2
        ) as storage,
        aiohttp.ClientSession(timeout=FUNCTION) as session,
    ):
        to = {each.name: each.to for each in known.subscriptions}
        secret = msgspec.json.decode((DEPLOY / "azure/keys.json").read_bytes(), type=dict[str, str])["eventGrid"]
        destinations = Destinations(to, client, session, told.functions_url, lambda: vault.read(secret))
        container = DeadContainer(storage.get_container_client(known.dead_letters), list(to))
        yield Desk(known, client, container, destinations, say)


async def run(told: Settings, known: Topology, asked: argparse.Namespace, say: Say) -> bool:
    """Is all done that was asked for? Raises AzureError, Unavailable or TimeoutError."""
    wanted = _wanted(asked)
    async with asyncio.timeout(LONGEST_SECONDS), opened(told, known, say) as desk:
        found = await desk.look(wanted)
        desk.show(found, wanted.limit)
        chosen = found[: wanted.limit]
        missing = wanted.ids - {letter.content.id for letter in chosen}
        for each in sorted(missing):
            say(f"no dead letter has the id {shown(each)}")
        if asked.command == "list":
            say(_counted(chosen))
        elif asked.yes:
            return await desk.replay(chosen) and not missing
        else:
            say(f"Dry run, nothing was sent. With --yes, these would be: {_counted(chosen)}")
        return not missing


def _counted(letters: list[DeadLetter]) -> str:
    counts = Counter(letter.place for letter in letters)
    places = "".join(f"; {place}: {count}" for place, count in counts.items())
    return f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}{places}"


def _wanted(asked: argparse.Namespace) -> Wanted:
    return Wanted(
        limit=asked.limit,
        queues=frozenset(asked.queue),
        subscriptions=frozenset(asked.subscription),
        ids=frozenset(asked.id),
        types=tuple(asked.type),
        reasons=tuple(asked.reason),
    )


def parsed(arguments: list[str], known: Topology) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m deploy.dead_letters", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="show them; nothing changes")
    replaying = commands.add_parser("replay", help="show which would be sent again, and with --yes send them")
    replaying.add_argument("--yes", action="store_true", help="really")
    replaying.add_argument("--all", action="store_true", help="whatever is dead")
    subscriptions = [each.name for each in known.subscriptions]
    for each in (listing, replaying):
        each.add_argument("--queue", action="append", default=[], choices=list(known.queues))
        each.add_argument("--subscription", action="append", default=[], choices=subscriptions)
        each.add_argument("--id", action="append", default=[], metavar="ID", help="of the event, as it is listed")
        each.add_argument("--type", action="append", default=[], metavar="TYPE", help="of the event; '*' is anything")
        each.add_argument("--reason", action="append", default=[], metavar="REASON", help="why; '*' is anything")
        each.add_argument("--limit", type=_limit, default=USUAL_LIMIT, metavar="N", help=f"at most {MOST}")
    asked = parser.parse_args(arguments)
    if asked.command == "replay" and asked.all != _wanted(asked).anything:
        replaying.error("say which: --queue, --subscription, --id, --type, --reason, or else --all")
    return asked


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST}")
    return int(text)


def main(arguments: list[str]) -> str | int:
    """What went wrong, or 0."""
    known = topology.load(DEPLOY / "topology.yaml")
    asked = parsed(arguments, known)
    logging.basicConfig(level=logging.CRITICAL)  # the SDKs tell by what they raise, too
    try:
        told = settings.read(Settings, os.environ)
        return 0 if asyncio.run(run(told, known, asked, _say)) else 1
    except settings.Incomplete as reason:
        return f"{reason} (docs/dead-letters.md says from where)"
    except StoreError as reason:
        return reason.detail
    except (AzureError, OSError, TimeoutError) as error:
        return f"it ended there, with {type(error).__name__}: {shown(str(error))}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

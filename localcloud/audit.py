"""Do the books balance? `make audit` for people, `audit()` for stories. Both wait until the store is at rest."""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from localcloud import azuresql, azurite, flow, runfile
from localcloud.books import Books, Unreadable
from localcloud.laws import LAWS
from localcloud.library import Library
from localcloud.runfile import NotRunning
from localcloud.screen import green, red
from localcloud.store import Store, state_folder
from localcloud.waiting import until

TIMEOUT = aiohttp.ClientTimeout(total=10)
REST_SECONDS = 60.0
AWAY = (OSError, Unreadable, aiohttp.ClientError, azurite.Refused)  # a part of the store is
MOST_EXAMPLES = 5

Counts = dict[str, int]  # where, and how much


@dataclass(frozen=True, slots=True)
class Violation:
    law: int
    count: int
    examples: list[str]  # the first ones


async def audit(folder: Path, *, rest_seconds: float = REST_SECONDS, dead_allowed: int = 0) -> list[Violation]:
    """What breaks a law in the store that runs in this folder. Raises NotRunning, or what is in AWAY.

    `dead_allowed` is how many messages may be dead: the poison that a story has put in.
    """
    return violations(await read_at_rest(folder, rest_seconds, dead_allowed))


async def read_at_rest(folder: Path, rest_seconds: float, dead_allowed: int) -> Books:
    """Where it does not come to rest in time, the fifth law says what was still on its way. Raises NotRunning."""
    run = runfile.running(folder)
    store = await asyncio.to_thread(Store.open, folder, run.base_port, datetime.now(UTC), run.engines)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session, Library.open(store) as library:
        look = _Look(session, run.addresses["letters"], library, store)
        with suppress(TimeoutError):
            await until(look.waiting, lambda waiting: not waiting, seconds=rest_seconds)
        waiting, dead = await look.waiting(), await look.dead()
        return await library.read(waiting, dead if sum(dead.values()) > dead_allowed else {})


def violations(written: Books) -> list[Violation]:
    found = {number: list(law(written)) for number, law in LAWS.items()}
    return [Violation(number, len(each), each[:MOST_EXAMPLES]) for number, each in found.items() if each]


@dataclass(frozen=True, slots=True)
class _Look:
    session: aiohttp.ClientSession
    letters: str
    library: Library
    store: Store

    async def waiting(self) -> Counts:
        """Between the parts, then in them, then between them again: so nothing slips past from the one to the other."""
        before = (await flow.read(self.session, self.letters)).waiting()
        within = await self.library.waiting()
        return before | within | (await flow.read(self.session, self.letters)).waiting()

    async def dead(self) -> Counts:
        names = await self.store.storage.blobs_in(self.session, self.store.topology.dead_letters, datetime.now(UTC))
        buried = Counter(f"subscription {name.partition('/')[0].lower()}" for name in names)
        return await self.library.dead() | (await flow.read(self.session, self.letters)).dead() | buried


def report(written: Books, found: Sequence[Violation], say: Callable[[str], None]) -> None:
    broken = {each.law: each for each in found}
    for number, law in LAWS.items():
        say(f"  {red('✗') if number in broken else green('✓')} {number}  {law.__doc__}")
        if violation := broken.get(number):
            for example in violation.examples:
                say(f"         {example}")
            if (more := violation.count - len(violation.examples)) > 0:
                say(f"         … and {more} more")
    say(f"\n  {len(written.orders)} orders, {len(written.stocks)} products, {len(written.letters)} letters")


def main(arguments: list[str]) -> str | int:
    """What went wrong, or how many laws are broken."""
    parser = argparse.ArgumentParser("python -m localcloud.audit", description=__doc__)
    parser.add_argument("--state", type=Path, metavar="DIR")
    parser.add_argument("--dead-allowed", type=int, default=0, metavar="N", help="how many dead messages are poison")
    chosen = parser.parse_args(arguments)
    try:
        written = asyncio.run(read_at_rest(state_folder(chosen.state), REST_SECONDS, chosen.dead_allowed))
    except (NotRunning, azuresql.Missing) as error:
        return str(error)
    except AWAY as error:
        return f"The books can't be read now ({error}). A part may just be starting again: look at the logs, try again."
    report(written, found := violations(written), print)
    return len(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

import asyncio
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from localcloud.journal import MOST_WAITING, Full, Journal

SCHEMA = "CREATE TABLE IF NOT EXISTS words (word TEXT UNIQUE)"
INSERT = "INSERT INTO words VALUES (?)"
SELECT = "SELECT word FROM words ORDER BY rowid"


async def words(path: Path) -> list[str]:
    async with Journal.open(path, SCHEMA) as journal:
        return [word for (word,) in journal.rows(SELECT)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


async def test_what_is_written_is_read_back_after_a_restart(path: Path) -> None:
    async with Journal.open(path, SCHEMA) as journal:
        await journal.write((INSERT, ("one",)), (INSERT, ("two",)))

    assert await words(path) == ["one", "two"]


async def test_statements_are_written_all_or_none(path: Path) -> None:
    async with Journal.open(path, SCHEMA) as journal:
        with pytest.raises(sqlite3.IntegrityError):
            await journal.write((INSERT, ("one",)), (INSERT, ("one",)))
        await journal.write((INSERT, ("two",)))

    assert await words(path) == ["two"]


async def test_many_writers_share_commits_and_keep_their_order(path: Path) -> None:
    wanted = [str(number) for number in range(1_000)]

    async with Journal.open(path, SCHEMA) as journal:
        commits = asyncio.gather(*(journal.write((INSERT, (word,))) for word in wanted))
        await asyncio.wait_for(commits, 5)  # a commit each would take longer on any disk that is told to sync

    assert await words(path) == wanted


async def test_what_is_written_can_be_read_at_once(path: Path) -> None:
    async with Journal.open(path, SCHEMA) as journal:
        await journal.write((INSERT, ("one",)))

        assert await journal.read("SELECT word FROM words WHERE word = ?", "one") == [("one",)]


async def test_readers_see_whole_writes_only(path: Path) -> None:
    async with Journal.open(path, SCHEMA) as journal:
        pairs = [journal.write((INSERT, (f"{number}a",)), (INSERT, (f"{number}b",))) for number in range(100)]
        seen = [await journal.read("SELECT count(*) % 2 FROM words") for _ in range(50)]
        await asyncio.gather(*pairs)

    assert seen == [[(0,)]] * 50


async def test_a_query_that_fails_raises_and_harms_nothing(path: Path) -> None:
    async with Journal.open(path, SCHEMA) as journal:
        with pytest.raises(sqlite3.OperationalError):
            await journal.read("SELECT nothing FROM nowhere")

        await journal.write((INSERT, ("one",)))

    assert await words(path) == ["one"]


@pytest.mark.parametrize("word", ["\ud800", 2**63])
async def test_what_can_not_be_written_is_refused_and_harms_nothing(path: Path, word: object) -> None:
    async with Journal.open(path, SCHEMA) as journal:
        with pytest.raises((ValueError, OverflowError)):
            await asyncio.wait_for(journal.write((INSERT, (word,))), 5)
        await asyncio.wait_for(journal.write((INSERT, ("after",))), 5)

        assert journal.rows("SELECT word FROM words") == [("after",)]


async def test_what_waits_when_the_journal_closes_is_written_first(path: Path) -> None:
    async with Journal.open(path, SCHEMA) as journal:
        journal.write((INSERT, ("one",)))

    assert await words(path) == ["one"]


async def test_a_writer_that_gives_up_disturbs_nobody(path: Path) -> None:
    async with Journal.open(path, SCHEMA) as journal:
        journal.write((INSERT, ("one",))).cancel()

        await journal.write((INSERT, ("two",)))

    assert await words(path) == ["one", "two"]


async def test_more_than_it_holds_is_refused_at_once(path: Path) -> None:
    async with Journal.open(path, SCHEMA) as journal:
        accepted = [journal.write() for _ in range(MOST_WAITING)]

        with pytest.raises(Full):
            journal.write()

        await asyncio.gather(*accepted)
        await journal.write((INSERT, ("afterwards",)))


WRITER = """
import asyncio, sys
from itertools import count
from pathlib import Path
from localcloud.journal import Journal

async def write_for_ever() -> None:
    async with Journal.open(Path(sys.argv[1]), "{schema}") as journal:
        for number in count():
            await journal.write(("{insert}", (str(number),)))
            print(number, flush=True)

asyncio.run(write_for_ever())
"""


@pytest.mark.real
async def test_what_it_acknowledged_survives_kill_9(path: Path) -> None:
    program = WRITER.format(schema=SCHEMA, insert=INSERT)
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(path), stdout=PIPE)
    assert writer.stdout is not None
    acknowledged = [(await writer.stdout.readline()).decode().strip() for _ in range(50)]

    writer.send_signal(signal.SIGKILL)
    await writer.communicate()

    assert (await words(path))[:50] == acknowledged

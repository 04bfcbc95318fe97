"""The journal that commits by a copy into a mapped file: what it has answered is there after a kill, once."""

import asyncio
import shutil
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from localcloud.quick_journal import APPLY_EVERY, QuickJournal
from localcloud.redo import SIZE, Redo
from tests.localcloud.test_journal import INSERT, SCHEMA, SELECT, WRITER


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


async def words(path: Path) -> list[str]:
    async with QuickJournal.open(path, SCHEMA) as journal:
        return [word for (word,) in journal.rows(SELECT)]


def left_by_a_kill(path: Path, to: Path) -> Path:
    """The files as they are now, while the journal is open."""
    return Path(shutil.copytree(path.parent, to)) / path.name


async def test_what_is_written_is_done_at_once_and_read_at_once(path: Path) -> None:
    async with QuickJournal.open(path, SCHEMA) as journal:
        done = journal.write((INSERT, ("one",)))

        assert done.done()
        assert journal.rows(SELECT) == list(journal.each(SELECT)) == await journal.read(SELECT) == [("one",)]

    assert await words(path) == ["one"]


@pytest.mark.parametrize("count", [1, APPLY_EVERY - 1, APPLY_EVERY, 2 * APPLY_EVERY + 1])
async def test_what_was_written_survives_a_kill_in_its_order(path: Path, tmp_path: Path, count: int) -> None:
    written = [str(number) for number in range(count)]
    async with QuickJournal.open(path, SCHEMA) as journal:
        for word in written:
            await journal.write((INSERT, (word,)))
        killed = left_by_a_kill(path, tmp_path / "killed")

    assert await words(killed) == written


async def test_what_sqlite_has_already_is_not_done_again(path: Path, tmp_path: Path) -> None:
    async with QuickJournal.open(path, SCHEMA) as journal:
        await journal.write((INSERT, ("one",)))
        redo = left_by_a_kill(path, tmp_path / "before").with_name(f"{path.name}-redo").read_bytes()
        assert journal.rows(SELECT) == [("one",)]  # SQLite has it from here on
        killed = left_by_a_kill(path, tmp_path / "killed")
    killed.with_name(f"{path.name}-redo").write_bytes(redo)

    assert await words(killed) == ["one"]


async def test_many_statements_are_written_all_or_none(path: Path) -> None:
    async with QuickJournal.open(path, SCHEMA) as journal:
        await journal.write((INSERT, ("before",)))
        with pytest.raises(sqlite3.IntegrityError):
            await journal.write(*[(INSERT, ("twice",))] * APPLY_EVERY)
        await journal.write((INSERT, ("after",)))

    assert await words(path) == ["before", "after"]


async def test_what_sqlite_will_never_take_keeps_nothing_else_away(path: Path, tmp_path: Path) -> None:
    async with QuickJournal.open(path, SCHEMA) as journal:
        for word in ("one", "one", "two"):
            await journal.write((INSERT, (word,)))
        killed = left_by_a_kill(path, tmp_path / "killed")
        assert journal.rows(SELECT) == [("one",), ("two",)]
        await journal.write((INSERT, ("three",)))

    assert await words(path) == ["one", "two", "three"]
    assert await words(killed) == ["one", "two"]


async def test_more_than_the_file_has_room_for_is_written(path: Path, tmp_path: Path) -> None:
    large = "x" * (SIZE // 2)
    async with QuickJournal.open(path, SCHEMA) as journal:
        for number in range(3):
            await journal.write((INSERT, (f"{number}{large}",)))
        killed = left_by_a_kill(path, tmp_path / "killed")

    assert [word[0] for word in await words(killed)] == ["0", "1", "2"]


@pytest.mark.real
async def test_what_it_acknowledged_survives_kill_9(path: Path) -> None:
    program = WRITER.format(schema=SCHEMA, insert=INSERT)
    quick = program.replace(
        "localcloud.journal import Journal", "localcloud.quick_journal import QuickJournal as Journal"
    )
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", quick, str(path), stdout=PIPE)
    assert writer.stdout is not None
    acknowledged = [(await writer.stdout.readline()).decode().strip() for _ in range(APPLY_EVERY + 50)]

    writer.send_signal(signal.SIGKILL)
    await writer.communicate()

    assert (await words(path))[: len(acknowledged)] == acknowledged


def test_a_record_that_is_not_whole_is_nothing_and_what_is_appended_follows_the_last_whole_one(path: Path) -> None:
    one, two, three = ([(INSERT, (word,))] for word in ("one", "two", "three"))
    redo = Redo.open(path, 7)
    redo.append(one)
    redo.append(two)
    redo.close()
    content = bytearray(path.read_bytes())
    content[content.rindex(b"two")] ^= 1  # a kill in the midst of a copy
    path.write_bytes(content)

    again = Redo.open(path, 7)
    assert list(again.records()) == [[(INSERT, ("one",))]]
    again.append(three)

    assert list(again.records()) == [[(INSERT, ("one",))], [(INSERT, ("three",))]]
    again.close()


def test_records_are_for_one_generation(path: Path) -> None:
    redo = Redo.open(path, 1)
    redo.append([(INSERT, ("one",))])
    redo.append([(INSERT, ("two",))])
    redo.begin(2)
    redo.append([(INSERT, ("new",))])

    assert list(redo.records()) == [[(INSERT, ("new",))]]
    redo.close()

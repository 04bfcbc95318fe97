"""Has pictures decoded and encoded anew, each by a process of its own that can do nothing else (picture_worker.py)."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from libs.common.errors import Invalid, Unavailable

log = structlog.get_logger()

WORKER = Path(__file__).with_name("picture_worker.py")
AT_ONCE = 1  # it takes a core, and up to 280 MB beside the service's own
MOST_BYTES = 32 * 1024 * 1024  # of a picture, before and after
SECONDS = 15.0  # of which the worker may compute 10
MOST_ANSWER_BYTES = 64 * 1024 * 1024
PIECE_BYTES = 256 * 1024


class Made(Struct, frozen=True):
    name: str
    width: int
    height: int
    bytes: int


class _Answer(Struct, frozen=True):
    """The first line of what a worker says; the files follow, in this order."""

    made: Sequence[Made] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    content: bytes
    width: int
    height: int


class Unfit(Invalid):
    """The image is broken, or takes too much to decode."""


_answer = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True)
class Studio:
    worker: Path = WORKER
    seconds: float = SECONDS
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def clean(self, content: bytes) -> Picture:
        """The same picture and nothing but it. Raises Unfit, or Unavailable where there was no time for it."""
        return (await self._made("clean", content))["clean"]

    async def thumbnails(self, content: bytes) -> Mapping[str, Picture]:
        """By size: small, medium, large; WebP. Raises as clean."""
        return await self._made("thumbnails", content)

    async def _made(self, task: str, content: bytes) -> dict[str, Picture]:
        try:
            async with asyncio.timeout(2 * self.seconds), self._places, asyncio.timeout(self.seconds):
                head, _, files = (await self._ask(task, content)).partition(b"\n")
        except TimeoutError as error:
            raise Unavailable("there was no time to look at the image; try again") from error
        answer = _answer.decode(head)
        if answer.refused:
            raise Unfit("body", answer.refused)
        return _pictures(answer.made, files)

    async def _ask(self, task: str, content: bytes) -> bytes:
        """What the worker says. Raises Unfit where it dies."""
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-s", "-P", str(self.worker), task), stdin=pipe, stdout=pipe, stderr=nothing, env=_told()
        )
        try:
            said = await _talk(worker.stdin, worker.stdout, content)
            if not said or await worker.wait():
                log.warning("picture.refused", task=task, bytes=len(content), status=worker.returncode)
                raise Unfit("body", str(Unfit.__doc__))
            return said
        finally:
            await _end(worker)


async def _talk(to: asyncio.StreamWriter | None, source: asyncio.StreamReader | None, content: bytes) -> bytes:
    async with asyncio.TaskGroup() as group:
        group.create_task(_feed(to, content))
        heard = group.create_task(_hear(source))
    return heard.result()


async def _feed(to: asyncio.StreamWriter | None, content: bytes) -> None:
    if to is None:
        return
    try:
        to.write(content)
        await to.drain()
        to.close()
        await to.wait_closed()
    except (BrokenPipeError, ConnectionResetError):  # it has ended before it had read all
        return


async def _hear(source: asyncio.StreamReader | None) -> bytes:
    """To the end; nothing where there is none in sight."""
    said = bytearray()
    while source and (piece := await source.read(PIECE_BYTES)):
        said += piece
        if len(said) > MOST_ANSWER_BYTES:
            return b""
    return bytes(said)


async def _end(worker: asyncio.subprocess.Process) -> None:
    if worker.returncode is None:
        worker.kill()
    while worker.stdout and await worker.stdout.read(PIECE_BYTES):  # what is left in the pipe would keep it open
        continue
    await worker.wait()


def _told() -> dict[str, str]:
    """Where Pillow is, and no more: no address, no secret."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONHOME") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}


def _pictures(made: Sequence[Made], files: bytes) -> dict[str, Picture]:
    pictures, at = dict[str, Picture](), 0
    for each in made:
        pictures[each.name] = Picture(files[at : at + each.bytes], each.width, each.height)
        at += each.bytes
    return pictures

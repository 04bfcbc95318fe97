"""What a database does not hold yet: kept in a file of fixed size that is mapped, and done again after a kill.

What is copied there is the system's, which keeps it when the process dies; there is neither a call nor an fsync. What a
record says is for the database of one generation: the commit that does it raises the generation, so it is done once.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from struct import Struct
from typing import Final

import msgspec

from localcloud.journal import Statement

SIZE: Final = 1 << 20
_HEAD: Final = Struct(">III")  # of a record: generation, length, checksum
_STATEMENTS: Final = msgspec.msgpack.Decoder(list[Statement])
_encode: Final = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class Redo:
    generation: int
    _map: mmap
    _end: int = 0

    @classmethod
    def open(cls, path: Path, generation: int) -> "Redo":
        """Its whole room is taken now: a mapped file that the disk has no room for ends the process."""
        with path.open("a+b") as file:
            file.write(bytes(max(SIZE - file.tell(), 0)))
            file.flush()
            return cls(generation, mmap(file.fileno(), SIZE))

    def close(self) -> None:
        self._map.close()

    def append(self, statements: Sequence[Statement]) -> bool:
        """All or none. Is there room?"""
        content = _encode(statements)
        end = self._end + _HEAD.size + len(content)
        if end > SIZE:
            return False
        self._map[self._end : end] = _HEAD.pack(self.generation, len(content), zlib.adler32(content)) + content
        self._end = end
        return True

    def begin(self, generation: int) -> None:
        """The database has all that was appended."""
        self.generation, self._end = generation, 0

    def records(self) -> Iterator[list[Statement]]:
        """Of this generation; what is appended follows them. A last one that is not whole was not acknowledged."""
        self._end = 0
        while self._end + _HEAD.size <= SIZE:
            generation, length, checksum = _HEAD.unpack_from(self._map, self._end)
            start = self._end + _HEAD.size
            content = self._map[start : start + length]
            if generation != self.generation or zlib.adler32(content) != checksum:
                break
            self._end = start + length
            yield _STATEMENTS.decode(content)

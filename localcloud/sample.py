"""The first thing to try: a customer of the new store, and a product for them to order."""

from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct

from localcloud.state import write_private

FILE = "sample.json"


class Sample(Struct, frozen=True):
    customer: UUID
    product: UUID


def read(folder: Path) -> Sample:
    """Raises FileNotFoundError before the store has been filled."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=Sample)


def known(folder: Path) -> bool:
    return (folder / FILE).exists()


def write(folder: Path, sample: Sample) -> None:
    write_private(folder / FILE, msgspec.json.encode(sample))

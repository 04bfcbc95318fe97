"""Numbered steps that bring a database up to date: `-- migration 1: what for`, and then the statements."""

import re

from libs.common.errors import StoreError


class Behind(StoreError):
    """The database lacks steps that this version of the service needs."""


class Unfinished(StoreError):
    """A copy into this database was begun and has not ended: run the same `copy` again, and it goes on."""


def steps(script: str) -> list[tuple[int, str]]:
    parts = re.split(r"^-- migration (\d+):.*$", script, flags=re.MULTILINE)[1:]
    return list(zip(map(int, parts[::2]), parts[1::2], strict=True))


def refuse_missing(name: str, script: str, done: set[int]) -> None:
    """Raises Behind."""
    if missing := [number for number, _ in steps(script) if number not in done]:
        raise Behind(f"the database lacks migration {missing[0]} of {name}: run `python -m services.{name} migrate`")

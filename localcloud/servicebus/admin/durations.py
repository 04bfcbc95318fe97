"""Durations as ISO 8601 writes them, and how .NET says for ever."""

import re
from typing import Final

from localcloud.servicebus.errors import BadArgument

FOR_EVER: Final = "P10675199DT2H48M5.4775807S"
LONGEST: Final = 10_000_000 * 86_400.0  # seconds; what is longer is for ever
_FORM: Final = re.compile(
    r"P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.ASCII
)


def seconds(text: str) -> float | None:
    """None: for ever. Raises BadArgument."""
    found = _FORM.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise BadArgument(f"not a duration: {text[:40]}")
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    return None if total >= LONGEST else total


def text(of: float | None) -> str:
    if of is None:
        return FOR_EVER
    whole = int(of) if of == int(of) else of
    return f"PT{whole}S"

"""A .NET TimeSpan as people write it: [d.]hh:mm[:ss[.fff]]."""

import re
from typing import Annotated, TypeAlias

from msgspec import Meta

PATTERN = r"^(?:(\d{1,7})\.)?(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,7})?))?$"
TimeSpan: TypeAlias = Annotated[str, Meta(pattern=PATTERN)]


def seconds(span: TimeSpan) -> float:
    """Raises ValueError."""
    found = re.match(PATTERN, span)
    if found is None:
        raise ValueError(f"'{span}' is no TimeSpan")
    days, hours, minutes, rest = found.groups()
    return int(days or 0) * 86_400 + int(hours) * 3600 + int(minutes) * 60 + float(rest or 0)

"""What is delivered beside an event: fixed values, and what the event says at a path ("Custom delivery properties")."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from localcloud.eventgrid.filters import find
from localcloud.subscription import Attribute

LONGEST: Final = 4096  # bytes of a value
CONTROLS: Final = dict.fromkeys([*range(32), 127])  # no header may have them


def beside(event: bytes, wanted: Mapping[str, Attribute]) -> dict[str, str]:
    """By name. What the event does not say, or says by a list or an object, is left out."""
    if not wanted:
        return {}
    dynamic = any(each.from_ for each in wanted.values())
    said = msgspec.json.decode(event) if dynamic else {}
    values = {name: _value(each, said) for name, each in wanted.items()}
    return {name: value for name, value in values.items() if value is not None}


def cut(text: str) -> str:
    """As much of it as a header can hold."""
    return text.translate(CONTROLS).encode()[:LONGEST].decode(errors="ignore")


def _value(of: Attribute, said: Mapping[str, Any]) -> str | None:
    if of.value is not None:
        return cut(of.value)
    match find(said, (of.from_ or "").removeprefix("$.")):
        case str(text):
            return cut(text)
        case bool(yes):
            return str(yes).lower()
        case int() | float() as number:
            return msgspec.json.encode(number).decode()
    return None

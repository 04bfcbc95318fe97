"""What a link's address says: `amqps://host/queue/$DeadLetterQueue/$management` and its parts."""

import re
from typing import Final, NamedTuple

from localcloud.servicebus.errors import UnknownEntity

CBS: Final = "$cbs"
_FORM: Final = re.compile(
    r"(?:\w+://[^/]*/)?(?P<queue>[^$]+?)(?P<dead>/\$DeadLetterQueue)?(?P<management>/\$management)?", re.IGNORECASE
)


class Address(NamedTuple):
    queue: str  # in lower case: entities are named in any
    dead: bool
    management: bool


def parse(text: str) -> Address:
    """Raises UnknownEntity."""
    if not (found := _FORM.fullmatch(text)):
        raise UnknownEntity(text)
    return Address(found["queue"].lower(), bool(found["dead"]), bool(found["management"]))

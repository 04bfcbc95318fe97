"""What a link's address says: `amqps://host/queue/$DeadLetterQueue/$management` and its parts."""

import re
from typing import Final, NamedTuple

from localcloud.servicebus import ledger
from localcloud.servicebus.errors import UnknownEntity

CBS: Final = "$cbs"
_FORM: Final = re.compile(
    r"(?:\w+://[^/]*/?)?(?P<entity>[^$]*?)"
    r"(?P<stuck>/\$Transfer/\$DeadLetterQueue)?(?P<dead>/\$DeadLetterQueue)?(?P<management>/?\$management)?/?",
    re.IGNORECASE,
)


class Address(NamedTuple):
    entity: str  # in lower case: entities are named in any; empty: the namespace
    place: int
    management: bool

    def __str__(self) -> str:
        return self.entity


def parse(text: str) -> Address:
    """Raises UnknownEntity."""
    if not (found := _FORM.fullmatch(text)):
        raise UnknownEntity(text)
    place = ledger.STUCK if found["stuck"] else ledger.DEAD if found["dead"] else ledger.MAIN
    return Address(found["entity"].lower(), place, bool(found["management"]))

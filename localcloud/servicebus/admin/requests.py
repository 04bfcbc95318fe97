"""What the administration client asks for, by path: an entity, a rule, or a list of them."""

import re
from typing import Final, NamedTuple

from localcloud.servicebus.errors import BadArgument

NAMESPACE: Final = "$namespaceinfo"
LONGEST_NAME, LONGEST_BELOW = 260, 50  # characters: of queues and topics; of subscriptions and rules
_ENTITY: Final = re.compile(r"[\w.\-~]+(?:/[\w.\-~]+)*")
_BELOW: Final = re.compile(r"[\w.\-$]+")
_SUBSCRIPTION: Final = re.compile(
    r"(?P<topic>.+?)/subscriptions(?:/(?P<sub>[^/]+)(?:/(?P<rules>rules)(?:/(?P<rule>[^/]+))?)?)?", re.IGNORECASE
)


class Path(NamedTuple):
    """A list where the last part is missing."""

    entity: str = ""  # a queue, a topic, or topic/subscriptions/name
    rule: str | None = None
    lists: str | None = None  # queues, topics, subscriptions, rules, namespace


def parse(path: str) -> Path:
    """Raises BadArgument."""
    path = path.strip("/")
    if path.lower() == NAMESPACE:
        return Path(lists="namespace")
    if path.lower() in ("$resources/queues", "$resources/topics"):
        return Path(lists=path.lower().partition("/")[2])
    if not (found := _SUBSCRIPTION.fullmatch(path)):
        return Path(_named(path))
    topic = _named(found["topic"])
    if found["sub"] is None:
        return Path(topic, lists="subscriptions")
    entity = f"{topic}/subscriptions/{below(found['sub'])}"
    if found["rules"] is None:
        return Path(entity)
    return Path(entity, below(found["rule"])) if found["rule"] else Path(entity, lists="rules")


def _named(name: str) -> str:
    if len(name) > LONGEST_NAME or not _ENTITY.fullmatch(name):
        raise BadArgument(f"no entity can be named {name[:60]!r}")
    return name


def below(name: str) -> str:
    if len(name) > LONGEST_BELOW or not _BELOW.fullmatch(name):
        raise BadArgument(f"no subscription and no rule can be named {name[:60]!r}")
    return name

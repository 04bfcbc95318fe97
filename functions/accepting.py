"""Which form of an answer a caller wants: the header Accept (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from libs.common.errors import StoreError

MOST_RANGES = 50
RANGE = re.compile(r"([\w!#$&^.+*-]+)/([\w!#$&^.+*-]+)")
QUALITY = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


class NotAcceptable(StoreError):
    """There is no such form; `Accept` may ask for application/json and text/csv."""

    status = HTTPStatus.NOT_ACCEPTABLE


def chosen(accept: str | None, offered: Sequence[str]) -> str:
    """Of what is wanted equally, the one that is offered first. Raises NotAcceptable."""
    ranges = _ranges(accept or "*/*")
    best = max(offered, key=lambda form: _quality(form, ranges))  # the first of the greatest
    if _quality(best, ranges) == 0:
        raise NotAcceptable
    return best


def _ranges(accept: str) -> list[tuple[str, float]]:
    """What is no range is passed over."""
    found = list[tuple[str, float]]()
    for given in accept.split(",")[:MOST_RANGES]:
        kind, *parameters = (part.strip() for part in given.split(";"))
        if RANGE.fullmatch(kind):
            qualities = [float(match[1]) for each in parameters if (match := QUALITY.fullmatch(each))]
            found.append((kind.lower(), qualities[0] if qualities else 1.0))
    return found


def _quality(form: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The most specific range decides."""
    for kind in (form, f"{form.partition('/')[0]}/*", "*/*"):
        for given, quality in ranges:
            if given == kind:
                return quality
    return 0.0

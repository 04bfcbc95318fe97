"""What products are found by, pure: words and attributes as terms, which are the same on every engine.

A word is a run of letters and digits, without accents and whatever its case. What is sought is found where each of its
words begins a word of the product's name, SKU, attributes or description. A term that begins with `=` is an attribute.
"""

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from unicodedata import combining, normalize

from libs.common.errors import Invalid
from services.catalog.domain import Details, Value

MOST_TERMS = 500  # of a product; of a longer description the rest is not searched
MOST_SOUGHT = 10  # words
LONGEST_TERM = 200  # what begins alike for so long is the same
_WORD = re.compile(r"[^\W_]+")


class Weight(IntEnum):
    TEXT = 1  # description and attributes
    NAME = 2  # and SKU


Terms = Mapping[str, Weight]


def words(text: str) -> list[str]:
    """Each once, in their order."""
    return list(dict.fromkeys(word[:LONGEST_TERM] for word in _WORD.findall(_folded(text))))


def sought(text: str) -> list[str]:
    """Raises Invalid."""
    found = words(text)
    if len(found) > MOST_SOUGHT:
        raise Invalid("q", f"{len(found)} words are sought; at most {MOST_SOUGHT} can be")
    return found


def attribute(name: str, value: str) -> str:
    """The term of an attribute that has this value."""
    return f"={name}={_folded(value).strip()}"[:LONGEST_TERM]


def terms(details: Details) -> Terms:
    """What comes first stays where there are too many."""
    said = {name: spoken(value) for name, value in details.attributes.items()}
    found = dict.fromkeys(words(f"{details.name} {details.sku}"), Weight.NAME)
    names = (name for name, value in details.attributes.items() if value is not False)
    for term in (
        *(attribute(name, text) for name, text in said.items()),
        *words(" ".join([*names, *said.values()])),
        *words(details.description),
    ):
        if len(found) == MOST_TERMS:
            break
        found.setdefault(term, Weight.TEXT)
    return found


def points(found: Terms, wanted: Iterable[str]) -> int:
    """How well a product fits: for each word up to 4. 0 where one of them begins no word of the product."""
    each = [_points(found, word) for word in wanted]
    return sum(each) if each and all(each) else 0


def spoken(value: Value) -> str:
    """As it is asked for."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _points(found: Terms, word: str) -> int:
    return max((2 * weight - (term != word) for term, weight in found.items() if term.startswith(word)), default=0)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    whole = normalize("NFKD", normalize("NFKD", text).casefold())
    return "".join(letter for letter in whole if not combining(letter))

"""How filters reckon: three-valued, None being what is not known; numbers with numbers, text with text."""

import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from localcloud.servicebus.filters.errors import FilterFailed
from localcloud.servicebus.filters.tokens import LONGEST

Truth = bool | None
LONGEST_TEXT: Final = 262_144  # characters
PATTERNS: Final = 256  # that are kept compiled


def both(left: Truth, right: Truth) -> Truth:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def either(left: Truth, right: Truth) -> Truth:
    if left or right:
        return True
    return None if left is None or right is None else False


def opposite(value: Truth) -> Truth:
    return None if value is None else not value


def truth(value: Any) -> Truth:
    """Raises FilterFailed for what is neither true nor false."""
    if value is None or isinstance(value, bool):
        return value
    raise FilterFailed("a value where true or false is needed")


def comparable(left: Any, right: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right)) or (
        type(left) is type(right)
    )


def equal(left: Any, right: Any) -> Truth:
    if left is None or right is None:
        return None
    return comparable(left, right) and bool(left == right)


def ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Truth]:
    def apply(left: Any, right: Any) -> Truth:
        if left is None or right is None:
            return None
        return comparable(left, right) and not isinstance(left, bool) and compare(left, right)

    return apply


COMPARISONS: Final[dict[str, Callable[[Any, Any], Truth]]] = {
    "=": equal,
    "<>": lambda left, right: opposite(equal(left, right)),
    "!=": lambda left, right: opposite(equal(left, right)),
    "<": ordered(operator.lt),
    "<=": ordered(operator.le),
    ">": ordered(operator.gt),
    ">=": ordered(operator.ge),
}


def reckoned(sign: str, left: Any, right: Any) -> Any:
    """Raises FilterFailed."""
    if left is None or right is None:
        return None
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        return _joined(left, right)
    if not comparable(left, right) or isinstance(left, bool | str):
        raise FilterFailed(f"{sign} needs two numbers")
    try:
        return _ARITHMETIC[sign](left, right)
    except (ArithmeticError, ValueError) as error:
        raise FilterFailed(str(error)) from None


def _joined(left: str, right: str) -> str:
    if len(left) + len(right) > LONGEST_TEXT:  # a filter of a thousand characters could have it hundreds of times
        raise FilterFailed("a text that is longer than a message")
    return left + right


def _divided(left: Any, right: Any) -> Any:
    """Toward zero, where both are whole."""
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "%": lambda left, right: left - _divided(left, right) * right if isinstance(left, int) else left % right,
}


def like(text: str, pattern: str, escape: str | None) -> bool:
    """Does it fit? Raises FilterFailed for a pattern that is longer than a filter."""
    if len(pattern) > LONGEST:
        raise FilterFailed("a pattern that is longer than a filter")
    return _compiled(pattern, escape).fullmatch(text) is not None


@lru_cache(PATTERNS)
def _compiled(text: str, escape: str | None) -> re.Pattern[str]:
    """No worse than text times pattern in time: what is between two "%" is taken where it is first found, for good."""
    pieces, letters = [""], iter(text)
    for letter in letters:
        if letter == escape:
            pieces[-1] += re.escape(next(letters, letter))
        elif letter == "%":
            pieces.append("")
        else:
            pieces[-1] += "." if letter == "_" else re.escape(letter)
    first, *between = pieces
    last = f".*{between.pop()}" if between else ""
    return re.compile("".join([first, *(f"(?>.*?{each})" for each in between), last]), re.DOTALL)

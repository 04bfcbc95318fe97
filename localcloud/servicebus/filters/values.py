"""How filters reckon: three-valued, None being what is not known; numbers with numbers, text with text."""

import operator
from collections.abc import Callable
from typing import Any, Final

from localcloud.servicebus.filters.errors import FilterFailed

Truth = bool | None


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
        return left + right
    if not comparable(left, right) or isinstance(left, bool | str):
        raise FilterFailed(f"{sign} needs two numbers")
    try:
        return _ARITHMETIC[sign](left, right)
    except (ArithmeticError, ValueError) as error:
        raise FilterFailed(str(error)) from None


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


def like(text: str, pattern: list[str | None]) -> bool:
    """Does it fit? In the pattern "%" is None and "_" is the empty text. No worse than their product in time."""
    at = found = 0
    star, mark = -1, 0
    while at < len(text):
        if found < len(pattern) and pattern[found] in ("", text[at]):
            at, found = at + 1, found + 1
        elif found < len(pattern) and pattern[found] is None:
            star, mark, found = found, at, found + 1
        elif star >= 0:
            mark += 1
            at, found = mark, star + 1
        else:
            return False
    return all(part is None for part in pattern[found:])


def pattern_of(text: str, escape: str | None) -> list[str | None]:
    parts, letters = list[str | None](), iter(text)
    for letter in letters:
        if letter == escape:
            parts.append(next(letters, letter))
        else:
            parts.append({"%": None, "_": ""}.get(letter, letter))
    return parts

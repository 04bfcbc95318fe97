"""The words of a filter (learn.microsoft.com: "Subscription rule SQL filter syntax"), in time linear in its length."""

import re
from typing import Final, NamedTuple

from localcloud.servicebus.filters.errors import BadFilter

LONGEST: Final = 1_024  # characters
_FORM: Final = re.compile(
    r"""\s*(?:
        (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
      | (?P<string>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*"|\[(?:[^\]]|\]\])*\])
      | (?P<parameter>@[^\W\d][\w.@$#]*)
      | (?P<name>[^\W\d][\w$#@-]*?(?=[^\w$#@-]|$|-))
      | (?P<sign><>|!=|>=|<=|[=<>+\-*/%().,;])
      | (?P<end>$)
    )""",
    re.VERBOSE,
)


class Token(NamedTuple):
    kind: str  # number, string, quoted (a name), parameter, name, sign, end
    text: str


def tokens(text: str) -> list[Token]:
    """The last one is the end. Raises BadFilter."""
    if len(text) > LONGEST:
        raise BadFilter(f"longer than {LONGEST} characters")
    found, at = list[Token](), 0
    while not found or found[-1].kind != "end":
        match = _FORM.match(text, at)
        if match is None:
            raise BadFilter(f"not understood from character {at + 1} on: {text[at : at + 20]!r}")
        found.append(_token(match))
        at = match.end()
    return found


def _token(match: re.Match[str]) -> Token:
    kind = match.lastgroup or "end"
    text = match[kind]
    if kind == "string":
        return Token(kind, text[1:-1].replace("''", "'"))
    if kind == "quoted":
        close = text[-1]
        return Token(kind, text[1:-1].replace(close * 2, close))
    return Token(kind, text)

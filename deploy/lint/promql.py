"""PromQL, as far as our panels and alerts speak it: what a query reads, or why it can't be read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<range>\[(?:\d+(?:ms|[smhdwy])|\$__rate_interval)\])'
    r"|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)|(?P<name>[a-zA-Z_:][\w:]*)|(?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^<>=(){},]))"
)
AGGREGATIONS = frozenset({"sum", "max", "min", "avg", "count", "topk"})
FUNCTIONS = {  # whether they take a range
    "rate": True, "increase": True, "max_over_time": True, "histogram_quantile": False, "clamp_min": False,
    "absent": False, "vector": False,
}  # fmt: skip
OPERATORS = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">=", "and", "or", "unless"})
MATCHERS = frozenset({"=", "!=", "=~", "!~"})


class Unreadable(Exception):
    """The text says what was wanted, and what is there."""


@dataclass(slots=True)
class Read:
    """What a query reads: metrics, and labels by which it chooses or groups."""

    metrics: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)


def read(query: str) -> Read:
    """Raises Unreadable."""
    parser = _Parser(list(_tokens(query)))
    parser.expression()
    parser.want("end")
    return parser.found


def _tokens(query: str) -> Iterator[tuple[str, str]]:
    at = 0
    while query[at:].strip():
        token = TOKEN.match(query, at)
        if token is None:
            raise Unreadable(f"{query[at:]!r} is not PromQL")
        yield token.lastgroup or "", token[token.lastgroup or 0]
        at = token.end()
    yield "end", ""


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._at, self.found = tokens, 0, Read()

    def expression(self) -> None:
        self._operand()
        while self._text in OPERATORS:
            self._next()
            if self._text in ("on", "ignoring"):
                self._next()
                self._label_list()
            self._operand()

    def want(self, kind: str, text: str | None = None) -> str:
        if self._kind != kind or text not in (None, self._text):
            raise Unreadable(f"wanted {text or kind}, found {self._text!r}")
        return self._next()

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _text(self) -> str:
        return self._tokens[self._at][1]

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _operand(self) -> None:
        if self._kind == "number":
            self._next()
        elif self._text == "(":
            self._next()
            self.expression()
            self.want("sign", ")")
        else:
            self._named(self.want("name"))

    def _named(self, name: str) -> None:
        if name in AGGREGATIONS:
            self._grouped()
            self._arguments(ranged=False)
            self._grouped()
        elif self._text == "(":
            if name not in FUNCTIONS:
                raise Unreadable(f"{name} is no function that is known here")
            self._arguments(ranged=FUNCTIONS[name])
        else:
            self._selector(name)

    def _arguments(self, *, ranged: bool) -> None:
        self.want("sign", "(")
        while True:
            self.expression()
            if ranged:
                self.want("range")
            if self._text != ",":
                break
            self._next()
        self.want("sign", ")")

    def _grouped(self) -> None:
        if self._text in ("by", "without"):
            self._next()
            self._label_list()

    def _label_list(self) -> None:
        self.want("sign", "(")
        while self._text != ")":
            self.found.labels.add(self.want("name"))
            if self._text == ",":
                self._next()
        self._next()

    def _selector(self, name: str) -> None:
        self.found.metrics.add(name)
        if self._text == "{":
            self._next()
            while self._text != "}":
                self._matcher()
            self._next()

    def _matcher(self) -> None:
        self.found.labels.add(self.want("name"))
        if self.want("sign") not in MATCHERS:
            raise Unreadable("a label is matched by =, !=, =~ or !~")
        self.want("string")
        if self._text == ",":
            self._next()

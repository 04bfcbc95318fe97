"""A place in a filter's text, that goes from word to word."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from localcloud.servicebus.filters.errors import BadFilter
from localcloud.servicebus.filters.tokens import Token, tokens

DEEPEST: Final = 32  # brackets, and signs before signs


class Cursor:
    def __init__(self, text: str) -> None:
        self._tokens, self._at, self._depth = tokens(text), 0, 0

    @property
    def peek(self) -> Token:
        return self._tokens[self._at]

    @property
    def after(self) -> Token:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def next(self) -> Token:
        token = self.peek
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def word(self, wanted: str) -> bool:
        """Was it there?"""
        found = self.peek.kind == "name" and self.peek.text.upper() == wanted
        if found:
            self.next()
        return found

    def expect(self, wanted: str) -> None:
        if not self.word(wanted):
            raise BadFilter(f"{wanted} is missing before {self.peek.text!r}")

    def has_sign(self, wanted: str) -> bool:
        found = self.peek == ("sign", wanted)
        if found:
            self.next()
        return found

    def sign(self, wanted: str) -> None:
        if not self.has_sign(wanted):
            raise BadFilter(f"{wanted} is missing before {self.peek.text!r}")

    def end(self) -> None:
        if self.peek.kind != "end":
            raise BadFilter(f"nothing may come from {self.peek.text!r} on")

    @contextmanager
    def deeper(self) -> Iterator[None]:
        if self._depth >= DEEPEST:
            raise BadFilter("too deep")
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

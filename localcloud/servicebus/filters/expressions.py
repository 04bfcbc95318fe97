"""Reads a filter's condition and the expressions in it into functions of a message's facts."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from localcloud.servicebus.filters.cursor import Cursor
from localcloud.servicebus.filters.errors import BadFilter
from localcloud.servicebus.filters.facts import SYSTEM, Facts, plain
from localcloud.servicebus.filters.tokens import Token
from localcloud.servicebus.filters.values import (
    COMPARISONS,
    both,
    either,
    equal,
    like,
    opposite,
    reckoned,
    truth,
)

Expression = Callable[[Facts], Any]
CONSTANTS: Final = {"TRUE": True, "FALSE": False, "NULL": None}
KEYWORDS: Final = {*CONSTANTS, "AND", "OR", "NOT", "IN", "LIKE", "ESCAPE", "IS", "EXISTS", "SET", "REMOVE"}
_SYSTEM: Final = {name.lower() for name in SYSTEM.split()}


class Reader(Cursor):
    """Each method reads what it is named for. Raises BadFilter."""

    def __init__(self, text: str, parameters: Mapping[str, Any]) -> None:
        super().__init__(text)
        self._parameters = {name.lstrip("@").lower(): plain(value) for name, value in parameters.items()}

    # --- conditions ---------------------------------------------------------------------------------------------------

    def condition(self) -> Expression:
        left = self._all_of()
        while self.word("OR"):
            left = _pair(either, left, self._all_of())
        return left

    def _all_of(self) -> Expression:
        left = self._not()
        while self.word("AND"):
            left = _pair(both, left, self._not())
        return left

    def _not(self) -> Expression:
        if not self.word("NOT"):
            return self._predicate()
        with self.deeper():
            inner = self._not()
        return lambda facts: opposite(truth(inner(facts)))

    def _predicate(self) -> Expression:
        if self.word("EXISTS"):
            return self._exists()
        left = self.expression()
        if self.peek.text in COMPARISONS and self.peek.kind == "sign":
            compare, right = COMPARISONS[self.next().text], self.expression()
            return lambda facts: compare(left(facts), right(facts))
        if self.word("IS"):
            known = self.word("NOT")
            self.expect("NULL")
            return lambda facts: (left(facts) is None) != known
        return self._listed(left)

    def _exists(self) -> Expression:
        self.sign("(")
        scope, name = self.property()
        self.sign(")")
        if scope == "sys":
            return lambda facts: facts.of_system(name) is not None
        return lambda facts: facts.has_user(name)

    def _listed(self, left: Expression) -> Expression:
        negated = self.word("NOT")
        if self.word("IN"):
            found = self._in(left)
        elif self.word("LIKE"):
            found = self._like(left)
        elif negated:
            raise BadFilter("NOT without IN or LIKE")
        else:
            return left
        return (lambda facts: opposite(found(facts))) if negated else found

    def _in(self, left: Expression) -> Expression:
        self.sign("(")
        options = [self.expression()]
        while self.has_sign(","):
            options.append(self.expression())
        self.sign(")")

        def found(facts: Facts) -> bool | None:
            value, answer = left(facts), False if left(facts) is not None else None
            for option in options:
                answer = either(answer, equal(value, option(facts)))
            return answer

        return found

    def _like(self, left: Expression) -> Expression:
        pattern, escape = self.expression(), self.expression() if self.word("ESCAPE") else None

        def fits(facts: Facts) -> bool | None:
            value, wanted = left(facts), pattern(facts)
            if value is None or wanted is None:
                return None
            mark = escape(facts) if escape else None
            return like(str(value), str(wanted), mark if isinstance(mark, str) else None)

        return fits

    # --- expressions --------------------------------------------------------------------------------------------------

    def expression(self) -> Expression:
        left = self._product()
        while self.peek in (("sign", "+"), ("sign", "-")):
            left = _reckoning(self.next().text, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while self.peek in (("sign", "*"), ("sign", "/"), ("sign", "%")):
            left = _reckoning(self.next().text, left, self._unary())
        return left

    def _unary(self) -> Expression:
        if self.peek not in (("sign", "+"), ("sign", "-")):
            return self._term()
        sign = self.next().text
        with self.deeper():
            inner = self._unary()
        return _reckoning(sign, lambda _: 0, inner)

    def _term(self) -> Expression:
        token = self.peek
        if token == ("sign", "("):
            return self._grouped()
        if token.kind in ("number", "string", "parameter") or token.text.upper() in CONSTANTS:
            value = self._constant(self.next())
            return lambda _: value
        if token.kind == "name" and self.after == ("sign", "("):
            return self._function()
        scope, name = self.property()
        return (lambda facts: facts.of_system(name)) if scope == "sys" else (lambda facts: facts.of_user(name))

    def _grouped(self) -> Expression:
        self.sign("(")
        with self.deeper():
            inner = self.condition()
        self.sign(")")
        return inner

    def _constant(self, token: Token) -> Any:
        if token.kind == "string":
            return token.text
        if token.kind == "number":
            whole = token.text.isdigit()
            return int(token.text) if whole else float(token.text)
        if token.kind == "parameter":
            name = token.text[1:].lower()
            if name not in self._parameters:
                raise BadFilter(f"the parameter {token.text} is not given")
            return self._parameters[name]
        return CONSTANTS[token.text.upper()]

    def _function(self) -> Expression:
        name = self.next().text.lower()
        self.sign("(")
        if name == "newid":
            self.sign(")")
            return lambda _: str(uuid4())
        if name not in ("property", "p"):
            raise BadFilter(f"no function is named {name}")
        of = self.expression()
        self.sign(")")
        return lambda facts: facts.of_user(str(of(facts)))

    def property(self) -> tuple[str, str]:
        """Its scope, and its name."""
        name, scope = self._name(), "user"
        if self.has_sign("."):
            scope, name = name.lower(), self._name()
        if scope not in ("sys", "user"):
            raise BadFilter(f"no scope is named {scope}")
        if scope == "sys" and name.lower() not in _SYSTEM:
            raise BadFilter(f"sys.{name} is not a system property")
        return scope, name

    def _name(self) -> str:
        token = self.next()
        if token.kind != "quoted" and (token.kind != "name" or token.text.upper() in KEYWORDS):
            raise BadFilter(f"a property's name is missing before {token.text!r}")
        return token.text


def _pair(join: Callable[[Any, Any], Any], left: Expression, right: Expression) -> Expression:
    return lambda facts: join(truth(left(facts)), truth(right(facts)))


def _reckoning(sign: str, left: Expression, right: Expression) -> Expression:
    return lambda facts: reckoned(sign, left(facts), right(facts))

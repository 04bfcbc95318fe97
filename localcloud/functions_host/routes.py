"""Route templates of ASP.NET, as HTTP functions have them: literals, typed, optional and catch-all parameters."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

Check: TypeAlias = Callable[[str], bool]

RESERVED = ("admin", "runtime")
_TOKEN = re.compile(r"\{(?P<parameter>(?:\{\{|\}\}|[^{}])+)\}|(?P<slash>/)|(?P<text>[^{}/]+)")
_CONSTRAINT = r":([A-Za-z]+)(?:\(((?:[^()]|\([^()]*\))*)\))?"
_PARAMETER = re.compile(
    r"(?P<stars>\*{0,2})(?P<name>[A-Za-z_]\w*)"
    rf"(?P<constraints>(?:{_CONSTRAINT})*)(?:(?P<optional>\?)|=(?P<default>.*))?"
)
_NUMBER = re.compile(r"[+-]?\d{1,19}")
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_GUID = re.compile(r"[({]?[0-9a-f]{8}(-?)(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}[)}]?", re.IGNORECASE)


def _between(low: int, high: int) -> Check:
    return lambda text: _NUMBER.fullmatch(text) is not None and low <= int(text) <= high


def _length(low: int, high: int) -> Check:
    return lambda text: low <= len(text) <= high


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


_LONG = 2**63
_PLAIN: Mapping[str, Check] = {
    "int": _between(-(2**31), 2**31 - 1),
    "long": _between(-_LONG, _LONG - 1),
    "bool": lambda text: text.lower() in ("true", "false"),
    "datetime": _is_time,
    "decimal": lambda text: _DECIMAL.fullmatch(text) is not None,
    "double": lambda text: _DECIMAL.fullmatch(text) is not None,
    "float": lambda text: _DECIMAL.fullmatch(text) is not None,
    "guid": lambda text: _GUID.fullmatch(text) is not None,
    "alpha": lambda text: re.fullmatch("[A-Za-z]*", text) is not None,
    "required": bool,
}
_BOUNDED: Mapping[tuple[str, int], Callable[..., Check]] = {
    ("min", 1): lambda low: _between(low, _LONG - 1),
    ("max", 1): lambda high: _between(-_LONG, high),
    ("range", 2): _between,
    ("minlength", 1): lambda low: _length(low, _LONG),
    ("maxlength", 1): lambda high: _length(0, high),
    ("length", 1): lambda exact: _length(exact, exact),
    ("length", 2): _length,
}


def _check(name: str, argument: str | None) -> Check:
    """Raises ValueError."""
    if argument is None and name in _PLAIN:
        return _PLAIN[name]
    if name == "regex" and argument:
        try:
            pattern = re.compile(argument.replace("{{", "{").replace("}}", "}"), re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"the expression of regex({argument}) is not understood: {error}") from error
        return lambda text: pattern.search(text) is not None
    numbers = [each.strip() for each in (argument or "").split(",")]
    if (name, len(numbers)) not in _BOUNDED or not all(_NUMBER.fullmatch(each) for each in numbers):
        raise ValueError(f"there is no constraint {name}{f'({argument})' if argument is not None else ''}")
    return _BOUNDED[name, len(numbers)](*map(int, numbers))


@dataclass(frozen=True, slots=True)
class Template:
    pattern: re.Pattern[str]
    checks: tuple[tuple[str, Check], ...]
    defaults: Mapping[str, str]

    @classmethod
    def parse(cls, route: str) -> "Template":
        """Raises ValueError naming what of the route is wrong."""
        parts = _Parts([], [], {}, set())
        try:
            for segment in _segments(route):
                parts.add(segment)
            return cls(re.compile("".join(parts.pattern), re.IGNORECASE), tuple(parts.checks), parts.defaults)
        except ValueError as error:
            raise ValueError(f"the route {route} is not understood: {error}") from error

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters, if it is this route. A slash at the end says nothing."""
        found = self.pattern.fullmatch(path.removesuffix("/"))
        if found is None:
            return None
        values = {**self.defaults, **{name: value for name, value in found.groupdict().items() if value}}
        return values if all(check(values[name]) for name, check in self.checks if name in values) else None


@dataclass(slots=True)
class _Parts:
    pattern: list[str]
    checks: list[tuple[str, Check]]
    defaults: dict[str, str]
    names: set[str]
    ends: str = ""  # the parameter after which only what may be missing can come

    def add(self, segment: list[re.Match[str]]) -> None:
        """Raises ValueError."""
        parts = [self._parameter(each["parameter"]) if each["parameter"] else None for each in segment]
        found = parts[0] if len(parts) == 1 else None
        if found and (found["stars"] or found["optional"] or found["default"] is not None):
            text = ".*" if found["stars"] else "[^/]+"
            self.pattern.append(f"(?:/(?P<{found['name']}>{text}))?")
            self.ends = "*" if found["stars"] or self.ends == "*" else found["name"]
        elif self.ends:
            raise ValueError(f"nothing can follow a parameter that may be missing, as {segment[0][0]} does")
        else:
            self.pattern.append("/" + "".join(map(_text, segment, parts)))

    def _parameter(self, text: str) -> re.Match[str]:
        found = _PARAMETER.fullmatch(text)
        if found is None or found["name"].lower() in self.names or self.ends == "*":
            raise ValueError(f"{{{text}}} is no parameter, is there twice, or comes after a catch-all")
        self.names.add(found["name"].lower())
        for name, argument in re.findall(_CONSTRAINT, found["constraints"]):
            bare = f":{name}(" not in found["constraints"]
            self.checks.append((found["name"], _check(name.lower(), None if bare else argument)))
        if found["default"] is not None:
            self.defaults[found["name"]] = found["default"]
        return found


def _text(token: re.Match[str], parameter: re.Match[str] | None) -> str:
    if parameter is None:
        return re.escape(token[0])
    if parameter["stars"] or parameter["optional"] or parameter["default"] is not None:
        raise ValueError(f"{token[0]} can only be a whole segment")
    return f"(?P<{parameter['name']}>[^/]+)"


def _segments(route: str) -> Iterator[list[re.Match[str]]]:
    segment, at = list[re.Match[str]](), 0
    trimmed = route.removeprefix("~").strip("/")
    while at < len(trimmed):
        token = _TOKEN.match(trimmed, at)
        if token is None:
            raise ValueError(f"a brace is not closed at '{trimmed[at : at + 20]}'")
        at = token.end()
        if not token["slash"]:
            segment.append(token)
            continue
        if not segment:
            raise ValueError("it has two slashes beside each other")
        yield segment
        segment = []
    if segment:
        yield segment


def blob_path(path: str) -> re.Pattern[str]:
    """`container/{name}.png` as an expression; a parameter may hold slashes there. Raises ValueError."""
    parts = re.split(r"\{(\w+)\}", path)
    if not re.fullmatch(r"[a-z0-9$-]{1,63}/.+", path) or any(brace in text for text in parts[::2] for brace in "{}"):
        raise ValueError(f"the path {path} is not understood; say it as container/{{name}}")
    try:
        texts = [f"(?P<{part}>.+)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)]
        return re.compile("".join(texts))
    except re.error as error:
        raise ValueError(f"the path {path} is not understood: {error}") from error

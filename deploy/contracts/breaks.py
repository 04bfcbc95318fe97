"""What a change would break, and whose: HTTP and messages, the version before against the one to come. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from deploy.contracts.compare import Part, as_written, misfits

Document = Mapping[str, Any]
Consumers = Mapping[str, Mapping[str, Document]]  # by name: by message or operation, the schema of what it reads
ANYONE = "whoever calls it"
NOBODY = "nobody we know of"


class Break(NamedTuple):
    where: str
    what: str
    whose: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; this breaks {', '.join(self.whose)}"


# --- messages ----------------------------------------------------------------------------------------------------


def messages(before: Mapping[str, Document], after: Mapping[str, Document], consumers: Consumers) -> Iterator[Break]:
    """The two versions run beside each other, so each must read what the other writes."""
    for name, old in before.items():
        hearing = {who: heard[name] for who, heard in consumers.items() if name in heard}
        if name not in after:
            yield Break(name, "it is told no more", tuple(hearing) or (NOBODY,))
            continue
        new = after[name]
        for what in misfits(_whole(as_written(new)), _whole(as_written(old))):
            yield Break(name, f"to the version before, {what}", _whose(new, hearing))
        for what in misfits(_whole(as_written(old)), _whole(new)):
            yield Break(name, f"from the version before, {what}", tuple(hearing) or (NOBODY,))


def _whose(written: Document, hearing: Mapping[str, Document]) -> tuple[str, ...]:
    """Whoever reads just what has changed."""
    return tuple(who for who, read in hearing.items() if unread(written, read)) or (NOBODY,)


def unread(written: Document, read: Document) -> list[str]:
    """Why a consumer of `read` can't do with what is written."""
    return list(misfits(_whole(as_written(written)), _whole(as_written(read))))


def _whole(schema: Document) -> Part:
    return Part(schema, schema)


# --- HTTP --------------------------------------------------------------------------------------------------------


def http(service: str, before: Document, after: Document, consumers: Consumers) -> Iterator[Break]:
    for where, old in operations(before).items():
        new = operations(after).get(where)
        name = f"{service} {old.schema['operationId']}"
        using = {who: used[name] for who, used in consumers.items() if name in used}
        if new is None:
            yield Break(f"{service} {where}", "it is served no more", (ANYONE, *using))
            continue
        broken = tuple(who for who, read in using.items() if unanswered(after, new, read))
        for what in [*_asks(old, new), *_lets_in(old, new)]:
            yield Break(f"{service} {where}", what, (ANYONE, *using))
        for what in _answers(old, new):
            yield Break(f"{service} {where}", what, (ANYONE, *broken))


def operations(document: Document) -> dict[str, Part]:
    return {
        f"{method.upper()} {path}": Part(document, each)
        for path, item in document["paths"].items()
        for method, each in item.items()
    }


def unanswered(document: Document, operation: Part, read: Document) -> list[str]:
    """Why a consumer of `read` can't do with the answers of success."""
    written = as_written(document)
    return [
        what
        for status, answer in operation.schema["responses"].items()
        for content in answer.get("content", {}).values()
        if status.startswith("2") and "schema" in content
        for what in misfits(Part(written, as_written(content["schema"])), _whole(as_written(read)))
    ]


def _asks(old: Part, new: Part) -> Iterator[str]:
    """What was a good request is one still."""
    known, wanted = (({(each["in"], each["name"]): each for each in part.get("parameters", ())}) for part in (old, new))
    for key, each in wanted.items():
        if each["required"] and not known.get(key, {}).get("required"):
            yield f"{key[0]} {key[1]} must be said now"
        if key in known:
            yield from _only(
                Part(old.document, known[key]), Part(new.document, each), f"{key[0]} {key[1]}", "is refused"
            )
    yield from (f"{key[0]} {key[1]} is taken no more" for key in known if key not in wanted)
    yield from _bodies(old, new)


def _only(given: Part, taken: Part, at: str, verdict: str) -> Iterator[str]:
    if "schema" in given.schema and "schema" in taken.schema:
        yield from (f"{what}, which {verdict}" for what in misfits(given["schema"], taken["schema"], at))


def _bodies(old: Part, new: Part) -> Iterator[str]:
    before, after = old.get("requestBody"), new.get("requestBody")
    if after is None:
        yield from ("no body is taken any more",) if before else ()
        return
    if after["required"] and not (before or {}).get("required"):
        yield "a body must be sent now"
    for kind, content in (before or {"content": {}})["content"].items():
        if kind not in after["content"]:
            yield f"a body of {kind} is taken no more"
        else:
            yield from _only(Part(old.document, content), Part(new.document, after["content"][kind]), "", "is refused")


def _lets_in(old: Part, new: Part) -> Iterator[str]:
    """No requirement at all: anyone."""
    before, after = _roles(old), _roles(new)
    if not after:
        return
    if not before:
        yield "a token is needed now"
    yield from (f"{role} may call it no more" for role in sorted(before - after))


def _roles(operation: Part) -> set[str]:
    return {role for each in operation.get("security", ()) for role in each["bearer"]}


def _answers(old: Part, new: Part) -> Iterator[str]:
    """What a client had from a success it gets still. It has to expect any refusal at any time."""
    if old.schema["operationId"] != new.schema["operationId"]:
        yield f"it is called {new.schema['operationId']} now"
    for status, before in _successes(old):
        after = new.schema["responses"].get(status)
        if after is None:
            yield f"{status} is answered no more"
            continue
        for name in before.get("headers", {}):
            if name not in after.get("headers", {}):
                yield f"{status} comes without {name}"
        yield from _contents(Part(old.document, before), Part(new.document, after), status)


def _successes(operation: Part) -> Iterable[tuple[str, Document]]:
    return [(status, each) for status, each in operation.schema["responses"].items() if status.startswith("2")]


def _contents(old: Part, new: Part, status: str) -> Iterator[str]:
    given, taken = Part(as_written(new.document), {}), Part(as_written(old.document), {})
    for kind, before in old.get("content", {}).items():
        after = new.get("content", {}).get(kind)
        if after is None:
            yield f"{status} is answered as {kind} no more"
        else:
            one, other = Part(given.document, as_written(after)), Part(taken.document, as_written(before))
            yield from _only(one, other, status, "nobody expects")

"""What a Bicep expression comes to, as far as that is known before anything is deployed."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from tree_sitter import Node

Value = Any  # what JSON has, a Later, a Thing, or a function
Names = Callable[[str], Value]  # raises Wrong for a name that does not exist


class Wrong(Exception):
    """The file would not deploy; the text says why."""


class Later(str):
    """Known only while it is deployed; the text says what it is, as in <vault.properties.vaultUri>."""


class Live(dict[str, Value]):
    """Part of a resource. What the file does not say about it, Azure will."""

    label: str = ""

    @classmethod
    def of(cls, label: str, said: Mapping[str, Value]) -> "Live":
        live = cls(said)
        live.label = label
        return live


def text(node: Node) -> str:
    return (node.text or b"").decode()


def child(node: Node, field: str) -> Node:
    found = node.child_by_field_name(field)
    if found is None:
        raise Wrong(f"line {node.start_point[0] + 1}: no {field} in {text(node)[:60]!r}")
    return found


def inner(node: Node) -> list[Node]:
    return [each for each in node.named_children if each.type != "comment"]


def evaluate(node: Node, names: Names) -> Value:
    known = EVALUATE.get(node.type)
    if known is None:
        raise Wrong(f"line {node.start_point[0] + 1}: {node.type} is not understood: {text(node)[:60]!r}")
    return known(node, names)


def member(owner: Value, name: str, *, optional: bool = False) -> Value:
    """`owner.name`. Raises Wrong where there is none."""
    if isinstance(owner, Later):
        return Later(f"{owner[:-1]}.{name}>")
    if hasattr(owner, "member"):
        return owner.member(name)
    if isinstance(owner, Live):
        found = owner.get(name, Later(f"<{owner.label}.{name}>"))
        return Live.of(f"{owner.label}.{name}", found) if isinstance(found, dict) else found
    if isinstance(owner, Mapping) and name in owner:
        return owner[name]
    if optional:
        return None
    raise Wrong(f"{name} is not in {sorted(owner) if isinstance(owner, Mapping) else owner}")


def bound(names: Names, more: Mapping[str, Value]) -> Names:
    return lambda name: more[name] if name in more else names(name)


def _string(node: Node, names: Names) -> Value:
    escapes = {"\\'": "'", "\\n": "\n", "\\$": "$", "\\\\": "\\"}
    out, later = "", False
    for each in node.children[1:]:
        if each.type != "string_content":
            out += text(each)[: -len(text(each).lstrip())]  # blanks are the grammar's, wherever it can
        match each.type:
            case "string_content":
                out += text(each)
            case "escape_sequence":
                out += escapes[text(each).lstrip()]
            case "interpolation":
                value = evaluate(inner(each)[0], names)
                if value is None:
                    raise Wrong(f"line {each.start_point[0] + 1}: {text(each)} is null")
                out += str(value)
                later |= isinstance(value, Later)
    return Later(out) if later else out


def _object(node: Node, names: Names) -> Value:
    out: dict[str, Value] = {}
    for each in inner(node):
        key, *values = inner(each)
        out[text(key) if key.type == "identifier" else evaluate(key, names)] = evaluate(values[-1], names)
    return out


def _array(node: Node, names: Names) -> Value:
    items = inner(node)
    for before, after in pairwise(items):
        if before.end_byte == after.start_byte:  # the grammar takes `[f(x)]` for `[f (x)]`
            raise Wrong(f"line {node.start_point[0] + 1}: give {text(node)[:60]!r} a name outside of the array")
    return [evaluate(each, names) for each in items]


def _binary(node: Node, names: Names) -> Value:
    operator = text(child(node, "operator"))
    left = evaluate(child(node, "left"), names)
    if operator in ("&&", "||", "??"):
        done = {"&&": not left, "||": bool(left), "??": left is not None}[operator]
        return left if done else evaluate(child(node, "right"), names)
    right = evaluate(child(node, "right"), names)
    match operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "+":
            return left + right
        case "-":
            return left - right
        case _:
            raise Wrong(f"line {node.start_point[0] + 1}: the operator {operator} is not understood")


def _ternary(node: Node, names: Names) -> Value:
    """Where Azure will say only later which it is, both are told."""
    condition = evaluate(child(node, "condition"), names)
    if isinstance(condition, Later):
        one, other = (evaluate(child(node, each), names) for each in ("consequence", "alternative"))
        return Later(f"<{condition[1:-1]} ? {one} : {other}>")
    return evaluate(child(node, "consequence" if condition else "alternative"), names)


def _member(node: Node, names: Names) -> Value:
    optional = any(each.type == ".?" for each in node.children)
    if _leftmost(node).type == "lambda_expression":  # the grammar takes `x => x.y` for `(x => x).y`
        of = evaluate(child(node, "object"), names)
        return lambda *values: member(of(*values), text(child(node, "property")), optional=optional)
    return member(evaluate(child(node, "object"), names), text(child(node, "property")), optional=optional)


def _leftmost(node: Node) -> Node:
    return _leftmost(child(node, "object")) if node.type == "member_expression" else node


def _subscript(node: Node, names: Names) -> Value:
    owner, index = evaluate(child(node, "object"), names), evaluate(child(node, "index"), names)
    if isinstance(owner, list):
        if not 0 <= index < len(owner):
            raise Wrong(f"line {node.start_point[0] + 1}: {text(node)} is item {index} of {len(owner)}")
        return owner[index]
    return member(owner, index)


def _call(node: Node, names: Names) -> Value:
    called = child(node, "function")
    arguments = [evaluate(each, names) for each in inner(child(node, "arguments"))]
    try:
        return evaluate(called, names)(*arguments)
    except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
        raise Wrong(f"line {node.start_point[0] + 1}: {text(node)[:80]}: {error}") from error


def _lambda(node: Node, names: Names) -> Value:
    *parameters, body = inner(node)
    words = [text(each) for part in parameters for each in ([part] if part.type == "identifier" else inner(part))]
    return lambda *values: evaluate(body, bound(names, dict(zip(words, values, strict=False))))


def loop(node: Node, names: Names) -> list[tuple[Names, Node]]:
    """Each turn's names, and the body."""
    first, items, *_ = inner(node)
    words = [text(each) for each in inner(first)] or [text(first)]
    turns = evaluate(items, names)
    if not isinstance(turns, list):
        raise Wrong(f"line {node.start_point[0] + 1}: {text(items)} is no array")
    return [
        (bound(names, dict(zip(words, (turn, number), strict=False))), child(node, "body"))
        for number, turn in enumerate(turns)
    ]


EVALUATE: dict[str, Callable[[Node, Names], Value]] = {
    "string": _string,
    "number": lambda node, names: int(text(node)),
    "boolean": lambda node, names: text(node) == "true",
    "null": lambda node, names: None,
    "identifier": lambda node, names: names(text(node)),
    "parenthesized_expression": lambda node, names: evaluate(inner(node)[0], names),
    "array": _array,
    "object": _object,
    "ternary_expression": _ternary,
    "binary_expression": _binary,
    "unary_expression": lambda node, names: not evaluate(child(node, "argument"), names),
    "member_expression": _member,
    "subscript_expression": _subscript,
    "call_expression": _call,
    "lambda_expression": _lambda,
    "for_statement": lambda node, names: [evaluate(body, inside) for inside, body in loop(node, names)],
}

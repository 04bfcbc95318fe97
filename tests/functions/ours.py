"""The reasons that code gives to customers, found in its text: where they are told, returned or named."""

import ast
from collections.abc import Iterator

TELLS = {"OrderRejected", "OrderCancelled", "OrderReturned", "StockRefused", "RejectOrder"}  # with `reason=`
VERBS = {"reject": 0, "cancel": 0, "take_back": 0, "_call_off": 1}  # of an order; the place of its reason
TYPE = "Reason"

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Untraced(Exception):
    """This gives a reason, and is not declared to return a Reason: nobody can tell which words it may say."""


def reasons_in(tree: ast.AST) -> Iterator[str]:
    """With 7 for what is filled in. Raises Untraced."""
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    declared = {each.name for each in functions if _gives_reasons(each)}
    for given in _given(tree):
        yield from _words(given)
    for function in functions:
        for call in _sources(function):
            if _name(call.func) not in declared:
                raise Untraced(f"{_name(call.func)}, line {call.lineno}")


def _gives_reasons(function: Function) -> bool:
    """A Reason, or a list of them."""
    said = ast.walk(function.returns) if function.returns else ()
    return any(_name(each) == TYPE for each in said)


def _given(tree: ast.AST) -> Iterator[ast.expr]:
    """Whatever may become the text of a reason."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in TELLS:
                yield from (end for each in node.keywords if each.arg == "reason" for end in _ends(each.value))
            case ast.Call(func=ast.Attribute(attr=name)) if len(node.args) > VERBS.get(name, len(node.args)):
                yield from _ends(node.args[VERBS[name]])
            case ast.AnnAssign(target=target, annotation=kind, value=ast.expr() as value):
                if _name(kind) == TYPE or _name(target) == "reason":
                    yield from _ends(value)
            case ast.FunctionDef() | ast.AsyncFunctionDef() if _gives_reasons(node):
                returned = (each.value for each in ast.walk(node) if isinstance(each, ast.Return))
                yield from (end for value in returned if value for end in _ends(value))


def _ends(made: ast.expr) -> Iterator[ast.expr]:
    """What it can come to."""
    match made:
        case ast.BoolOp(values=some) | ast.Call(func=ast.Attribute(attr="join"), args=some):
            yield from (end for each in some for end in _ends(each))
        case ast.IfExp(body=one, orelse=other):
            yield from (*_ends(one), *_ends(other))
        case ast.Await(value=value) | ast.ListComp(elt=value):
            yield from _ends(value)
        case _:
            yield made


def _words(given: ast.expr) -> Iterator[str]:
    match given:
        case ast.Constant(value=str(said)) if said:
            yield said
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in parts)


def _sources(function: Function) -> Iterator[ast.Call]:
    """The calls that give it the reasons that it gives."""
    made = _made(function)
    for given in _given(function):
        ends = _ends(made[given.id]) if isinstance(given, ast.Name) and given.id in made else [given]
        yield from (each for each in ends if isinstance(each, ast.Call))


def _made(function: Function) -> dict[str, ast.expr]:
    """Of what each name in it is made."""
    made = dict[str, ast.expr]()
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                made[name] = value
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                made[name] = value
    return made


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""

"""What Bicep's compiler refuses although it can be worked out here: what Azure does not know soon enough."""

from collections.abc import Iterator, Mapping

from tree_sitter import Node

from deploy.azure.expressions import Wrong, child, inner, text

THINGS = ("resource_declaration", "module_declaration")
AT_ONCE = ("id", "name", "type", "apiVersion")  # of a resource: all else about it Azure says later

Declared = Mapping[str, Node]


def require_known(node: Node, declared: Declared) -> None:
    """Azure counts loops, asks conditions and reads names before it makes anything. Raises Wrong."""
    for each in everything(node):
        if each.type == "member_expression":
            of, what = inner(each)
            of = child(of, "object") if of.type == "subscript_expression" else of
            if _is_thing(of, declared) and text(what) not in AT_ONCE:
                raise Wrong(f"line {node.start_point[0] + 1}: {text(each)} is known only later")
        named = declared.get(text(each)) if each.type == "identifier" else None
        if named is not None and named.type == "variable_declaration":
            require_known(inner(named)[-1], declared)


def refuse_choosing(node: Node, declared: Declared) -> None:
    """A lambda can't choose one of many resources by what it is given. Raises Wrong."""
    for function in (each for each in everything(node) if each.type == "lambda_expression"):
        given = {text(each) for part in inner(function)[:-1] for each in everything(part) if each.type == "identifier"}
        for access in (each for each in everything(function) if each.type == "subscript_expression"):
            index = {text(each) for each in everything(child(access, "index"))}
            if given & index and _is_thing(child(access, "object"), declared):
                raise Wrong(f"line {node.start_point[0] + 1}: {text(access)} chooses a resource inside a lambda")


def unused(root: Node) -> list[str]:
    """Parameters of a file that nothing in it asks for."""
    declared = [each for each in root.children if each.type == "parameter_declaration"]
    names = [next(each for each in inner(node) if each.type == "identifier") for node in declared]
    asked = {
        text(each) for each in everything(root) if each.type == "identifier" and each not in names and not _is_key(each)
    }
    return [text(name) for name in names if text(name) not in asked]


def _is_key(node: Node) -> bool:
    return node.parent is not None and node.parent.type == "object_property" and node.parent.children[0] == node


def everything(node: Node) -> Iterator[Node]:
    """The node, and all that is in it."""
    yield node
    for each in node.children:
        yield from everything(each)


def _is_thing(node: Node, declared: Declared) -> bool:
    found = declared.get(text(node))
    return found is not None and found.type in THINGS

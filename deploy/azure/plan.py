"""What a Bicep file would make, without Azure: `python -m deploy.azure.plan deploy/azure/main.bicepparam`."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from deploy.azure.expressions import Later, Live, Names, Value, Wrong, bound, evaluate, inner, loop, member, text
from deploy.azure.language import GROUP, builtin, read
from deploy.azure.refusals import everything, refuse_choosing, require_known

DECLARATIONS = {
    "parameter_declaration",
    "variable_declaration",
    "resource_declaration",
    "module_declaration",
    "type_declaration",
    "user_defined_function",
    "output_declaration",
}


@dataclass(slots=True)
class Thing:
    """A resource, or one that is said to exist, or a module."""

    type: str
    name: str
    body: Mapping[str, Value]
    version: str = ""
    existing: bool = False
    parent: "Thing | None" = None
    scope: "Thing | None" = None
    outputs: Mapping[str, Value] = field(default_factory=dict)

    @property
    def made(self) -> bool:
        """By this file, as a resource."""
        return not self.existing and self.type != "module"

    @property
    def path(self) -> str:
        """Its name after those of what it is in."""
        return f"{self.parent.path}/{self.name}" if self.parent else self.name

    @property
    def id(self) -> str:
        return f"{self.scope.id if self.scope else GROUP}/{self.type}/{self.path}"

    def member(self, name: str) -> Value:
        if name == "getSecret":
            return lambda secret: Later(f"<{self.path}/secrets/{secret}>")
        if name == "listKeys":
            return lambda: Later(f"<keys of {self.path}>")
        if name == "outputs":
            return self.outputs
        return {"id": self.id, "name": self.name}.get(name) or member(Live.of(self.path, self.body), name)


@dataclass(slots=True)
class Template:
    """A file, with values for its parameters."""

    path: Path
    given: Mapping[str, Value]
    environment: Mapping[str, str]
    things: list[Thing] = field(default_factory=list)
    _nodes: dict[str, Node] = field(default_factory=dict)
    _values: dict[str, Value] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        nodes = [node for node in parsed(self.path).children if node.type in DECLARATIONS]
        self._nodes = {
            ("output " if node.type == "output_declaration" else "") + _name(node): node for node in nodes
        } | self._imported()
        declared = {name for name, node in self._nodes.items() if node.type == "parameter_declaration"}
        if unknown := set(self.given) - declared:
            raise Wrong(f"{self.path.name} has no parameter {', '.join(sorted(unknown))}")

    def run(self) -> Mapping[str, Value]:
        """All that it declares, into `things`; returns its outputs."""
        for name, node in self._nodes.items():
            refuse_choosing(node, self._nodes)
            self.value(name)
        outputs = [name for name, node in self._nodes.items() if node.type == "output_declaration"]
        return {name.removeprefix("output "): self.value(name) for name in outputs}

    def value(self, name: str) -> Value:
        if name not in self._nodes:
            return builtin(name, self.path.parent, self.environment)
        if name in self._begun:
            raise Wrong(f"{name} leads back to itself")
        if name not in self._values:
            self._begun.add(name)
            try:
                self._values[name] = self._declared(self._nodes[name])
            except Wrong as wrong:
                raise Wrong(f"{self.path.name}: {name}: {wrong}") from wrong
            finally:
                self._begun.discard(name)
        return self._values[name]

    def _declared(self, node: Node) -> Value:
        match node.type:
            case "parameter_declaration":
                return self._parameter(node)
            case "resource_declaration":
                return self._each(node, self._resource)
            case "module_declaration":
                return self._each(node, self._module)
            case "type_declaration":
                return re.findall(r"'([^']*)'", text(node))
            case "user_defined_function":
                return self._function(node)
            case _:
                return evaluate(inner(node)[-1], self.value)

    def _parameter(self, node: Node) -> Value:
        name = _name(node)
        if name in self.given:
            value = self.given[name]
        elif any(each.type == "=" for each in node.children):
            value = evaluate(inner(node)[-1], self.value)
        else:
            raise Wrong("no value is given")
        self._require(next(each for each in node.children if each.type == "type"), value)
        return value

    def _require(self, kind: Node, value: Value) -> None:
        """Where a type is a choice of words, the value is one of them."""
        said = text(kind)
        words = (
            self.value(said)
            if said in self._nodes and "=" in text(self._nodes[said])
            else re.findall(r"'([^']*)'", said)
        )
        if words and isinstance(value, str) and value not in words:
            raise Wrong(f"{value!r} is none of {', '.join(words)}")

    def _function(self, node: Node) -> Value:
        parameters = next(inner(each) for each in inner(node) if each.type == "parameters")
        body = inner(node)[-1]

        def outside(name: str) -> Value:
            if name in self._nodes and self._nodes[name].type != "user_defined_function":
                raise Wrong(f"a function does not see {name}")
            return self.value(name)

        def call(*values: Value) -> Value:
            words: dict[str, Value] = {}
            for parameter, value in zip(parameters, values, strict=True):
                word, kind = inner(parameter)
                self._require(kind, value)
                words[text(word)] = value
            return evaluate(body, bound(outside, words))

        return call

    def _each(self, node: Node, make: Any) -> Value:
        """One thing, or a list of them where the declaration is a loop; None where its condition is not met."""
        last = inner(node)[-1]
        if last.type == "for_statement":
            require_known(inner(last)[1], self._nodes)
            return [make(node, body, names) for names, body in loop(last, self.value)]
        if last.type == "if_statement":
            condition, last = inner(last)
            require_known(condition, self._nodes)
            if not evaluate(condition, self.value):
                return None
        return make(node, last, self.value)

    def _resource(self, node: Node, body: Node, names: Names) -> Thing:
        said = evaluate(body, names)
        kind, _, version = evaluate(next(each for each in inner(node) if each.type == "string"), names).partition("@")
        thing = Thing(kind, said["name"], said, version, parent=said.get("parent"), scope=said.get("scope"))
        thing.existing = any(each.type == "existing" for each in node.children)
        require_known(next(value for key, *_, value in map(inner, inner(body)) if text(key) == "name"), self._nodes)
        self.things.append(thing)
        return thing

    def _module(self, node: Node, body: Node, names: Names) -> Thing:
        said = evaluate(body, names)
        path = evaluate(next(each for each in inner(node) if each.type == "string"), names)
        file = Template(self.path.parent / path, said.get("params", {}), self.environment)
        thing = Thing("module", said["name"], said, outputs=file.run())
        self.things += [thing, *file.things]
        return thing

    def _imported(self) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for node in parsed(self.path).children:
            if node.type == "import_functionality":
                *words, file = inner(node)
                source = Template(self.path.parent / text(file).strip("'"), {}, {})
                if missing := {text(word) for word in words} - set(source._nodes):
                    raise Wrong(f"{text(file)} has no {', '.join(missing)}")
                found |= source._nodes
        return found


def plan(path: Path, environment: Mapping[str, str]) -> tuple[list[Thing], Mapping[str, Value]]:
    """All that a .bicepparam, or a .bicep that needs no parameters, speaks of; and its outputs. Raises Wrong."""
    given: dict[str, Value] = {}
    if path.suffix == ".bicepparam":
        source = re.sub(r"(?m)^param ", "var ", path.read_text())
        using = re.search(r"(?m)^using '(.+)'", source)
        if using is None:
            raise Wrong(f"{path.name} uses no .bicep")
        names = Template(path, {}, environment)
        nodes = [each for each in _parsed(source).children if each.type == "variable_declaration"]
        given = {_name(node): evaluate(inner(node)[-1], names.value) for node in nodes}
        path = path.parent / using[1]
    file = Template(path, given, environment)
    outputs = file.run()
    return file.things, outputs


def parsed(path: Path) -> Node:
    """Raises Wrong."""
    root = _parsed(read(path))
    if path.suffix == ".bicep" and root.has_error:
        wrong = next(each for each in everything(root) if each.type == "ERROR" or each.is_missing)
        raise Wrong(f"{path.name}: line {wrong.start_point[0] + 1}: this is not Bicep")
    return root


@cache
def _parsed(source: str) -> Node:
    return Parser(Language(tree_sitter_bicep.language())).parse(source.encode()).root_node


def _name(node: Node) -> str:
    return text(next(each for each in node.children if each.type == "identifier"))


if __name__ == "__main__":
    try:
        things, _ = plan(Path(sys.argv[1]), os.environ)
    except Wrong as wrong:
        sys.exit(str(wrong))
    for thing in filter(lambda each: each.made, things):
        sys.stdout.write(f"{thing.type}  {thing.path}{f'  on {thing.scope.path}' if thing.scope else ''}\n")

"""What is committed is what the code says, and is what the specifications ask for."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from schemathesis.specs.openapi.definitions import OPENAPI_31

from deploy.contracts.conversation import SERVICES, kinds
from deploy.contracts.files import ROOT, made, written
from libs.common.messages import Command
from localcloud import topology
from localcloud.topology import Topology
from tests.contracts.examples import example

# Of @asyncapi/specs 6.11.1 (Apache-2.0), as its authors publish it.
ASYNCAPI = Path(__file__).with_name("asyncapi-3.0.0.json.gz")


@pytest.fixture(scope="module")
def files() -> dict[str, Any]:
    return made()


@pytest.fixture(scope="module")
def store() -> Topology:
    return topology.load(ROOT / "deploy" / "topology.yaml")


def test_what_is_committed_is_what_the_code_says(files: dict[str, Any]) -> None:
    committed = {f"contracts/messages/{path.name}" for path in (ROOT / "contracts" / "messages").glob("*.json")}

    drifted = [path for path, content in files.items() if not same(ROOT / path, content)]

    assert drifted == [], "run: python -m deploy.contracts"
    assert committed <= files.keys(), "run: python -m deploy.contracts"


def same(path: Path, content: Any) -> bool:
    return path.exists() and path.read_text() == written(content)


@pytest.mark.parametrize("service", SERVICES)
def test_the_document_of_a_service_is_openapi(service: str, files: dict[str, Any]) -> None:
    document = files[f"services/{service}/openapi.json"]

    validator_for(OPENAPI_31)(OPENAPI_31).validate(document)
    names = [each["operationId"] for item in document["paths"].values() for each in item.values()]
    assert len(names) == len(set(names))
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("service", SERVICES)
def test_every_reference_and_link_leads_somewhere(service: str, files: dict[str, Any]) -> None:
    document = files[f"services/{service}/openapi.json"]
    names = {each["operationId"] for item in document["paths"].values() for each in item.values()}

    for ref in re.findall(r'"\$ref": "#/([^"]+)"', written(document)):
        found = document
        for step in ref.split("/"):
            found = found[step]
    linked = re.findall(r'"operationId": "(\w+)",\s+"parameters": {', written(document))
    assert linked and set(linked) <= names


def test_the_conversation_is_asyncapi(files: dict[str, Any]) -> None:
    schema = json.loads(gzip.decompress(ASYNCAPI.read_bytes()))

    jsonschema.Draft7Validator(schema).validate(files["contracts/asyncapi.json"])


def test_whoever_checks_asyncapi_sees_a_fault(files: dict[str, Any]) -> None:
    schema = json.loads(gzip.decompress(ASYNCAPI.read_bytes()))
    wrong = json.loads(written(files["contracts/asyncapi.json"]))
    wrong["operations"]["orders.tells"]["action"] = "shout"

    assert list(jsonschema.Draft7Validator(schema).iter_errors(wrong))


def test_every_reference_of_the_conversation_leads_somewhere(files: dict[str, Any]) -> None:
    document = files["contracts/asyncapi.json"]

    for ref in re.findall(r'"\$ref": "([^"]+)"', written(document)):
        if not ref.startswith("#/"):
            assert f"contracts/{ref}" in files
            continue
        found = document
        for step in ref.removeprefix("#/").split("/"):
            found = found[step]


def test_everybody_in_the_topology_is_in_the_conversation(files: dict[str, Any], store: Topology) -> None:
    operations = files["contracts/asyncapi.json"]["operations"]
    ours = {each.to.function for each in store.subscriptions if each.to.function and set(each.types) & kinds().keys()}

    assert {f"{name}.hears" for name in ours} <= operations.keys()
    assert {f"{service}.tells" for service in SERVICES} <= operations.keys()


def test_every_command_is_sent_by_somebody_and_taken_by_its_owner(files: dict[str, Any]) -> None:
    operations = files["contracts/asyncapi.json"]["operations"]
    sent = {ref for name, each in operations.items() if ".sends." in name for ref in names(each)}

    commands = {name for name, kind in kinds().items() if issubclass(kind, Command)}
    taken = {name: f"{kind.owner()}.hears" for name, kind in kinds().items() if name in commands}
    assert sent <= commands
    assert all(name in names(operations[hears]) for name, hears in taken.items())
    assert commands <= sent


def names(operation: dict[str, Any]) -> set[str]:
    return {each["$ref"].rpartition("/")[2] for each in operation["messages"]}


@pytest.mark.parametrize("name", kinds())
def test_what_is_told_is_valid_by_the_schema_that_is_published(name: str, files: dict[str, Any]) -> None:
    """The schema is read from the outside, the message is made by msgspec from the same class: both must agree."""
    schema = files[f"contracts/messages/{name}.json"]
    message = example(kinds()[name])

    registry = Registry().with_resource(schema["$id"], Resource.from_contents(schema))
    jsonschema.Draft202012Validator(schema, registry=registry).validate(msgspec.to_builtins(message))


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_says_what_its_door_can_answer(service: str) -> None:
    said = made()[f"services/{service}/openapi.json"]
    refusals = said["components"]["responses"]

    for path, item in said["paths"].items():
        for method, operation in item.items():
            answers = {
                status: refusals[each["$ref"].rpartition("/")[2]]
                for status, each in operation["responses"].items()
                if status >= "4"
            }
            needed = {"429", "503"} | ({"413", "415"} if "requestBody" in operation else set())
            assert needed <= answers.keys(), f"{method} {path}"
            for status in ("429", "503"):
                assert {"Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"} <= answers[status][
                    "headers"
                ].keys()

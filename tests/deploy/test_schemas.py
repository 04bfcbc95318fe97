"""Others' schemas are taken in as far as our files use them, and no further."""

import json
from pathlib import Path

import pytest

from deploy import schemas
from deploy.schemas.__main__ import extensions, plain, resource_types, scalers, used_kinds, used_types

pytestmark = pytest.mark.deploy


def test_there_is_a_type_for_each_of_azure_s_resources_and_none_that_nobody_uses() -> None:
    assert set(schemas.read("azure")) == used_types()


def test_there_is_a_schema_for_each_kind_of_an_extension_and_none_that_nobody_uses() -> None:
    assert set(schemas.read("extensions")) == used_kinds()


def test_of_a_resource_its_body_comes_first_with_all_that_it_refers_to(tmp_path: Path) -> None:
    types = [
        {"$type": "StringType"},
        {"$type": "IntegerType"},
        {"$type": "ObjectType", "properties": {"in": {"type": {"$ref": "#/2"}}, "size": {"type": {"$ref": "#/1"}}}},
        {"$type": "ResourceType", "name": "Some.Thing/box@2026-01-01", "body": {"$ref": "#/2"}},
    ]
    place = tmp_path / "generated/some/some.thing/2026-01-01"
    place.mkdir(parents=True)
    (place / "types.json").write_text(json.dumps(types))

    found = resource_types(tmp_path, ["Some.Thing/Box@2026-01-01"])

    box = {"in": {"type": {"$ref": "#/0"}}, "size": {"type": {"$ref": "#/1"}}}
    assert found == {
        "Some.Thing/Box@2026-01-01": [{"$type": "ObjectType", "properties": box}, {"$type": "IntegerType"}]
    }


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="Thing/box"):
        resource_types(tmp_path, ["Some.Thing/box@2026-01-01"])
    with pytest.raises(LookupError, match="v1 Box"):
        extensions(tmp_path, ["example.com/v1 Box"])


def test_prose_is_left_out_and_a_property_that_is_called_so_stays() -> None:
    told = {"description": "All about it.", "properties": {"description": {"type": "string", "title": "It"}}}

    assert plain(told) == {"properties": {"description": {"type": "string"}}}


def test_of_a_scaler_stay_the_keys_that_count() -> None:
    keys = [
        {"name": "b", "metadataVariableReadable": True},
        {"name": "a", "metadataVariableReadable": True},
        {"name": "old", "metadataVariableReadable": True, "deprecated": "gone"},
        {"name": "secret"},
    ]

    assert scalers({"scalers": [{"type": "x", "parameters": keys}]}) == {"x": ["a", "b"]}

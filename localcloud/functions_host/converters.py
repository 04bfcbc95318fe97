"""The binding converters that `azure-functions` ships, typed: between what the host has and what a function sees."""

import typing
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import azure.functions as func
from azure.functions.meta import Datum, InConverter, OutConverter

from localcloud.functions_host.bindings import Binding, ServiceBusTrigger

Metadata: TypeAlias = Mapping[str, Datum]


def _of(binding: Binding) -> Any:
    return func.get_binding_registry().get(binding.type)  # type: ignore[no-untyped-call]


def accepts(trigger: Binding, annotation: Any) -> bool:
    converter = cast(type[InConverter], _of(trigger))
    many = isinstance(trigger, ServiceBusTrigger) and trigger.cardinality == "MANY"
    kind = typing.get_origin(annotation) or annotation
    if not isinstance(kind, type) or many != (kind is not annotation):
        return False
    return bool(converter.check_input_type_annotation(annotation))


def produces(output: Binding, annotation: Any) -> bool:
    converter = cast(type[OutConverter], _of(output))
    return isinstance(annotation, type) and converter.check_output_type_annotation(annotation)


def decode(trigger: Binding, data: Datum, metadata: Metadata) -> Any:
    """What the function gets. Raises whatever the converter raises: in Azure the call fails with it, too."""
    return cast(type[InConverter], _of(trigger)).decode(data, trigger_metadata=metadata)


def encode(output: Binding, value: object) -> Datum | None:
    """Raises TypeError."""
    try:
        return cast(type[OutConverter], _of(output)).encode(value, expected_type=None)
    except NotImplementedError as error:
        raise TypeError(f"a {type(value).__name__} cannot go out through {output.name} ({output.type})") from error

"""Finds the functions of an app, and refuses at start what Azure would refuse when it indexes them."""

import importlib.util
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func
import msgspec
import structlog
from azure.functions.decorators.function_app import Function as Declared

from localcloud.functions_host import bindings, converters
from localcloud.functions_host.bindings import RETURN, Output, Retry, TimerTrigger, Trigger

log = structlog.get_logger()

MODULE = "function_app"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")


class Refused(Exception):
    """The app cannot run as it is written."""


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    call: Callable[..., Any]
    folder: Path
    trigger: Trigger
    outputs: Sequence[Output]
    wants_context: bool
    retry: Retry | None
    raw_bindings: Sequence[str]

    is_async: bool
    is_disabled: bool = False

    @property
    def returns(self) -> bool:
        return any(output.name == RETURN for output in self.outputs)


def load(folder: Path, environ: Mapping[str, str]) -> list[Function]:
    """Runs `function_app.py`. Raises Refused."""
    try:
        apps = [each for each in vars(_import(folder / f"{MODULE}.py")).values() if isinstance(each, func.FunctionApp)]
        if len(apps) != 1:
            raise Refused(f"{MODULE}.py must hold one FunctionApp, and holds {len(apps)}")
        declared = apps[0].get_functions()
    except ValueError as error:
        raise Refused(str(error)) from error
    return [_index(each, folder, environ) for each in declared]


def _import(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(MODULE, script)
    if not script.is_file() or spec is None or spec.loader is None:
        raise Refused(f"there is no {script}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a defect of the app, whatever it is
        raise Refused(f"{script.name} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _index(declared: Declared, folder: Path, environ: Mapping[str, str]) -> Function:
    name, call, raw = str(declared.get_function_name()), declared.get_user_function(), declared.get_raw_bindings()
    try:
        if not NAME.fullmatch(name):
            raise TypeError(
                "a name is a letter, and then up to 127 letters, digits, - and _; change @app.function_name"
            )
        bound = [bindings.decode(each, environ) for each in raw]
        function = Function(
            name=name,
            call=call,
            folder=folder,
            trigger=next(each for each in bound if isinstance(each, Trigger)),
            outputs=[each for each in bound if isinstance(each, Output)],
            wants_context=_wants_context(call, bound),
            retry=_retry(declared),
            raw_bindings=raw,
            is_async=inspect.iscoroutinefunction(call),
            is_disabled=_is_disabled(name, environ),
        )
        _check(function)
    except (msgspec.ValidationError, TypeError) as error:
        raise Refused(f"{name}: {error}") from error
    if function.retry and not isinstance(function.trigger, TimerTrigger):
        log.warning("retry.ignored", function=name, reason=f"Azure applies @app.retry to no {function.trigger.type}")
    return function


def _retry(declared: Declared) -> Retry | None:
    said = declared.get_settings_dict("retry_policy")
    return msgspec.convert(said, Retry, strict=False) if said else None


def _is_disabled(name: str, environ: Mapping[str, str]) -> bool:
    said = (environ.get(f"AzureWebJobs{mark}{name}{mark}Disabled", "") for mark in (".", "_", "__"))
    return any(each.lower() in ("true", "1") for each in said)


def _wants_context(call: Callable[..., Any], bound: Sequence[Trigger | Output]) -> bool:
    return "context" in inspect.signature(call).parameters and all(each.name != "context" for each in bound)


def _check(function: Function) -> None:
    """Raises TypeError where names or annotations of the parameters and the bindings differ."""
    bound = {each.name for each in (function.trigger, *function.outputs)} - {RETURN}
    parameters = set(inspect.signature(function.call).parameters) - ({"context"} if function.wants_context else set())
    if parameters != bound:
        unbound, missing = sorted(parameters - bound), sorted(bound - parameters)
        cure = "name each parameter as the arg_name of its binding"
        raise TypeError(f"parameters without a binding: {unbound}; bindings without a parameter: {missing}; {cure}")
    hints = typing.get_type_hints(function.call)
    trigger = function.trigger
    if trigger.name in hints and not converters.accepts(trigger, hints[trigger.name]):
        cure = (
            "a batch is a typing.List[func.ServiceBusMessage]" if hasattr(trigger, "cardinality") else "change either"
        )
        raise TypeError(f"{trigger.name} is annotated {hints[trigger.name]}, which is no {trigger.type}; {cure}")
    for output in function.outputs:
        _check_output(output, hints)


def _check_output(output: Output, hints: dict[str, Any]) -> None:
    if output.name == RETURN:
        hint = hints.get("return", str)
    else:
        hint = hints.get(output.name, func.Out[str])
        if typing.get_origin(hint) is not func.Out:
            raise TypeError(f"{output.name} is an output and must be annotated func.Out[…], not {hint}")
        (hint,) = typing.get_args(hint)
    if not converters.produces(output, hint):
        raise TypeError(f"{output.name} is annotated {hint}, which cannot go out as {output.type}")

"""An app that Azure would not index does not start here either, and says what is wrong."""

from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from localcloud.functions_host import host_json, indexing
from localcloud.functions_host.indexing import Refused

HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"
QUEUE = 'connection="ServiceBus", queue_name="q"'


def app(folder: Path, text: str, head: str = HEAD) -> Path:
    (folder / "function_app.py").write_text(head + dedent(text))
    return folder


BAD = {
    "parameters without a binding: ['evt']; bindings without a parameter: ['event']": """
        @app.event_grid_trigger(arg_name="event")
        def f(evt: func.CloudEvent) -> None: ...
    """,
    "bindings without a parameter: ['out']": f"""
        @app.event_grid_trigger(arg_name="event")
        @app.service_bus_queue_output(arg_name="out", {QUEUE})
        def f(event: func.CloudEvent) -> None: ...
    """,
    "which is no eventGridTrigger": """
        @app.event_grid_trigger(arg_name="event")
        def f(event: func.HttpRequest) -> None: ...
    """,
    "which is no serviceBusTrigger": f"""
        @app.service_bus_queue_trigger(arg_name="message", {QUEUE})
        def f(message: list[func.ServiceBusMessage]) -> None: ...
    """,
    "is an output and must be annotated func.Out": f"""
        @app.event_grid_trigger(arg_name="event")
        @app.service_bus_queue_output(arg_name="out", {QUEUE})
        def f(event: func.CloudEvent, out: str) -> None: ...
    """,
    "cannot go out as serviceBus": f"""
        @app.event_grid_trigger(arg_name="event")
        @app.service_bus_queue_output(arg_name="out", {QUEUE})
        def f(event: func.CloudEvent, out: func.Out[list[str]]) -> None: ...
    """,
    "cannot go out as http": """
        @app.route("r")
        def f(req: func.HttpRequest) -> int: ...
    """,
    "Invalid value 'queueTrigger'": """
        @app.queue_trigger(arg_name="message", queue_name="q", connection="Storage")
        def f(message: func.QueueMessage) -> None: ...
    """,
    "missing required field `queueName`": """
        @app.service_bus_topic_trigger(arg_name="m", topic_name="t", subscription_name="s", connection="ServiceBus")
        def f(m: func.ServiceBusMessage) -> None: ...
    """,
    "sessions are not served here": f"""
        @app.service_bus_queue_trigger(arg_name="m", {QUEUE}, is_sessions_enabled=True)
        def f(m: func.ServiceBusMessage) -> None: ...
    """,
    "is no NCRONTAB expression": """
        @app.timer_trigger(schedule="5 minutes", arg_name="timer")
        def f(timer: func.TimerRequest) -> None: ...
    """,
    "does not have a unique function name": """
        @app.route("a")
        def f(req: func.HttpRequest) -> str: ...
        @app.route("b")
        def f(req: func.HttpRequest) -> str: ...
    """,
    "does not have a trigger": f"""
        @app.service_bus_queue_output(arg_name="out", {QUEUE})
        def f(out: func.Out[str]) -> None: ...
    """,
    "must hold one FunctionApp, and holds 2": """
        other = func.FunctionApp()
    """,
}


@pytest.mark.parametrize("reason", BAD)
def test_a_mistake_is_refused_with_its_reason(reason: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        indexing.load(app(tmp_path, BAD[reason]))

    assert reason in str(refused.value)


def test_a_folder_without_an_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no"):
        indexing.load(tmp_path)


def test_parameters_need_no_annotations(tmp_path: Path) -> None:
    text = f"""
        @app.event_grid_trigger(arg_name="event")
        @app.service_bus_queue_output(arg_name="out", {QUEUE})
        def f(event, out, context): ...
    """

    (function,) = indexing.load(app(tmp_path, text))

    assert (function.name, function.wants_context, function.is_async) == ("f", True, False)


@pytest.mark.parametrize("text", ['{"version": "1.0"}', '{"version": "2.0", "functionTimeout": "-1"}', "{"])
def test_a_host_json_that_means_nothing_here_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(text)

    with pytest.raises(msgspec.DecodeError):
        host_json.read(tmp_path)


def test_host_json_is_read_as_azure_reads_it(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(
        '{"version": "2.0", "functionTimeout": "00:01:30", "logging": {}, '
        '"extensions": {"http": {"routePrefix": ""}, "serviceBus": {"maxConcurrentCalls": 3}}}'
    )

    read = host_json.read(tmp_path)

    assert read.function_timeout == "00:01:30"
    assert (read.extensions.http.route_prefix, read.extensions.service_bus.max_concurrent_calls) == ("", 3)

"""An app that Azure would not index does not start here either, and says what is wrong."""

from pathlib import Path
from textwrap import dedent

import msgspec
import pytest
from structlog.testing import capture_logs

from localcloud.functions_host import host_json, indexing
from localcloud.functions_host.bindings import TimerTrigger
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
    "f: it needs a queue_name, or else a topic_name and a subscription_name": """
        @app.service_bus_topic_trigger(arg_name="m", topic_name="t", subscription_name="", connection="ServiceBus")
        def f(m: func.ServiceBusMessage) -> None: ...
    """,
    "f: Object contains unknown field `bogus`": f"""
        @app.service_bus_queue_trigger(arg_name="m", {QUEUE}, bogus=1)
        def f(m: func.ServiceBusMessage) -> None: ...
    """,
    "f: m is annotated <class 'azure.functions._servicebus.ServiceBusMessage'>, which is no": f"""
        @app.service_bus_queue_trigger(arg_name="m", {QUEUE}, cardinality="many")
        def f(m: func.ServiceBusMessage) -> None: ...
    """,
    "A trigger was already registered": """
        @app.event_grid_trigger(arg_name="event")
        @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
        def f(event: func.CloudEvent) -> None: ...
    """,
    "f: '%WHEN%' does not resolve to a value; set WHEN": """
        @app.timer_trigger(schedule="%WHEN%", arg_name="timer")
        def f(timer: func.TimerRequest) -> None: ...
    """,
    "f: the schedule never comes": """
        @app.timer_trigger(schedule="0 0 0 30 2 *", arg_name="timer")
        def f(timer: func.TimerRequest) -> None: ...
    """,
    "f: the route a/{b is not understood": """
        @app.route("a/{b")
        def f(req: func.HttpRequest) -> str: ...
    """,
    "conflicts with one or more built in routes": """
        @app.route("admin/x")
        def f(req: func.HttpRequest) -> str: ...
    """,
    "say source=func.BlobSource.EVENT_GRID": """
        @app.blob_trigger(arg_name="blob", path="c/{name}", connection="Storage")
        def f(blob: func.InputStream) -> None: ...
    """,
    "change @app.function_name": """
        @app.function_name("f g")
        @app.route("a")
        def f(req: func.HttpRequest) -> str: ...
    """,
    "function_app.py cannot be imported: ZeroDivisionError": """
        1 / 0
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
        indexing.load(app(tmp_path, BAD[reason]), {})

    assert reason in str(refused.value)


def test_a_folder_without_an_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no"):
        indexing.load(tmp_path, {})


def test_parameters_need_no_annotations(tmp_path: Path) -> None:
    text = f"""
        @app.event_grid_trigger(arg_name="event")
        @app.service_bus_queue_output(arg_name="out", {QUEUE})
        def f(event, out, context): ...
    """

    (function,) = indexing.load(app(tmp_path, text), {})

    assert (function.name, function.wants_context, function.is_async) == ("f", True, False)


@pytest.mark.parametrize("text", ['{"version": "1.0"}', '{"version": "2.0", "functionTimeout": "-2"}', "{"])
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

    assert read.timeout == 90
    assert (read.extensions.http.route_prefix, read.extensions.service_bus.max_concurrent_calls) == ("", 3)


def test_settings_are_put_in_for_their_names(tmp_path: Path) -> None:
    text = """
        @app.timer_trigger(schedule="%WHEN%", arg_name="timer")
        def f(timer: func.TimerRequest) -> None: ...
    """

    (function,) = indexing.load(app(tmp_path, text), {"WHEN": "0 0 * * * *"})

    assert isinstance(function.trigger, TimerTrigger)
    assert function.trigger.schedule == "0 0 * * * *"


def test_a_retry_that_azure_would_not_apply_is_told(tmp_path: Path) -> None:
    text = """
        @app.event_grid_trigger(arg_name="event")
        @app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:01")
        def f(event: func.CloudEvent) -> None: ...
    """

    with capture_logs() as lines:
        indexing.load(app(tmp_path, text), {})

    assert [(line["event"], line["function"]) for line in lines] == [("retry.ignored", "f")]


def test_no_function_timeout_is_no_limit(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0", "functionTimeout": "-1"}')

    assert host_json.read(tmp_path).timeout is None


def test_local_settings_are_those_of_core_tools(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('{"IsEncrypted": false, "Values": {"A": "1"}, "Host": {}}')

    assert host_json.local_settings(tmp_path) == {"A": "1"}

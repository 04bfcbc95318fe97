"""A trigger on what the topology does not have, or has otherwise, is refused at start."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from localcloud import functions_keys, topology
from localcloud.functions_host import entities, indexing
from localcloud.functions_host.indexing import Function, Refused
from localcloud.topology import BusSubscription, BusTopic, Queue, Topology
from tests.localcloud.functions_host.test_host_process import process
from tests.localcloud.functions_host.test_host_sessions import APP as SESSION_APP
from tests.localcloud.functions_host.test_host_topics import APP as TOPIC_APP
from tests.localcloud.functions_host.test_host_topics import TOPICS

ORDERED = Queue(sessions=True)


@pytest.fixture
def known(store: Topology) -> Topology:
    queues = {"Steps": ORDERED, "batches": ORDERED}
    return msgspec.structs.replace(store, queues=queues, bus_topics=TOPICS, subscriptions=[])


def functions(app: Path) -> list[Function]:
    return indexing.load(app, {})


@pytest.mark.parametrize("app", [SESSION_APP, TOPIC_APP])
def test_an_app_that_fits_the_topology_is_taken(app: Path, known: Topology) -> None:
    entities.check(functions(app), known)


@pytest.mark.parametrize(
    ("app", "changed", "reason"),
    [
        (SESSION_APP, {"queues": {"batches": ORDERED}}, "take: there is no queue named steps; there is: batches"),
        (SESSION_APP, {"queues": {"steps": ORDERED}}, "take_many: there is no queue named batches; there is: steps"),
        (SESSION_APP, {"queues": {}}, "take: there is no queue named steps; there is: none"),
        (
            SESSION_APP,
            {"queues": {"steps": Queue(), "batches": ORDERED}},
            "take: steps has no sessions; leave out is_sessions_enabled",
        ),
        (
            TOPIC_APP,
            {"bus_topics": TOPICS | {"news": BusTopic(subscriptions={"urgent": BusSubscription(sessions=True)})}},
            "read_urgent: news/Subscriptions/urgent has sessions; say is_sessions_enabled=True",
        ),
        (
            TOPIC_APP,
            {"bus_topics": {"ordered": TOPICS["ordered"]}},
            "read_urgent: there is no topic named news; there is: ordered",
        ),
        (
            TOPIC_APP,
            {"bus_topics": TOPICS | {"news": BusTopic(subscriptions={"one": BusSubscription()})}},
            "read_urgent: there is no subscription of news named urgent; there is: one",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_there_is(
    app: Path, changed: dict[str, object], reason: str, known: Topology
) -> None:
    with pytest.raises(Refused) as refused:
        entities.check(functions(app), msgspec.structs.replace(known, **changed))

    assert str(refused.value) == reason


def test_dead_letters_of_what_has_sessions_have_none(known: Topology) -> None:
    (function, *_) = functions(SESSION_APP)
    dead = msgspec.structs.replace(function.trigger, queue_name="steps/$DeadLetterQueue")

    with pytest.raises(Refused, match="has no sessions"):
        entities.check([replace(function, trigger=dead)], known)


def test_an_output_to_nowhere_is_refused(known: Topology) -> None:
    sending = [each for each in functions(TOPIC_APP) if each.name == "publish"]

    with pytest.raises(Refused, match=r"publish: there is no queue or topic named news; there is: Steps, batches"):
        entities.check(sending, msgspec.structs.replace(known, bus_topics={}))


def test_what_is_disabled_may_name_what_is_not_there(known: Topology) -> None:
    disabled = [replace(each, is_disabled=True) for each in functions(SESSION_APP)]

    entities.check(disabled, msgspec.structs.replace(known, queues={}))


@pytest.mark.real
async def test_the_host_does_not_start_and_says_why(tmp_path: Path, topology_file: Path, free_port: int) -> None:
    functions_keys.ensure(tmp_path / "keys")
    told = ("--topology", str(topology_file))

    async with process(SESSION_APP, tmp_path / "keys", free_port, *told) as host:
        assert host.stderr
        said = await host.stderr.read()
        async with asyncio.timeout(5):
            assert await host.wait() == 1

    there = ", ".join(sorted(topology.load(topology_file).queues))
    assert f"there is no queue named steps; there is: {there}" in said.decode()

from collections import Counter
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from localcloud import topology
from localcloud.addresses import Addresses, Port
from localcloud.servicebus import rulebook
from localcloud.servicebus.filters import BadFilter
from localcloud.topology import Rule, Topology

STORAGE = "storage"  # the account's own topic, on which Azure tells


def test_subscriptions_name_topics_and_queues_that_exist(store: Topology) -> None:
    assert {each.topic for each in store.subscriptions} <= {*store.topics, STORAGE}
    assert {each.to.queue for each in store.subscriptions if each.to.queue} <= set(store.queues)


def test_a_subscription_has_one_name_and_one_destination(store: Topology) -> None:
    assert max(Counter(each.name for each in store.subscriptions).values()) == 1
    assert all((each.to.queue is None) != (each.to.function is None) for each in store.subscriptions)


def test_a_subscription_hears_only_what_its_topics_owner_tells(store: Topology) -> None:
    for subscription in store.subscriptions:
        owner = "Microsoft.Storage." if subscription.topic == STORAGE else f"store.{subscription.topic}."
        assert all(kind.startswith(owner) for kind in subscription.types)


def test_a_service_may_use_the_table_of_its_name_and_no_other(store: Topology) -> None:
    used = {
        name: [right.on for right in identity.rights if right.on.startswith("tables/")]
        for name, identity in store.identities.items()
    }

    assert used == {"functions": [], "operator": ["tables/*"]} | {name: [f"tables/{name}"] for name in store.tables}


def test_identities_differ_and_have_only_roles_that_the_api_has(store: Topology) -> None:
    assert len({each.client_id for each in store.identities.values()}) == len(store.identities)
    assert {role for each in store.identities.values() for role in each.app_roles} <= set(store.api.roles)


def test_routes_lead_somewhere(store: Topology) -> None:
    assert {each.to for each in store.routes} <= set(store.identities) | {"storage"}


@pytest.mark.parametrize("wrong", ["colour: red", "topics: 5"])
def test_a_wrong_field_is_named(tmp_path: Path, topology_file: Path, wrong: str) -> None:
    file, field = tmp_path / "topology.yaml", wrong.split(":", maxsplit=1)[0]
    lines = [line for line in topology_file.read_text().splitlines() if not line.startswith(f"{field}:")]
    file.write_text("\n".join([*lines, wrong]))

    with pytest.raises(msgspec.ValidationError, match=field):
        topology.load(file)


def test_topics_of_service_bus_can_be_said(tmp_path: Path, topology_file: Path) -> None:
    file = tmp_path / "topology.yaml"
    rule = '{sql: "n > @n", parameters: {"@n": 5}, action: "SET m = 1"}'
    said = f"bus_topics: {{news: {{subscriptions: {{all: {{}}, few: {{sessions: true, rules: {{r: {rule}}}}}}}}}}}"
    file.write_text(f"{topology_file.read_text()}\n{said}\n")

    news = topology.load(file).bus_topics["news"]

    assert news.subscriptions["all"].rules == {"$Default": Rule()}
    assert news.subscriptions["few"].sessions
    assert news.subscriptions["few"].rules["r"].parameters == {"@n": 5}


OTHERS = """
tenant: 0d8c1d0e-6f3b-4c7e-9f43-1b5b8ac5a001
namespace: shop
storage_account: shop
api: {client_id: 0d8c1d0e-6f3b-4c7e-9f43-1b5b8ac5a002, uri: "api://shop", roles: []}
identities: {}
"""
QUEUE, BELOW = "queues: {Orders: {%s}, Catalog: {}}", "bus_topics: {News: {subscriptions: {All: {%s}}}}"


@pytest.mark.parametrize(
    ("said", "what", "where"),
    [
        (QUEUE % "forward_to: Mirror", "no other queue or topic Mirror", "$.queues.Orders.forward_to"),
        (QUEUE % "forward_to: orders", "no other queue or topic orders", "$.queues.Orders.forward_to"),
        (QUEUE % "forward_dead_letters_to: Graves", "Graves", "$.queues.Orders.forward_dead_letters_to"),
        (QUEUE % "forward_to: Catalog, sessions: true", "has sessions", "$.queues.Orders.forward_to"),
        (BELOW % "forward_to: Mirror", "Mirror", "$.bus_topics.News.subscriptions.All.forward_to"),
        (BELOW % "}, all: {", "two subscriptions have the name all", "$.bus_topics.News"),
        ("queues: {catalog: {}}\nbus_topics: {Catalog: {}}", "two queues or topics have the name catalog", "$.queues"),
    ],
)
def test_what_leads_nowhere_is_refused_with_its_place(tmp_path: Path, said: str, what: str, where: str) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(OTHERS + said)

    with pytest.raises(msgspec.ValidationError) as refused:
        topology.load(file)

    assert what in str(refused.value)
    assert f"`{where}" in str(refused.value)


@pytest.mark.parametrize(
    ("role", "on"),
    [
        ("Azure Service Bus Data Sender", "topics/News"),
        ("Azure Service Bus Data Receiver", "queue/Orders"),
        ("EventGrid Data Sender", "bus-topics/News"),
        ("Key Vault Secrets User", "OrdersKey"),
    ],
)
def test_a_role_on_what_it_is_never_on_is_refused_with_its_place(tmp_path: Path, role: str, on: str) -> None:
    file = tmp_path / "topology.yaml"
    somebody = f'{{client_id: {UUID(int=1)}, rights: [{{role: {role}, "on": {on}}}]}}'
    file.write_text(OTHERS.replace("identities: {}", f"identities: {{Worker: {somebody}}}"))

    with pytest.raises(msgspec.ValidationError, match=rf"{role} is a right on .* not on {on} - at `\$\.identities"):
        topology.load(file)


def test_names_have_no_case_where_they_are_forwarded_to(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(f"{OTHERS}{QUEUE % 'forward_to: catalog'}\n{BELOW % 'forward_dead_letters_to: orders'}")

    assert topology.load(file).queues["Orders"].forward_to == "catalog"


@pytest.mark.parametrize("rule", ['sql: "a = = 1"', "correlation: {Colour: red}", 'action: "SET = 1"'])
def test_a_rule_that_is_none_is_refused_with_its_place(tmp_path: Path, rule: str) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(OTHERS + BELOW % f"rules: {{Good: {{sql: 'a = 1'}}, Red: {{{rule}}}}}")

    with pytest.raises(BadFilter, match=r"\$\.bus_topics\.News\.subscriptions\.All\.rules\.Red"):
        rulebook.check(topology.load(file).bus_topics)


def test_every_part_has_a_port_of_its_own() -> None:
    addresses = Addresses(9000)

    assert sorted(addresses.port(each) for each in Port) == list(range(9000, 9000 + len(Port)))
    assert addresses.url(Port.KEYVAULT) == "https://127.0.0.1:9009"
    assert addresses.url(Port.GATEWAY) == "http://127.0.0.1:9000"

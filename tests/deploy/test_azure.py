"""The platform and the apps in Azure: what the Bicep files come to is what the topology and the settings ask for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy import azure_app_rules, azure_bus_rules, azure_cluster_rules, azure_rules, azure_zone_rules
from tests.deploy.azure_bodies import bodies
from tests.deploy.azure_plans import PROJECT, Rule, Wrong, plan, told

pytestmark = pytest.mark.deploy

RULES: tuple[Rule, ...] = (
    azure_rules.types,
    bodies,
    azure_rules.plans,
    azure_rules.names,
    azure_rules.messaging,
    azure_bus_rules.topics,
    azure_rules.subscriptions,
    azure_rules.roles,
    azure_rules.keyless,
    azure_rules.alerts,
    azure_app_rules.settings,
    azure_app_rules.stores,
    azure_app_rules.apps,
    azure_app_rules.routes,
    azure_app_rules.azd,
    azure_cluster_rules.pods,
    azure_cluster_rules.calls,
    azure_zone_rules.network,
    azure_zone_rules.replicas,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_what_is_deployed_keeps_the_rule(rule: Rule) -> None:
    assert told(rule, PROJECT) == ""


SOURCE = """// What the test says.

param word ('a' | 'b') = 'a'
param many string[] = ['x', 'y']
var sizes = { x: 1, y: 2 }
func twice(text string) string => '${text}${text}'
resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = [for (name, i) in many: {
  name: '${twice(name)}${i}'
  properties: { size: sizes[name], rest: i == 0 ? 'first' : null }
}]
var apart = '${split('a b', ' ')[1]} ${many[0]}'
var right = account[1].properties.size == 2 && apart == 'b x'
output other string = account[1].properties.x ? 'a' : 'b'
output last string = right ? account[1].properties.primaryEndpoints.blob : word
"""
OTHER = "resource other 'Microsoft.Storage/storageAccounts@2025-06-01' = {{\n  name: {}\n}}\n"


def planned(tmp_path: Path, source: str) -> tuple[list[str], list[object]]:
    (tmp_path / "some.bicep").write_text(source)
    things, outputs = plan(tmp_path / "some.bicep", {})
    return [thing.name for thing in things], list(outputs.values())


def test_a_plan_has_what_a_file_would_make_and_what_only_azure_knows(tmp_path: Path) -> None:
    assert planned(tmp_path, SOURCE) == (
        ["xx0", "yy1"],
        ["<yy1.properties.x ? a : b>", "<yy1.properties.primaryEndpoints.blob>"],
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("= 'a'\n", "= 'c'\n", "'c' is none of a, b"),
        (" = 'a'\n", "\n", "no value is given"),
        ("sizes[name]", "sizes['z']", "z is not in"),
        ("account[1].properties.size", "account[2].properties.size", "is item 2 of 2"),
        ("in many:", "in account[0].properties.names:", "is known only later"),
        ("${twice(name)}", "${account[0].properties.id}", "leads back to itself"),
        ("'${text}${text}'", "'${word}'", "a function does not see word"),
        (
            "= account[1].properties.size == 2 &&",
            "= map(many, i => (account[length(i)].id)) == 2 &&",
            "inside a lambda",
        ),
        ("many string[] = ['x', 'y']", "many string[] = [string('x'), 'y']", "give"),
        ("twice(name)", "thrice(name)", "thrice does not exist"),
        ("sizes[name]", "length()", r"length\(\): "),
        ("in many:", "in word:", "word is no array"),
        ("'${twice(name)}${i}'", "'${null}${i}'", "is null"),
        ("{ x: 1, y: 2 }", "loadJsonContent('sizes.json')", "sizes.json is not there"),
        ("= 'a'\n", "= readEnvironmentVariable('NOBODY')\n", "NOBODY is not set"),
        ("output last", f"{OTHER.format('account[0].properties.x')}output last", "is known only later"),
        ("output last", f"var far = account[0].properties.x\n{OTHER.format('far')}output last", "is known only later"),
        ("output last", f"{OTHER.format('identity[0].id')}output last", "identity does not exist"),
    ],
    ids=lambda each: each[:25],
)
def test_a_plan_says_what_is_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SOURCE

    with pytest.raises(Wrong, match=said):
        planned(tmp_path, SOURCE.replace(old, new))


@pytest.mark.parametrize(
    ("environment", "status", "said"),
    [
        ({"AKS_ISSUER": "https://oidc.example.com"}, 0, "federatedIdentityCredentials  orders/aks\n"),
        ({}, 1, "AKS_ISSUER is not set\n"),
    ],
    ids=["set", "unset"],
)
def test_a_plan_is_shown_to_whoever_asks(environment: dict[str, str], status: int, said: str) -> None:
    command = [sys.executable, "-m", "deploy.azure.plan", "deploy/azure/aks.bicepparam"]

    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr

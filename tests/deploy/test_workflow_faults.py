"""Faults are put into a copy of the workflows, one at a time, to prove that each is seen."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.deploy import deployment_rules
from tests.deploy import workflow_rules as rules
from tests.deploy.pipeline import ROOT, Pipeline, Rule

pytestmark = pytest.mark.deploy

CHECKOUT = r"actions/checkout@[0-9a-f]{40} # v[\d.]+"

Fault = tuple[str, str, str, str]  # the file, what stands there, what is put there instead, and what is said of it
FAULTS: Mapping[Rule, list[Fault]] = {
    rules.every_action_is_pinned: [
        ("ci.yml", CHECKOUT, "actions/checkout@v6", "ci.yml: actions/checkout@v6 is not pinned"),
        ("infra.yml", CHECKOUT, "actions/checkout@de0fac2e # v6.0.2", "is not pinned by 40"),
        ("ci.yml", r"(actions/setup-python@[0-9a-f]{40}) # v[\d.]+", r"\1", "actions/setup-python@"),
        ("release.yml", CHECKOUT, f"actions/checkout@{'0' * 40} # v6.0.2", "pinned elsewhere to another commit"),
    ],
    rules.every_job_ends_in_time: [
        ("ci.yml", r"    timeout-minutes: 90\n", "", "ci.yml: test has no timeout-minutes"),
    ],
    rules.nobody_may_more_than_needed: [
        ("ci.yml", r"permissions:\n  contents: read", "permissions: write-all", "ci.yml: its permissions"),
        (
            "deploy-orders.yml",
            r"permissions:\n  contents: read\n\nconcurrency",
            "concurrency",
            "deploy-orders.yml: its permissions",
        ),
        ("deploy-service.yml", r"      contents: read", "      contents: write", "deploy may write ['contents']"),
        ("infra.yml", r"    environment: platform-plan\n", "", "what-if has an identity and no environment"),
        ("ci.yml", r"  check:\n", "  release:\n    permissions: {packages: write}\n", "release may write ['packages']"),
    ],
    rules.every_make_target_exists: [
        ("ci.yml", "make test PYTHON", "make tests PYTHON", "`make tests` is no target"),
    ],
    rules.every_file_that_is_named_exists: [
        ("ci.yml", r"scripts/image\.sh", "scripts/images.sh", "ci.yml: .github/scripts/images.sh does not exist"),
        (
            "deploy.sh",
            r"deploy/azure/\$service",
            "deploy/azure/apps/$service",
            "deploy.sh: deploy/azure/apps/catalog.bicep",
        ),
        ("deploy-orders.yml", "deploy-service.yml", "deploy-a-service.yml", "deploy-a-service.yml does not exist"),
    ],
    rules.every_path_filter_finds_something: [
        ("deploy-orders.yml", r"services/orders/\*\*", "service/orders/**", "nothing is at service/orders/**"),
    ],
    rules.ci_runs_on_every_change: [
        (
            "ci.yml",
            r"  pull_request:\n",
            "  pull_request:\n    paths: [services/**]\n",
            "pull_request has a path filter",
        ),
        (
            "ci.yml",
            r"    branches: \[main\]\n",
            "    branches: [main]\n    paths-ignore: [docs/**]\n",
            "push has a path filter",
        ),
        ("ci.yml", r"  merge_group:\n", "", "does not run on merge_group"),
    ],
    rules.ci_ok_waits_for_all: [
        (
            "ci.yml",
            r"needs: \[changes, check, test, images\]",
            "needs: [changes, check, images]",
            "ci-ok does not need test",
        ),
        ("ci.yml", r"    if: always\(\)\n", "", "ci-ok is skipped"),
        ("ci.yml", r"needs\.\*\.result", "github.job", "does not look at the results"),
    ],
    deployment_rules.each_service_is_deployed_by_its_own_workflow: [
        (
            "deploy-orders.yml",
            "environment: orders-prod",
            "environment: catalog-prod",
            "deploy-orders.yml: its environment",
        ),
        ("deploy-orders.yml", "service: orders", "service: catalog", "does not deploy orders"),
        ("deploy-orders.yml", "group: deploy-orders", "group: deploy-catalog", "two deployments of orders could meet"),
        (
            "deploy-gateway.yml",
            "cancel-in-progress: false",
            "cancel-in-progress: true",
            "two deployments of gateway could meet, or one be cut off",
        ),
        ("deploy-customers.yml", r"      - libs/\*\*\n", "", "its paths are not those of customers"),
        ("deploy-functions.yml", r"- functions/\*\*", "- services/orders/**", "its paths are not those of functions"),
        (
            "deploy-catalog.yml",
            r"branches: \[main\]",
            "branches: [main, 'feature/**']",
            "deploys something else than main",
        ),
    ],
    deployment_rules.a_deployment_has_the_identity_of_its_team: [
        (
            "deploy-service.yml",
            r"environment: \$\{\{ inputs.environment \}\}",
            "environment: prod",
            "does not run in the environment it is given",
        ),
        (
            "deploy-service.yml",
            r"client-id: \$\{\{ vars\.AZURE_CLIENT_ID",
            "creds: ${{ secrets.AZURE",
            "reads a secret",
        ),
        ("deploy-service.yml", r"    if: github.ref.*\n", "", "any branch could be deployed"),
    ],
    deployment_rules.what_a_template_reads_is_told: [
        (
            "deploy-service.yml",
            r"      API_CLIENT_ID: .*\n",
            "",
            "deploy does not tell catalog.bicepparam API_CLIENT_ID",
        ),
    ],
    deployment_rules.the_platform_is_shown_by_a_reader_and_changed_on_main: [
        ("infra.yml", "ProviderNoRbac", "Provider", "what-if wants rights that its identity does not have"),
        ("infra.yml", r" && github\.event\.pull_request\.head.*", "", "what-if gives a fork an identity"),
        ("infra.yml", "environment: platform-plan", "environment: platform-prod", "who may read and who may write"),
        ("infra.yml", r"    if: (.*) && github\.ref.*\n", r"    if: \1\n", "could change the platform from any branch"),
        ("infra.yml", r"  workflow_dispatch:\n", "", "nobody can have the platform provisioned again"),
    ],
    deployment_rules.what_nobody_says_is_the_same_for_azd: [
        (
            "infra.yml",
            r"vars\.PURGE_PROTECTION \|\| 'true'",
            "vars.PURGE_PROTECTION",
            "for PURGE_PROTECTION another default",
        ),
        (
            "infra.yml",
            r"vars\.CATALOG_ENGINE \|\| 'postgres'",
            "vars.CATALOG_ENGINE || 'tables'",
            "provision takes for CATALOG_ENGINE another default than main.bicepparam: 'postgres'",
        ),
        ("infra.yml", r": \"\$\{AZURE_PRINCIPAL_TYPE:\?.*\n", ":\n", "for AZURE_PRINCIPAL_TYPE another default"),
        (
            "deploy-service.yml",
            r"vars\.STAFF_LANGUAGE \|\| 'en'",
            "vars.STAFF_LANGUAGE",
            "for STAFF_LANGUAGE another default",
        ),
    ],
    deployment_rules.releases_are_of_each_deployable: [
        ("release.yml", r"      - gateway-v\*\n", "", "its tags are not one for each"),
        ("folder.sh", 'echo "deploy/gateway"', 'echo "gateway"', "gateway is not in deploy/gateway"),
    ],
    rules.scripts_stop_at_the_first_fault: [
        ("build.sh", r"set -euo pipefail\n", "", "build.sh: goes on after a fault"),
    ],
    rules.actionlint: [
        ("ci.yml", r"needs: \[changes\]", "needs: [change]", "change"),
        (
            "ci.yml",
            r"fromJSON\(needs.changes.outputs.deployables\)",
            "fromJSON(needs.changes.outputs.services)",
            "services",
        ),
        ("deploy-service.yml", r'build\.sh "\$SERVICE"', "build.sh $SERVICE", "SC2086"),
    ],
    rules.zizmor: [
        ("deploy-service.yml", r'deploy\.sh "\$SERVICE"', "deploy.sh ${{ inputs.service }}", "template-injection"),
        ("infra.yml", "pull_request:", "pull_request_target:", "dangerous-triggers"),
    ],
    rules.no_token_stays_in_a_checkout: [
        ("ci.yml", r"          persist-credentials: false\n", "", "ci.yml: changes leaves its token"),
    ],
    rules.schema: [
        ("release.yml", r"on:\n  push:", "on:\n  pushed:", "pushed"),
        ("dependabot.yml", "interval: weekly", "interval: fortnightly", "fortnightly"),
    ],
    rules.shellcheck: [
        ("tag.sh", r'version="\$\{tag', 'versions="${tag', "SC2154"),
    ],
    rules.a_pipe_fails_where_one_of_its_commands_does: [
        ("release.yml", r"    shell: bash.*\n", "    working-directory: .\n", "release.yml: its steps go on"),
    ],
    deployment_rules.whatever_an_image_takes_in_deploys_it: [
        ("deploy-gateway.yml", r"      - deploy/topology.yaml\n", "", "deploy/topology.yaml is in the image"),
    ],
    deployment_rules.each_team_owns_what_is_its_own: [
        (
            "CODEOWNERS",
            r"(/services/orders/ +)@store/orders-team",
            r"\1@store/catalog-team",
            "/services/orders/ does not belong to orders-team",
        ),
        ("CODEOWNERS", r"/deploy/k8s/aca/functions.yaml .*\n", "", "/deploy/k8s/aca/functions.yaml does not"),
        ("CODEOWNERS", r"(?s)(\* +@store/platform-team\n)(.*)", r"\2\1", "does not come first"),
    ],
}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    return Pipeline(tmp_path / ".github")


@pytest.mark.parametrize(
    ("rule", "fault"), [pytest.param(rule, fault, id=fault[3]) for rule, faults in FAULTS.items() for fault in faults]
)
def test_the_fault_is_seen(pipeline: Pipeline, rule: Rule, fault: Fault) -> None:
    file, right, wrong, said = fault
    before = set(rule(pipeline))
    change(next(pipeline.folder.rglob(file)), right, wrong)

    told = [each for each in rule(pipeline) if each not in before]

    assert any(said in each for each in told), told


def change(path: Path, right: str, wrong: str) -> None:
    text, count = re.subn(right, wrong, path.read_text())
    assert count, f"{right} is not in {path.name}: this fault tests nothing any more"
    path.write_text(text)


def test_a_script_that_can_t_be_executed_is_seen(pipeline: Pipeline) -> None:
    (pipeline.folder / "scripts" / "tag.sh").chmod(0o644)

    assert list(rules.scripts_stop_at_the_first_fault(pipeline)) == ["tag.sh: can't be executed"]


def test_a_service_without_a_workflow_is_seen(pipeline: Pipeline) -> None:
    (pipeline.folder / "workflows" / "deploy-orders.yml").unlink()

    assert "deploy-orders.yml: does not deploy orders" in list(
        deployment_rules.each_service_is_deployed_by_its_own_workflow(pipeline)
    )


def test_every_rule_has_a_fault_that_it_sees() -> None:
    assert set(rules.RULES) - set(FAULTS) == set()

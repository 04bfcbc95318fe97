"""Faults are put into a copy of the workflows, one at a time, to prove that each is seen."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy import workflow_rules as rules
from tests.deploy.workflow_rules import ROOT, Pipeline, Rule

pytestmark = pytest.mark.deploy

CHECKOUT = r"actions/checkout@[0-9a-f]{40} # v[\d.]+"
Edit = tuple[str, str]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    return Pipeline(tmp_path / ".github")


@pytest.mark.parametrize(
    ("rule", "file", "edit", "said"),
    [
        pytest.param(rule, file, edit, said, id=name)
        for name, rule, file, edit, said in [
            (
                "an action by its tag",
                rules.every_action_is_pinned,
                "workflows/ci.yml",
                (CHECKOUT, "actions/checkout@v6"),
                "ci.yml: actions/checkout@v6 is not pinned",
            ),
            (
                "a short hash",
                rules.every_action_is_pinned,
                "workflows/infra.yml",
                (CHECKOUT, "actions/checkout@de0fac2e # v6.0.2"),
                "is not pinned by 40",
            ),
            (
                "a hash without its version",
                rules.every_action_is_pinned,
                "workflows/ci.yml",
                (r"(actions/setup-python@[0-9a-f]{40}) # v[\d.]+", r"\1"),
                "actions/setup-python@",
            ),
            (
                "one action at two commits",
                rules.every_action_is_pinned,
                "workflows/release.yml",
                (CHECKOUT, f"actions/checkout@{'0' * 40} # v6.0.2"),
                "pinned elsewhere to another commit",
            ),
            (
                "a job without an end",
                rules.every_job_ends_in_time,
                "workflows/ci.yml",
                (r"    timeout-minutes: 90\n", ""),
                "ci.yml: test has no timeout-minutes",
            ),
            (
                "all rights for a workflow",
                rules.nobody_may_more_than_needed,
                "workflows/ci.yml",
                (r"permissions:\n  contents: read", "permissions: write-all"),
                "ci.yml: its permissions",
            ),
            (
                "no word about rights",
                rules.nobody_may_more_than_needed,
                "workflows/deploy-orders.yml",
                (r"permissions:\n  contents: read\n\nconcurrency", "concurrency"),
                "deploy-orders.yml: its permissions",
            ),
            (
                "a job that may write code",
                rules.nobody_may_more_than_needed,
                "workflows/deploy-service.yml",
                (r"      contents: read", "      contents: write"),
                "deploy may write ['contents']",
            ),
            (
                "an identity outside every environment",
                rules.nobody_may_more_than_needed,
                "workflows/infra.yml",
                (r"    environment: platform-plan\n", ""),
                "what-if has an identity and no environment",
            ),
            (
                "a make target that is gone",
                rules.every_make_target_exists,
                "workflows/ci.yml",
                ("make test PYTHON", "make tests PYTHON"),
                "`make tests` is no target",
            ),
            (
                "a script that is gone",
                rules.every_file_that_is_named_exists,
                "workflows/ci.yml",
                (r"scripts/image\.sh", "scripts/images.sh"),
                "ci.yml: .github/scripts/images.sh does not exist",
            ),
            (
                "a template that is gone",
                rules.every_file_that_is_named_exists,
                "scripts/deploy.sh",
                (r"deploy/azure/\$service", "deploy/azure/apps/$service"),
                "deploy.sh: deploy/azure/apps/catalog.bicep",
            ),
            (
                "a called workflow that is gone",
                rules.every_file_that_is_named_exists,
                "workflows/deploy-orders.yml",
                ("deploy-service.yml", "deploy-a-service.yml"),
                "deploy-a-service.yml does not exist",
            ),
            (
                "a path filter that finds nothing",
                rules.every_path_filter_finds_something,
                "workflows/deploy-orders.yml",
                (r"services/orders/\*\*", "service/orders/**"),
                "nothing is at service/orders/**",
            ),
            (
                "a path filter in ci",
                rules.ci_runs_on_every_change,
                "workflows/ci.yml",
                (r"  pull_request:\n", "  pull_request:\n    paths: [services/**]\n"),
                "pull_request has a path filter",
            ),
            (
                "paths that ci ignores",
                rules.ci_runs_on_every_change,
                "workflows/ci.yml",
                (r"    branches: \[main\]\n", "    branches: [main]\n    paths-ignore: [docs/**]\n"),
                "push has a path filter",
            ),
            (
                "no ci in the merge queue",
                rules.ci_runs_on_every_change,
                "workflows/ci.yml",
                (r"  merge_group:\n", ""),
                "does not run on merge_group",
            ),
            (
                "a job that ci-ok forgets",
                rules.ci_ok_waits_for_all,
                "workflows/ci.yml",
                (r"needs: \[changes, check, test, images\]", "needs: [changes, check, images]"),
                "ci-ok does not need test",
            ),
            (
                "a ci-ok that is skipped",
                rules.ci_ok_waits_for_all,
                "workflows/ci.yml",
                (r"    if: always\(\)\n", ""),
                "ci-ok is skipped",
            ),
            (
                "a ci-ok that looks at nothing",
                rules.ci_ok_waits_for_all,
                "workflows/ci.yml",
                (r"needs\.\*\.result", "github.job"),
                "does not look at the results",
            ),
            (
                "another team's environment",
                rules.each_service_is_deployed_by_its_own_workflow,
                "workflows/deploy-orders.yml",
                ("environment: orders-prod", "environment: catalog-prod"),
                "deploy-orders.yml: its environment",
            ),
            (
                "another team's service",
                rules.each_service_is_deployed_by_its_own_workflow,
                "workflows/deploy-orders.yml",
                ("service: orders", "service: catalog"),
                "does not deploy orders",
            ),
            (
                "another team's turn",
                rules.each_service_is_deployed_by_its_own_workflow,
                "workflows/deploy-orders.yml",
                ("group: deploy-orders", "group: deploy-catalog"),
                "two deployments of orders could meet",
            ),
            (
                "a deployment that is cut off",
                rules.each_service_is_deployed_by_its_own_workflow,
                "workflows/deploy-gateway.yml",
                ("cancel-in-progress: false", "cancel-in-progress: true"),
                "two deployments of gateway could meet, or one be cut off",
            ),
            (
                "a deployment that libs do not set off",
                rules.each_service_is_deployed_by_its_own_workflow,
                "workflows/deploy-customers.yml",
                (r"      - libs/\*\*\n", ""),
                "its paths are not those of customers",
            ),
            (
                "another team's folder",
                rules.each_service_is_deployed_by_its_own_workflow,
                "workflows/deploy-functions.yml",
                (r"- functions/\*\*", "- services/orders/**"),
                "its paths are not those of functions",
            ),
            (
                "a deployment from any branch",
                rules.each_service_is_deployed_by_its_own_workflow,
                "workflows/deploy-catalog.yml",
                (r"branches: \[main\]", "branches: [main, 'feature/**']"),
                "deploys something else than main",
            ),
            (
                "one environment for all teams",
                rules.a_deployment_has_the_identity_of_its_team,
                "workflows/deploy-service.yml",
                (r"environment: \$\{\{ inputs.environment \}\}", "environment: prod"),
                "does not run in the environment it is given",
            ),
            (
                "a password for Azure",
                rules.a_deployment_has_the_identity_of_its_team,
                "workflows/deploy-service.yml",
                (r"client-id: \$\{\{ vars\.AZURE_CLIENT_ID", "creds: ${{ secrets.AZURE"),
                "reads a secret",
            ),
            (
                "a template that is not told what it reads",
                rules.what_a_template_reads_is_told,
                "workflows/deploy-service.yml",
                (r"      API_CLIENT_ID: .*\n", ""),
                "deploy does not tell catalog.bicepparam API_CLIENT_ID",
            ),
            (
                "a deployable that is never released",
                rules.releases_are_of_each_deployable,
                "workflows/release.yml",
                (r"      - gateway-v\*\n", ""),
                "its tags are not one for each",
            ),
            (
                "a folder that moved",
                rules.releases_are_of_each_deployable,
                "scripts/folder.sh",
                ('echo "deploy/gateway"', 'echo "gateway"'),
                "gateway is not in deploy/gateway",
            ),
            (
                "a script that goes on",
                rules.scripts_stop_at_the_first_fault,
                "scripts/build.sh",
                (r"set -euo pipefail\n", ""),
                "build.sh: goes on after a fault",
            ),
            (
                "a need that is no job",
                rules.actionlint,
                "workflows/ci.yml",
                (r"needs: \[changes\]", "needs: [change]"),
                "change",
            ),
            (
                "an output that is not there",
                rules.actionlint,
                "workflows/ci.yml",
                (r"fromJSON\(needs.changes.outputs.deployables\)", "fromJSON(needs.changes.outputs.services)"),
                "services",
            ),
            (
                "a script with an unquoted word",
                rules.actionlint,
                "workflows/deploy-service.yml",
                (r'build\.sh "\$SERVICE"', "build.sh $SERVICE"),
                "SC2086",
            ),
            (
                "an input that becomes a command",
                rules.zizmor,
                "workflows/deploy-service.yml",
                (r'deploy\.sh "\$SERVICE"', "deploy.sh ${{ inputs.service }}"),
                "template-injection",
            ),
            (
                "a token that stays in the checkout",
                rules.no_token_stays_in_a_checkout,
                "workflows/ci.yml",
                (r"          persist-credentials: false\n", ""),
                "ci.yml: changes leaves its token",
            ),
            (
                "a stranger's code with our rights",
                rules.zizmor,
                "workflows/infra.yml",
                ("pull_request:", "pull_request_target:"),
                "dangerous-triggers",
            ),
            (
                "an event that does not exist",
                rules.schema,
                "workflows/release.yml",
                (r"on:\n  push:", "on:\n  pushed:"),
                "pushed",
            ),
            (
                "a wrong word in dependabot's file",
                rules.schema,
                "dependabot.yml",
                ("interval: weekly", "interval: fortnightly"),
                "fortnightly",
            ),
            (
                "a variable that is never set",
                rules.shellcheck,
                "scripts/tag.sh",
                (r'version="\$\{tag', 'versions="${tag'),
                "SC2154",
            ),
        ]
    ],
)
def test_the_fault_is_seen(pipeline: Pipeline, rule: Rule, file: str, edit: Edit, said: str) -> None:
    before = set(rule(pipeline))
    change(pipeline.folder / file, edit)

    told = [fault for fault in rule(pipeline) if fault not in before]

    assert any(said in fault for fault in told), told


def change(path: Path, edit: Edit) -> None:
    text, count = re.subn(*edit, path.read_text())
    assert count, f"{edit[0]} is not in {path.name}: this fault tests nothing any more"
    path.write_text(text)


def test_a_script_that_can_t_be_executed_is_seen(pipeline: Pipeline) -> None:
    (pipeline.folder / "scripts" / "tag.sh").chmod(0o644)

    assert list(rules.scripts_stop_at_the_first_fault(pipeline)) == ["tag.sh: can't be executed"]


def test_a_service_without_a_workflow_is_seen(pipeline: Pipeline) -> None:
    (pipeline.folder / "workflows" / "deploy-orders.yml").unlink()

    assert "deploy-orders.yml: does not deploy orders" in list(
        rules.each_service_is_deployed_by_its_own_workflow(pipeline)
    )


def test_every_rule_has_a_fault_that_it_sees() -> None:
    (table,) = [mark for mark in vars(test_the_fault_is_seen)["pytestmark"] if mark.name == "parametrize"]

    seen: set[Callable[..., object]] = {case.values[0] for case in table.args[1]}
    assert set(rules.RULES) - seen == set()

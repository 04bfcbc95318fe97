"""What every workflow must keep to beside what the linters know: each rule tells its faults, one line each."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.deploy import deployment_rules
from tests.deploy.pipeline import DEPLOYED, Job, Pipeline, Rule, run

TOOLS = Path(sys.executable).parent
RELEASES = {"contents", "packages", "attestations", "id-token"}


# --- what every workflow keeps to ------------------------------------------------------------------------------------


def every_action_is_pinned(pipeline: Pipeline) -> Iterator[str]:
    seen: dict[str, str] = {}
    for workflow in pipeline.workflows():
        for line in re.findall(r"^[ -]*uses: *(.+)$", workflow.text, re.MULTILINE):
            if line.startswith("./"):
                continue
            if not (pin := re.fullmatch(r"([\w./-]+)@([0-9a-f]{40} # v\d[\w.]*)", line)):
                yield f"{workflow.name}: {line} is not pinned by 40 hexadecimal digits with its version as a comment"
            elif seen.setdefault(pin[1], pin[2]) != pin[2]:
                yield f"{workflow.name}: {pin[1]} is pinned elsewhere to another commit"


def every_job_ends_in_time(pipeline: Pipeline) -> Iterator[str]:
    for workflow in pipeline.workflows():
        for name, job in workflow.jobs.items():  # a job that calls a workflow may not have a limit of its own
            if "uses" not in job and not isinstance(job.get("timeout-minutes"), int):
                yield f"{workflow.name}: {name} has no timeout-minutes"


def nobody_may_more_than_needed(pipeline: Pipeline) -> Iterator[str]:
    for workflow in pipeline.workflows():
        if workflow.document.get("permissions") != {"contents": "read"}:
            yield f"{workflow.name}: its permissions are not `contents: read`"
        for name, job in workflow.jobs.items():
            wide = {right for right, level in _permissions(job).items() if level == "write"}
            allowed = RELEASES if workflow.name == "release.yml" else {"id-token"}
            if wide - allowed:
                yield f"{workflow.name}: {name} may write {sorted(wide - allowed)}"
            if "id-token" in wide and "environment" not in (job | job.get("with", {})):
                yield f"{workflow.name}: {name} has an identity and no environment"


def _permissions(job: Job) -> dict[str, str]:
    given = job.get("permissions") or {}
    return given if isinstance(given, dict) else {"everything": "write"}


def a_pipe_fails_where_one_of_its_commands_does(pipeline: Pipeline) -> Iterator[str]:
    """GitHub's own choice is `bash -e`; only whoever asks for bash gets `pipefail` as well."""
    for workflow in pipeline.workflows():
        shell = ((workflow.document.get("defaults") or {}).get("run") or {}).get("shell")
        if shell != "bash" and any(workflow.commands()):
            yield f"{workflow.name}: its steps go on where a command before a pipe fails"


def no_token_stays_in_a_checkout(pipeline: Pipeline) -> Iterator[str]:
    for workflow in pipeline.workflows():
        for name, job in workflow.jobs.items():
            for step in job.get("steps", ()):
                given = step.get("with") or {}
                if "actions/checkout@" in step.get("uses", "") and given.get("persist-credentials") is not False:
                    yield f"{workflow.name}: {name} leaves its token in the checkout"


def every_make_target_exists(pipeline: Pipeline) -> Iterator[str]:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (pipeline.project / "Makefile").read_text(), re.MULTILINE))
    for workflow in pipeline.workflows():
        for target in re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(workflow.commands())):
            if target not in targets:
                yield f"{workflow.name}: `make {target}` is no target of the Makefile"


def every_file_that_is_named_exists(pipeline: Pipeline) -> Iterator[str]:
    said = {script.name: script.read_text() for script in pipeline.scripts()}
    for workflow in pipeline.workflows():
        called = [job["uses"] for job in workflow.jobs.values() if "uses" in job]
        said[workflow.name] = "\n".join([*workflow.commands(), *called])
    for name, text in said.items():
        yield from (f"{name}: {path} does not exist" for path in _paths(text) if not _exists(pipeline, path))


def _paths(said: str) -> list[str]:
    """Files of ours in a command. `$service` in one stands for each service that is deployed."""
    found = re.findall(r"(?:\.github|deploy|docs|functions|libs|localcloud|services)/[\w./$-]*\.\w+", said)
    return sorted({path.replace("$service", name) for path in found for name in DEPLOYED})


def _exists(pipeline: Pipeline, path: str) -> bool:
    inside = path.removeprefix(".github/")
    return (pipeline.folder / inside if inside != path else pipeline.project / path).exists()


def every_path_filter_finds_something(pipeline: Pipeline) -> Iterator[str]:
    for workflow in pipeline.workflows():
        for event in workflow.triggers.values() if isinstance(workflow.triggers, dict) else ():
            for pattern in (event or {}).get("paths", ()):
                base = pipeline.folder.parent if pattern.startswith(".github/") else pipeline.project
                if not any(base.glob(pattern)):
                    yield f"{workflow.name}: nothing is at {pattern}"


# --- ci.yml ----------------------------------------------------------------------------------------------------------


def ci_runs_on_every_change(pipeline: Pipeline) -> Iterator[str]:
    triggers = pipeline.workflow("ci.yml").triggers
    if missing := {"pull_request", "merge_group", "push"} - set(triggers):
        yield f"ci.yml: does not run on {', '.join(sorted(missing))}"
    for event, filters in triggers.items():
        if set(filters or {}) & {"paths", "paths-ignore"}:
            yield f"ci.yml: {event} has a path filter; what is filtered out stays pending for ever"


def ci_ok_waits_for_all(pipeline: Pipeline) -> Iterator[str]:
    jobs = pipeline.workflow("ci.yml").jobs
    last = jobs.get("ci-ok", {})
    if missing := set(jobs) - set(last.get("needs", ())) - {"ci-ok"}:
        yield f"ci.yml: ci-ok does not need {', '.join(sorted(missing))}"
    if last.get("if") != "always()":
        yield "ci.yml: ci-ok is skipped, which counts as passed, where a job before it fails"
    if not any("needs.*.result" in str(step.get("env")) for step in last.get("steps", ())):
        yield "ci.yml: ci-ok does not look at the results"


def scripts_stop_at_the_first_fault(pipeline: Pipeline) -> Iterator[str]:
    for script in pipeline.scripts():
        if "set -euo pipefail" not in script.read_text():
            yield f"{script.name}: goes on after a fault"
        if not script.stat().st_mode & 0o100:
            yield f"{script.name}: can't be executed"


# --- other people's linters ------------------------------------------------------------------------------------------


def actionlint(pipeline: Pipeline) -> Iterator[str]:
    files = sorted((pipeline.folder / "workflows").glob("*.yml"))
    yield from _said(
        "actionlint", "-shellcheck", TOOLS / "shellcheck", "-pyflakes", "", "-oneline", "-no-color", *files
    )


def zizmor(pipeline: Pipeline) -> Iterator[str]:
    yield from _said("zizmor", "--offline", "--quiet", "--no-progress", "--format=plain", pipeline.folder)


def schema(pipeline: Pipeline) -> Iterator[str]:
    files = sorted((pipeline.folder / "workflows").glob("*.yml"))
    yield from _said("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    yield from _said("check-jsonschema", "--builtin-schema", "vendor.dependabot", pipeline.folder / "dependabot.yml")


def shellcheck(pipeline: Pipeline) -> Iterator[str]:
    yield from _said("shellcheck", "--format=gcc", *pipeline.scripts())


def _said(tool: str, *words: str | Path) -> Iterator[str]:
    done = run(TOOLS / tool, *words)
    if done.returncode:
        yield f"{tool}: {done.stdout}{done.stderr}"


RULES: tuple[Rule, ...] = (
    *deployment_rules.RULES,
    every_action_is_pinned,
    every_job_ends_in_time,
    nobody_may_more_than_needed,
    a_pipe_fails_where_one_of_its_commands_does,
    no_token_stays_in_a_checkout,
    every_make_target_exists,
    every_file_that_is_named_exists,
    every_path_filter_finds_something,
    ci_runs_on_every_change,
    ci_ok_waits_for_all,
    scripts_stop_at_the_first_fault,
    actionlint,
    zizmor,
    schema,
    shellcheck,
)

"""What the workflows must keep to beside what the linters know: each rule tells its faults, one line each."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.affected import FOLDERS, own_paths

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
LONGEST_SECONDS = 60

# What an image is made of beside its own folder; the gateway's is filled in by the local cloud's code.
SHARED = {name: {"libs/**", "uv.lock"} for name in ("catalog", "orders", "customers", "functions")} | {
    "gateway": {"localcloud/**", "uv.lock", "deploy/topology.yaml"}
}
DEPLOYED = tuple(SHARED)

Job = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workflow:
    name: str
    text: str

    @property
    def document(self) -> dict[str, Any]:
        return yaml.safe_load(self.text) or {}

    @property
    def triggers(self) -> dict[str, Any]:
        # To YAML 1.1 the key `on` is the truth.
        return self.document.get(True) or {}  # type: ignore[call-overload]

    @property
    def jobs(self) -> dict[str, Job]:
        return self.document.get("jobs") or {}

    def commands(self) -> Iterator[str]:
        for job in self.jobs.values():
            yield from (step["run"] for step in job.get("steps", ()) if "run" in step)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A folder `.github`, and the project whose files it names."""

    folder: Path
    project: Path = ROOT

    def workflows(self) -> list[Workflow]:
        return [Workflow(path.name, path.read_text()) for path in sorted((self.folder / "workflows").glob("*.y*ml"))]

    def workflow(self, name: str) -> Workflow:
        path = self.folder / "workflows" / name
        return Workflow(name, path.read_text() if path.exists() else "")

    def scripts(self) -> list[Path]:
        return sorted((self.folder / "scripts").glob("*.sh"))


Rule = Callable[[Pipeline], Iterator[str]]


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
            allowed = {"contents", "packages", "attestations", "id-token"} if name == "release" else {"id-token"}
            if wide - allowed:
                yield f"{workflow.name}: {name} may write {sorted(wide - allowed)}"
            if "id-token" in wide and "environment" not in (job | job.get("with", {})):
                yield f"{workflow.name}: {name} has an identity and no environment"


def _permissions(job: Job) -> dict[str, str]:
    given = job.get("permissions") or {}
    return given if isinstance(given, dict) else {"everything": "write"}


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


# --- a team deploys alone --------------------------------------------------------------------------------------------


def each_service_is_deployed_by_its_own_workflow(pipeline: Pipeline) -> Iterator[str]:
    for name in DEPLOYED:
        workflow = pipeline.workflow(f"deploy-{name}.yml")
        job = workflow.jobs.get("deploy", {})
        given = job.get("with", {})
        if job.get("uses") != "./.github/workflows/deploy-service.yml" or given.get("service") != name:
            yield f"{workflow.name}: does not deploy {name}"
        if given.get("environment") != f"{name}-prod":
            yield f"{workflow.name}: its environment, and with it the identity, is not {name}-prod"
        if workflow.document.get("concurrency") != {"group": f"deploy-{name}", "cancel-in-progress": False}:
            yield f"{workflow.name}: two deployments of {name} could meet, or one be cut off"
        push = workflow.triggers.get("push") or {}
        if push.get("branches") != ["main"] or push.get("tags"):
            yield f"{workflow.name}: deploys something else than main"
        if set(push.get("paths", ())) != {*own_paths(name), *SHARED[name]}:
            yield f"{workflow.name}: its paths are not those of {name}"


def a_deployment_has_the_identity_of_its_team(pipeline: Pipeline) -> Iterator[str]:
    job = pipeline.workflow("deploy-service.yml").jobs.get("deploy", {})
    if job.get("environment") != "${{ inputs.environment }}":
        yield "deploy-service.yml: does not run in the environment it is given"
    if "secrets." in pipeline.workflow("deploy-service.yml").text:
        yield "deploy-service.yml: reads a secret; the login needs none"


def what_a_template_reads_is_told(pipeline: Pipeline) -> Iterator[str]:
    """A variable that nobody sets is empty, or takes a default that is not the environment's."""
    readers = [("deploy-service.yml", "deploy", name) for name in DEPLOYED]
    for file, job, template in [*readers, ("infra.yml", "what-if", "main"), ("infra.yml", "provision", "main")]:
        path = pipeline.project / "deploy" / "azure" / f"{template}.bicepparam"
        read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", path.read_text())) if path.exists() else set()
        told = set(pipeline.workflow(file).jobs.get(job, {}).get("env", ()))
        if missing := read - told - {f"SERVICE_{template.upper()}_IMAGE_NAME"}:
            yield f"{file}: {job} does not tell {path.name} {', '.join(sorted(missing))}"


def releases_are_of_each_deployable(pipeline: Pipeline) -> Iterator[str]:
    push = pipeline.workflow("release.yml").triggers.get("push") or {}
    if set(push.get("tags", ())) != {f"{name}-v*" for name in FOLDERS}:
        yield "release.yml: its tags are not one for each deployable"
    for name, folder in FOLDERS.items():
        if run(pipeline.folder / "scripts" / "folder.sh", name).stdout != f"{folder}\n":
            yield f"folder.sh: {name} is not in {folder}"


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


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS, **options)


RULES: tuple[Rule, ...] = (
    every_action_is_pinned,
    every_job_ends_in_time,
    nobody_may_more_than_needed,
    no_token_stays_in_a_checkout,
    every_make_target_exists,
    every_file_that_is_named_exists,
    every_path_filter_finds_something,
    ci_runs_on_every_change,
    ci_ok_waits_for_all,
    each_service_is_deployed_by_its_own_workflow,
    a_deployment_has_the_identity_of_its_team,
    what_a_template_reads_is_told,
    releases_are_of_each_deployable,
    scripts_stop_at_the_first_fault,
    actionlint,
    zizmor,
    schema,
    shellcheck,
)

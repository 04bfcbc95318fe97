"""How a team deploys alone, as rules on the workflows: each tells its faults, one line each."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from deploy.affected import FOLDERS, own_paths
from tests.deploy.pipeline import DEPLOYED, ROOT, SHARED, Pipeline, Rule, run

# What matters of the first is in uv.lock, or in no image; the second is empty.
NEVER_ALONE = ("pyproject.toml", "services/__init__.py")


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


def whatever_an_image_takes_in_deploys_it(pipeline: Pipeline) -> Iterator[str]:
    for name in DEPLOYED:
        paths = (pipeline.workflow(f"deploy-{name}.yml").triggers.get("push") or {}).get("paths", ())
        for taken in copied(pipeline.project / FOLDERS[name] / "Dockerfile"):
            if taken not in NEVER_ALONE and not any(fnmatchcase(taken, path) for path in paths):
                yield f"deploy-{name}.yml: {taken} is in the image, and no change of it is deployed"


def copied(dockerfile: Path) -> list[str]:
    """The sources of COPY from the build context; a folder stands for a file in it."""
    lines = re.sub(r"\\\n", " ", dockerfile.read_text()).splitlines()
    sources = [
        source
        for line in lines
        if line.startswith("COPY ") and "--from=" not in line
        for source in [word for word in line.split()[1:] if not word.startswith("--")][:-1]
    ]
    return [f"{source.rstrip('/')}/any.py" if (ROOT / source).is_dir() else source for source in sources]


def each_team_owns_what_is_its_own(pipeline: Pipeline) -> Iterator[str]:
    """The local cloud is the platform team's, as is all that nobody else owns."""
    owners = pipeline.owners()
    for name in set(FOLDERS) - {"localcloud"}:
        for path in (f"/{own.removesuffix('**')}" for own in own_paths(name)):
            if f"@store/{name}-team" not in owners.get(path, ()):
                yield f"CODEOWNERS: {path} does not belong to {name}-team"
    if next(iter(owners), None) != "*":
        yield "CODEOWNERS: `*` does not come first; the last line that matches counts"


def a_deployment_has_the_identity_of_its_team(pipeline: Pipeline) -> Iterator[str]:
    job = pipeline.workflow("deploy-service.yml").jobs.get("deploy", {})
    if job.get("environment") != "${{ inputs.environment }}":
        yield "deploy-service.yml: does not run in the environment it is given"
    if job.get("if") != "github.ref == 'refs/heads/main'":
        yield "deploy-service.yml: by hand, any branch could be deployed"
    if "secrets." in pipeline.workflow("deploy-service.yml").text:
        yield "deploy-service.yml: reads a secret; the login needs none"


def the_platform_is_shown_by_a_reader_and_changed_on_main(pipeline: Pipeline) -> Iterator[str]:
    jobs = pipeline.workflow("infra.yml").jobs
    plan, change = jobs.get("what-if", {}), jobs.get("provision", {})
    levels = {
        each for step in plan.get("steps", ()) for each in re.findall(r"--validation-level (\w+)", str(step.get("run")))
    }
    if not levels or levels - {"ProviderNoRbac", "Template"}:
        yield "infra.yml: what-if wants rights that its identity does not have"
    if "github.event.pull_request.head.repo.full_name == github.repository" not in plan.get("if", ""):
        yield "infra.yml: what-if gives a fork an identity"
    if (plan.get("environment"), change.get("environment")) != ("platform-plan", "platform-prod"):
        yield "infra.yml: who may read and who may write are not platform-plan and platform-prod"
    if change.get("if") != "github.event_name != 'pull_request' && github.ref == 'refs/heads/main'":
        yield "infra.yml: provision could change the platform from any branch"
    if not {"push", "workflow_dispatch"} <= set(pipeline.workflow("infra.yml").triggers):
        yield "infra.yml: nobody can have the platform provisioned again, as a changed key needs it"


def what_a_template_reads_is_told(pipeline: Pipeline) -> Iterator[str]:
    """A variable that nobody sets is empty, or takes a default that is not the environment's."""
    for file, job, template, read in _readers(pipeline):
        if missing := set(read) - set(pipeline.workflow(file).env(job)) - {f"SERVICE_{template.upper()}_IMAGE_NAME"}:
            yield f"{file}: {job} does not tell {template}.bicepparam {', '.join(sorted(missing))}"


def what_nobody_says_is_the_same_for_azd(pipeline: Pipeline) -> Iterator[str]:
    """A variable that is not set is empty here and not away: the template's default would not be taken."""
    for file, job, template, read in _readers(pipeline):
        workflow = pipeline.workflow(file)
        commands = "\n".join(str(step.get("run")) for step in workflow.jobs.get(job, {}).get("steps", ()))
        for name, default in read.items():
            said = re.search(r"\|\| '([^']*)'", workflow.env(job).get(name, ""))
            if (said[1] if said else "") != default and f"${{{name}:?" not in commands:
                yield f"{file}: {job} takes for {name} another default than {template}.bicepparam: '{default}'"


def _readers(pipeline: Pipeline) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Who deploys which template, and the variables that it reads, each with its default."""
    deployed = [("deploy-service.yml", "deploy", name) for name in DEPLOYED]
    for file, job, template in [*deployed, ("infra.yml", "what-if", "main"), ("infra.yml", "provision", "main")]:
        path = pipeline.project / "deploy" / "azure" / f"{template}.bicepparam"
        text = path.read_text() if path.exists() else ""
        yield file, job, template, dict(re.findall(r"readEnvironmentVariable\('(\w+)', '([^']*)'", text))


def releases_are_of_each_deployable(pipeline: Pipeline) -> Iterator[str]:
    push = pipeline.workflow("release.yml").triggers.get("push") or {}
    if set(push.get("tags", ())) != {f"{name}-v*" for name in FOLDERS}:
        yield "release.yml: its tags are not one for each deployable"
    for name, folder in FOLDERS.items():
        if run(pipeline.folder / "scripts" / "folder.sh", name).stdout != f"{folder}\n":
            yield f"folder.sh: {name} is not in {folder}"


RULES: tuple[Rule, ...] = (
    each_service_is_deployed_by_its_own_workflow,
    whatever_an_image_takes_in_deploys_it,
    each_team_owns_what_is_its_own,
    a_deployment_has_the_identity_of_its_team,
    the_platform_is_shown_by_a_reader_and_changed_on_main,
    what_a_template_reads_is_told,
    what_nobody_says_is_the_same_for_azd,
    releases_are_of_each_deployable,
)

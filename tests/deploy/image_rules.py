"""What Dockerfiles must keep to beside what hadolint knows: each rule tells its faults, one line each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from localcloud.install import UV

ROOT = Path(__file__).parents[2]
SERVICES = ("catalog", "orders", "customers")
DOCKERFILES: Mapping[str, str] = {name: f"services/{name}/Dockerfile" for name in SERVICES} | {
    "functions": "functions/Dockerfile",
    "gateway": "deploy/gateway/Dockerfile",
    "localcloud": "localcloud/Dockerfile",
}
LOCKED = {"pyproject.toml", "uv.lock"}
# What of the project each may be built from.
OWN: Mapping[str, set[str]] = {
    name: LOCKED | {"libs/", "services/__init__.py", f"services/{name}/"} for name in SERVICES
} | {
    "functions": {"functions/", "libs/"},
    "gateway": LOCKED | {"localcloud/", "deploy/topology.yaml", "deploy/gateway/"},
    "localcloud": LOCKED | {"libs/", "functions/", "localcloud/", "deploy/topology.yaml", "deploy/gateway/nginx.conf"},
}
# What may be in the last stage, from wherever it is copied.
KEPT: Mapping[str, set[str]] = {name: {"/app/.venv", "/app/libs", "/app/services"} for name in SERVICES} | {
    "functions": set(),
    "gateway": {"/app/nginx.conf.template", "/app/deploy/gateway/15-upstreams.envsh"},
    "localcloud": {"/app/.venv", "/app/libs", "/app/functions", "/app/localcloud"},
}
GROUPS: Mapping[str, str] = {"gateway": "localcloud"}
DRIVER = "${AZURESQL:+--only-group msodbc}"
PYTHONS = ("PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1")
SECRETIVE = re.compile(r"\b\w*(PASSWORD|SECRET|TOKEN|CREDENTIAL|_KEY)\w*\b", re.IGNORECASE)
BUILDKIT = re.compile(r"--(chmod|link|parents|exclude|mount|network|security)\b")
IMAGE = re.compile(r"[a-z0-9.-]+\.[a-z]+/[a-z0-9/_-]+(:(?P<tag>[\w.-]+)(@sha256:[0-9a-f]{64})?)")


@dataclass(frozen=True, slots=True)
class Step:
    stage: int
    name: str
    said: str


def steps(text: str) -> list[Step]:
    """Of a Dockerfile, with its continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: list[Step] = []
    stage = -1
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        name, _, said = line.partition(" ")
        stage += name == "FROM"
        found.append(Step(stage, name, said.strip()))
    return found


def unpinned(image: str) -> bool:
    """A registry, a name and a tag that says a version."""
    match = IMAGE.fullmatch(image)
    return match is None or "latest" in match["tag"] or not re.search(r"\d", match["tag"])


def check(deployable: str, text: str) -> Iterator[str]:
    known = steps(text)
    last = [step for step in known if step.stage == known[-1].stage]
    yield from _bases(known)
    yield from _user(last)
    yield from _sources(deployable, known, last)
    yield from _labels(deployable, known, last)
    yield from _packages(deployable, known, last)
    yield from (f"{step.name} {step.said}: the platform probes" for step in known if step.name == "HEALTHCHECK")
    yield from (f"ADD {step.said}: COPY says what comes from where" for step in known if step.name == "ADD")
    yield from (
        f"{step.name} {step.said}: needs BuildKit, which `az acr build` has not" for step in known if _kit(step)
    )
    for step in known:
        if step.name in ("ENV", "ARG") and (found := SECRETIVE.search(step.said)):
            yield f"{step.name} {found[0]}: an image is no place for a secret"


def impersonal(service: str, text: str) -> str:
    """A service's Dockerfile without its name, and without what it says of itself."""
    return re.sub(r'description="[^"]*"', "", text).replace(service, "<service>")


def _kit(step: Step) -> bool:
    options = takewhile(lambda word: word.startswith("--"), step.said.split())
    return any(BUILDKIT.match(option) for option in options)


def _bases(known: list[Step]) -> Iterator[str]:
    for step in known:
        if step.name == "FROM" and unpinned(image := step.said.split(" AS ")[0]):
            yield f"FROM {image}: say registry, name and version"


def _user(last: list[Step]) -> Iterator[str]:
    users = [step.said for step in last if step.name == "USER"]
    if users != ["10001:10001"]:
        yield f"USER is {users}, not once 10001:10001"
    after = [step.name for step in last[[step.name for step in last].index("USER") if users else 0 :]]
    if users and {"RUN", "COPY"} & set(after):
        yield "USER comes before what has to be root's"


def _sources(deployable: str, known: list[Step], last: list[Step]) -> Iterator[str]:
    for step in known:
        words = [word for word in step.said.split() if not word.startswith("--")]
        for source in words[:-1] if step.name == "COPY" else ():
            allowed = OWN[deployable]
            if "--from=" in step.said:
                allowed = KEPT[deployable] if step in last else set()
            if not any(source == each or (each.endswith("/") and source.startswith(each)) for each in allowed):
                yield f"COPY {source}: is nothing of {deployable}"


def _labels(deployable: str, known: list[Step], last: list[Step]) -> Iterator[str]:
    said = " ".join(step.said for step in last if step.name == "LABEL")
    for label in (f'title="store/{deployable}"', 'version="$VERSION"', 'revision="$REVISION"', "description="):
        if f"org.opencontainers.image.{label}" not in said:
            yield f"LABEL org.opencontainers.image.{label} is missing"
    arguments = {step.said.partition("=")[0] for step in last if step.name == "ARG"}
    yield from (f"ARG {name} is missing" for name in ("VERSION", "REVISION") if name not in arguments)


def _packages(deployable: str, known: list[Step], last: list[Step]) -> Iterator[str]:
    runs = " ".join(step.said for step in known if step.name == "RUN")
    told = " ".join(step.said for step in last if step.name == "ENV")
    if deployable != "functions":
        if f"uv=={UV}" not in runs:
            yield f"uv is not {UV}, as localcloud/install.py has it"
        if f"uv sync --frozen --no-cache --only-group {GROUPS.get(deployable, deployable)}" not in runs:
            yield "what is installed is not the deployable's own group of uv.lock"
    if deployable != "gateway":
        yield from (f"ENV {each} is missing" for each in PYTHONS if each not in told)
    if deployable in SERVICES:
        entry = [step.said for step in last if step.name == "ENTRYPOINT"]
        if entry != [f'["python", "-m", "services.{deployable}"]']:
            yield f"ENTRYPOINT is {entry}"
        if runs.count("msodbc") != 1 or DRIVER not in runs:
            yield "Microsoft's driver is not for those only who ask for it"

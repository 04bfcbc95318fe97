"""Faults are put into the Dockerfiles and into docker-compose.yml, one at a time, to prove that each is seen."""

import copy
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import compose_rules, image_rules
from tests.deploy.image_rules import DOCKERFILES, ROOT
from tests.deploy.test_images import COMPOSE_FILE, LONGEST_SECONDS, resolved, tool

pytestmark = pytest.mark.deploy

SLIM = "FROM docker.io/library/python:3.13-slim\n"
USER = "USER 10001:10001"
OURS = "COPY services/orders/ services/orders/"

# Whose Dockerfile, what is in it, what is there instead, and what has to be said.
Edit = tuple[str, str, str, str]
IN_A_DOCKERFILE: Mapping[str, Edit] = {
    "a base that moves": (
        "orders",
        SLIM,
        "FROM docker.io/library/python:latest\n",
        "FROM docker.io/library/python:latest",
    ),
    "a base without a version": ("orders", SLIM, "FROM docker.io/library/python\n", "say registry, name and version"),
    "a base from wherever": ("orders", SLIM, "FROM python:3.13-slim\n", "say registry, name and version"),
    "root": ("orders", USER, "USER 0:0", "USER is ['0:0']"),
    "nobody in particular": ("orders", f"{USER}\n", "", "USER is []"),
    "a user by name": ("orders", USER, "USER store", "USER is ['store']"),
    "code that its user owns": (
        "orders",
        "COPY --from=build /app/libs libs",
        f"{USER}\nCOPY --from=build /app/libs libs",
        "not once 10001:10001",
    ),
    "a step after the user": ("orders", "EXPOSE 8080", "RUN true", "USER comes before what has to be root's"),
    "the code of another service": (
        "orders",
        OURS,
        f"{OURS}\nCOPY services/catalog/ services/catalog/",
        "COPY services/catalog/: is nothing of orders",
    ),
    "the code of all services": ("orders", OURS, "COPY services/ services/", "COPY services/: is nothing of orders"),
    "everything": ("orders", OURS, "COPY . .", "COPY .: is nothing of orders"),
    "the local cloud in production": (
        "orders",
        OURS,
        f"{OURS}\nCOPY localcloud/ localcloud/",
        "COPY localcloud/: is nothing",
    ),
    "the tools of the build": (
        "orders",
        "COPY --from=build /app/libs libs",
        "COPY --from=build /usr/local /usr/local",
        "COPY /usr/local: is nothing of orders",
    ),
    "Python in the gateway": (
        "gateway",
        "ENV CA_FILE",
        "COPY --from=build /app/localcloud /app/localcloud\nENV CA_FILE",
        "COPY /app/localcloud: is nothing of gateway",
    ),
    "a service among the functions": (
        "functions",
        "COPY libs/ libs/",
        "COPY services/ services/",
        "COPY services/: is nothing",
    ),
    "another's packages": ("orders", "--only-group orders", "--only-group catalog", "not the deployable's own group"),
    "everybody's packages": ("orders", "--only-group orders", "--all-groups", "not the deployable's own group"),
    "packages of today": ("orders", "--frozen ", "", "not the deployable's own group of uv.lock"),
    "another uv": ("orders", "uv==0.13.9", "uv==0.1.0", "uv is not"),
    "no title": (
        "orders",
        'LABEL org.opencontainers.image.title="store/orders"',
        "LABEL a=b",
        'title="store/orders" is missing',
    ),
    "another's title": ("orders", 'title="store/orders"', 'title="store/catalog"', 'title="store/orders" is missing'),
    "no version": ("orders", "ARG VERSION=dev\n", "", "ARG VERSION is missing"),
    "a health check": ("orders", "EXPOSE 8080", "HEALTHCHECK CMD true", "the platform probes"),
    "an address that is added": (
        "orders",
        OURS,
        "ADD services/orders/ services/orders/",
        "COPY says what comes from where",
    ),
    "a password": ("orders", "ARG VERSION=dev", "ARG VERSION=dev\nENV DATABASE_PASSWORD=x", "no place for a secret"),
    "a token while building": (
        "orders",
        "ARG VERSION=dev",
        "ARG VERSION=dev\nARG INDEX_TOKEN",
        "no place for a secret",
    ),
    "logs that come late": ("orders", "PYTHONUNBUFFERED=1", "PYTHONHASHSEED=0", "ENV PYTHONUNBUFFERED=1 is missing"),
    "another's entry point": ("orders", '"services.orders"]', '"services.catalog"]', "ENTRYPOINT is"),
    "an entry point in a shell": (
        "orders",
        'ENTRYPOINT ["python", "-m", "services.orders"]',
        "ENTRYPOINT python -m services.orders",
        "ENTRYPOINT is",
    ),
}
LINTED: Mapping[str, tuple[str, str, str]] = {
    "a package of any version": ("uv==0.13.9", "uv", "DL3013"),
    "a folder that is changed by the way": ("RUN uv sync", "RUN cd /tmp && uv sync", "DL3003"),
    "a shell that hides the process": (
        'ENTRYPOINT ["python", "-m", "services.orders"]',
        "ENTRYPOINT python -m services.orders",
        "DL3025",
    ),
    "lists of packages that are left": (" && rm -rf /var/lib/apt/lists/*", "", "DL3009"),
    "what was only recommended": (" --no-install-recommends", "", "DL3015"),
}

Change = Callable[[dict[str, Any]], None]


def setting(name: str, value: str) -> Change:
    return lambda part: part["environment"].update({name: value})


def having(key: str, value: Any) -> Change:
    return lambda part: part.update({key: value})


def lacking(key: str) -> Change:
    return lambda part: part.pop(key)


def waiting(other: str, condition: str) -> Change:
    return lambda part: part["depends_on"].update({other: {"condition": condition}})


IN_COMPOSE: Mapping[str, tuple[str, Change, str]] = {
    "an image that moves": (
        "postgres",
        having("image", "docker.io/library/postgres:latest"),
        "say registry, name and version",
    ),
    "an image by a moving name": (
        "sqlserver",
        having("image", "mcr.microsoft.com/mssql/server:2022-latest"),
        "say registry",
    ),
    "another's Dockerfile": (
        "orders",
        having("build", {"dockerfile": "services/catalog/Dockerfile"}),
        "store/orders:dev is built from",
    ),
    "an image that nobody builds": ("orders", lacking("build"), "store/orders:dev is built from []"),
    "a port for everybody": (
        "loopback",
        lambda part: part["ports"][0].update(host_ip="0.0.0.0"),
        "port 8080 is open to others",
    ),
    "a port for whoever comes": (
        "loopback",
        lambda part: part["ports"][0].pop("host_ip"),
        "port 8080 is open to others",
    ),
    "a port of the database": (
        "postgres",
        having("ports", [{"host_ip": "127.0.0.1", "published": "5432"}]),
        "nobody else can",
    ),
    "rights": ("orders", lacking("cap_drop"), "orders: has capabilities"),
    "a right too many": ("orders", having("cap_add", ["NET_ADMIN"]), "orders: has capabilities"),
    "code that can be changed": ("orders", having("read_only", False), "can write to its root file system"),
    "a way to privileges": ("orders", lacking("security_opt"), "can get privileges"),
    "all privileges": ("cloud", having("privileged", True), "cloud: can get privileges"),
    "another network": ("orders", having("network_mode", "host"), "on the network host"),
    "root in an image of others": ("azurite", lacking("user"), "runs as whoever its image says"),
    "a user by name": ("postgres", having("user", "postgres"), "runs as postgres"),
    "root in an image of ours": ("orders", having("user", "0:0"), "its image says whom it runs as"),
    "the engine's socket": (
        "cloud",
        having("volumes", [{"type": "bind", "source": "/var/run/docker.sock"}]),
        "mounts /var/run/docker.sock",
    ),
    "the vault for a service": (
        "orders",
        having("volumes", [{"type": "volume", "source": "state"}]),
        "can read the local cloud's state",
    ),
    "trust that can be forged": (
        "orders",
        having("volumes", [{"type": "volume", "source": "public"}]),
        "could change whom",
    ),
    "a password": ("postgres", setting("POSTGRES_PASSWORD", "store"), "POSTGRES_PASSWORD is a secret"),
    "a password in a URL": (
        "orders",
        setting("STORE_URL", "postgresql://orders:secret@127.0.0.1/orders"),
        "STORE_URL is a secret",
    ),
    "an account's real key": ("azurite", setting("AZURITE_ACCOUNTS", "store:aGVsbG8="), "AZURITE_ACCOUNTS is a secret"),
    "a setting that is missing": (
        "orders",
        lambda part: part["environment"].pop("TOPIC_ENDPOINT"),
        "TOPIC_ENDPOINT is missing",
    ),
    "a setting with a slip": ("orders", setting("TOPIC_ENDPIONT", "x"), "nobody asks for TOPIC_ENDPIONT"),
    "a port that is no number": ("orders", setting("PORT", "eighty"), "PORT"),
    "a gateway without orders": (
        "gateway",
        lambda part: part["environment"].pop("ORDERS_URL"),
        "ORDERS_URL is missing",
    ),
    "a check with a space": (
        "orders",
        having("healthcheck", {"test": ["CMD", "python", "-c", "import this"]}),
        "has a space in it",
    ),
    "no check": ("cloud", lacking("healthcheck"), "nobody can know whether it is well"),
    "too short a grace": ("orders", having("stop_grace_period", "10s"), "killed before it has drained"),
    "a start before its database": (
        "provision",
        waiting("postgres", "service_started"),
        "does not wait until postgres is ready",
    ),
    "waiting for the end of what runs": (
        "seed",
        waiting("gateway", "service_completed_successfully"),
        "which never does",
    ),
    "waiting for what says nothing": ("orders", waiting("provision", "service_healthy"), "nothing says when"),
}


@pytest.fixture(scope="module")
def project() -> Any:
    return resolved(COMPOSE_FILE, "--profile", "*")


def changed(text: str, before: str, after: str) -> str:
    assert before in text
    head, _, tail = text.rpartition(before)  # the last stage is what remains
    return head + after + tail


@pytest.mark.parametrize(("deployable", "before", "after", "said"), IN_A_DOCKERFILE.values(), ids=list(IN_A_DOCKERFILE))
def test_a_fault_in_a_dockerfile_is_seen(deployable: str, before: str, after: str, said: str) -> None:
    text = changed((ROOT / DOCKERFILES[deployable]).read_text(), before, after)

    assert said in "\n".join(image_rules.check(deployable, text))


@pytest.mark.parametrize(("before", "after", "said"), LINTED.values(), ids=list(LINTED))
def test_a_fault_that_hadolint_knows_is_seen(before: str, after: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(changed((ROOT / DOCKERFILES["orders"]).read_text(), before, after))

    done = tool("hadolint", str(file))

    assert said in done.stdout


@pytest.mark.parametrize(("part", "change", "said"), IN_COMPOSE.values(), ids=list(IN_COMPOSE))
def test_a_fault_in_the_compose_file_is_seen(part: str, change: Change, said: str, project: Any) -> None:
    faulty = copy.deepcopy(project)
    change(faulty["services"][part])

    assert [each for each in compose_rules.check(faulty) if each.startswith(f"{part}:") and said in each]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("condition: service_healthy", "condition: service_well", "condition value must be one of"),
        ("  cap_drop: [ALL]", "  cap_dorp: [ALL]", "cap_dorp"),
        ("database:/var/lib/postgresql", "databse:/var/lib/postgresql", "undefined volume databse"),
        ("network_mode: service:loopback", "network_mode: service:lopback", "lopback"),
    ],
    ids=["an unknown condition", "an unknown key", "an unknown volume", "an unknown network"],
)
def test_a_fault_that_compose_knows_is_seen(before: str, after: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(COMPOSE_FILE.read_text().replace(before, after, 1))

    done = tool("docker-compose", "-f", str(file), "--project-directory", str(ROOT), "config", "-q")

    assert done.returncode
    assert said in done.stderr


def test_a_slip_in_the_gateways_script_is_seen(tmp_path: Path) -> None:
    """The test that compares its outcome with `make run` rests on this: the shell itself refuses what it can't read."""
    file = tmp_path / "15-upstreams.envsh"
    file.write_text((ROOT / "deploy/gateway/15-upstreams.envsh").read_text().replace("esac", "esca", 1))

    done = subprocess.run(["/bin/sh", "-n", file], capture_output=True, timeout=LONGEST_SECONDS, check=False)

    assert done.returncode

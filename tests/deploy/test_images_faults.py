"""Faults are put into the Dockerfiles, one at a time, to prove that each is seen."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.deploy import image_rules
from tests.deploy.image_rules import DOCKERFILES, ROOT
from tests.deploy.tools import tool

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
    "Microsoft's driver for everybody": (
        "orders",
        "${AZURESQL:+--only-group msodbc}",
        "--only-group msodbc",
        "driver is not for those only who ask",
    ),
    "no driver for anybody": (
        "orders",
        " ${AZURESQL:+--only-group msodbc}",
        "",
        "driver is not for those only who ask",
    ),
    "what the registry's builders can't copy": (
        "gateway",
        "COPY --from=build",
        "COPY --chmod=444 --from=build",
        "needs BuildKit",
    ),
    "a cache that the registry's builders have not": (
        "orders",
        "RUN apt-get",
        "RUN --mount=type=cache,target=/var/cache/apt apt-get",
        "needs BuildKit",
    ),
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


def test_a_service_that_is_built_in_a_way_of_its_own_is_seen() -> None:
    text = (ROOT / DOCKERFILES["orders"]).read_text()
    faulty = changed(text, "PYTHONDONTWRITEBYTECODE=1", "PYTHONDONTWRITEBYTECODE=1 PYTHONOPTIMIZE=1")

    catalog = image_rules.impersonal("catalog", (ROOT / DOCKERFILES["catalog"]).read_text())

    assert image_rules.impersonal("orders", text) == catalog != image_rules.impersonal("orders", faulty)

"""The Dockerfiles: hadolint, rules of ours, and what a build is sent."""

import subprocess

import pytest

from tests.deploy import image_rules
from tests.deploy.image_rules import DOCKERFILES, ROOT, SERVICES
from tests.deploy.tools import LONGEST_SECONDS, tool

pytestmark = pytest.mark.deploy


@pytest.mark.parametrize("deployable", DOCKERFILES)
def test_hadolint_finds_nothing(deployable: str) -> None:
    done = tool("hadolint", str(ROOT / DOCKERFILES[deployable]))

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("deployable", DOCKERFILES)
def test_a_dockerfile_keeps_our_rules(deployable: str) -> None:
    assert list(image_rules.check(deployable, (ROOT / DOCKERFILES[deployable]).read_text())) == []


def test_services_are_built_alike() -> None:
    texts = {image_rules.impersonal(name, (ROOT / DOCKERFILES[name]).read_text()) for name in SERVICES}

    assert len(texts) == 1


def test_every_dockerfile_is_of_a_deployable() -> None:
    ours = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*Dockerfile"],
        cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=True,
    ).stdout.split()  # fmt: skip

    assert {each for each in ours if not each.startswith("tests/")} == set(DOCKERFILES.values())


def test_a_build_is_sent_nothing_but_what_images_are_made_of() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_in = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    used = {each.rstrip("/") for sources in image_rules.OWN.values() for each in sources}

    assert lines[0] == "*"
    assert "deploy/*" in lines
    assert all(any(each == one or each.startswith(f"{one}/") for one in let_in) for each in used)
    assert let_in <= used | {"services", "deploy"}

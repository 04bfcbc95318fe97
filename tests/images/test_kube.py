"""The rendered manifests as podman plays them, init container and all; and testcontainers on podman's socket."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.image_rules import SERVICES
from tests.images.engine import ROOT, RUN_SECONDS, Engine
from tests.images.test_images import asked, on_host, told
from tests.stories.store import RunningStore
from tests.waiting import until

__all__ = ["on_host"]

pytestmark = [
    pytest.mark.images,
    pytest.mark.timeout(1200),
    pytest.mark.asyncio(loop_scope="session"),
]

OVERLAY = "deploy/k8s/overlays/local"
TRUST = "local-trust"
INIT_TYPE = "io.podman.annotations.init.container.type"  # podman 4.3 tries to remove the other kind while it still runs
# What a team writes that tests with testcontainers, here against podman: our gateway, whose services are not there.
CONTAINED = """
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

alive = HttpWaitStrategy(8080, "/health/live").for_status_code(200).with_startup_timeout(60)
gateway = DockerContainer("store/gateway:dev").with_exposed_ports(8080).waiting_for(alive)
for name in ("CATALOG", "ORDERS", "CUSTOMERS", "FUNCTIONS", "STORAGE"):
    gateway = gateway.with_env(f"{name}_URL", "http://127.0.0.1:1")
with gateway:
    print("alive")
"""


def pod_of(name: str, env: dict[str, str], bundle: Path) -> str:
    """What the overlay has of one service, told where the store of this test is."""
    rendered = subprocess.run(
        [Path(sys.executable).parent / "kubectl", "kustomize", OVERLAY],
        cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS, check=True,
    )  # fmt: skip
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(rendered.stdout))
    (deployment,) = (each for each in documents if each["kind"] == "Deployment" and each["metadata"]["name"] == name)
    (settings,) = (each for each in documents if each["metadata"]["name"].startswith(f"{name}-settings"))
    trusted = {key: settings["data"][key] for key in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")}
    deployment["metadata"].setdefault("annotations", {})[INIT_TYPE] = "always"
    settings["data"] = {**settings["data"], **env, **trusted}
    trust = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": TRUST},
        "data": {"bundle.pem": bundle.read_text()},
    }
    return yaml.safe_dump_all([settings, trust, deployment])


@contextmanager
def played(engine: Engine, manifest: Path) -> Iterator[list[dict[str, Any]]]:
    """Its containers, the init container among them."""
    try:
        engine.run("podman", "kube", "play", str(manifest), seconds=3 * RUN_SECONDS)
        ids = engine.run("podman", "ps", "--all", "--quiet", "--no-trunc").split()
        yield [json.loads(engine.run("podman", "inspect", each))[0] for each in ids]
    finally:
        engine.run("podman", "pod", "rm", "--all", "--force")


@pytest.mark.parametrize("name", SERVICES)
async def test_a_rendered_deployment_runs_as_it_says(
    name: str, images: dict[str, str], engine: Engine, on_host: RunningStore, tmp_path: Path
) -> None:
    env, bundle = told(on_host, name)
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(pod_of(name, env, bundle))

    with played(engine, manifest) as containers:
        ready = f"http://127.0.0.1:{env['PORT']}/health/ready"
        assert await until(lambda: asked(ready), lambda status: status == 200)
        (service,) = (each for each in containers if each["Name"].endswith(f"-{name}"))

    assert service["Config"]["User"].split(":")[0] == "10001"
    assert service["HostConfig"]["ReadonlyRootfs"]
    assert not service["EffectiveCaps"]


async def test_testcontainers_find_podman(images: dict[str, str], engine: Engine) -> None:
    with engine.serving() as address:
        told_where = {
            "DOCKER_HOST": address,
            "TESTCONTAINERS_RYUK_DISABLED": "true",
            "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
            "TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1",
        }
        found = engine.run(sys.executable, "-c", CONTAINED, seconds=3 * RUN_SECONDS, env=told_where)

    assert found.splitlines()[-1] == "alive"

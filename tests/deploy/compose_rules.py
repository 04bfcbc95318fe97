"""What docker-compose.yml must keep to beside what Compose itself knows: each rule tells its faults, one line each.

They read the project as `docker-compose config` resolves it, with every profile.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.lint import environment
from libs.common.serving import SHUTDOWN_SECONDS
from localcloud import topology
from tests.deploy.image_rules import DOCKERFILES, SERVICES, unpinned

Part = Mapping[str, Any]

MICROSOFTS = {"servicebus", "sqlserver"}  # on a network of their own, with the rights that their images need
FUNCTIONS = {"functions", "azure-functions"}
SECRETIVE = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|_KEY|HEADER|ACCOUNTS", re.IGNORECASE)
# They open nothing that could be reached from outside: the head of docker-compose.yml says why. A file is none, either.
HARMLESS = {
    ("IDENTITY_HEADER", "within-this-network"),
    ("STORAGE_KEY", "c3RvcmU="),
    ("PAYMENTS_KEY", "within-this-network"),
    ("AZURITE_ACCOUNTS", "store:c3RvcmU="),
    ("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential"),
    ("AzureWebJobsSecretStorageType", "ContainerApps"),
    ("MSSQL_SA_PASSWORD", ""),
}
STORE = topology.load(Path(__file__).parents[2] / "deploy" / "topology.yaml")


def check(project: Part) -> Iterator[str]:
    for name, part in project["services"].items():
        for rule in (_image, _ports, _secrets, _health, _order, _told):
            yield from (f"{name}: {said}" for said in rule(name, part, project["services"]))
        if name not in MICROSOFTS:
            yield from (f"{name}: {said}" for said in (*_confined(name, part), *_mounts(part)))


def _image(_: str, part: Part, parts: Part) -> Iterator[str]:
    image = part["image"]
    if not image.startswith("store/"):
        if unpinned(image):
            yield f"{image}: say registry, name and version"
        return
    made = [Path(each["build"]["dockerfile"]) for each in parts.values() if each["image"] == image and "build" in each]
    if made != [Path(DOCKERFILES.get(image.removeprefix("store/").removesuffix(":dev"), "nowhere"))]:
        yield f"{image} is built from {[str(each) for each in made]}"


def _ports(name: str, part: Part, _: Part) -> Iterator[str]:
    for port in part.get("ports", []):
        if port.get("host_ip") != "127.0.0.1":
            yield f"port {port.get('published')} is open to others than this machine"
        if name not in {"loopback"} | MICROSOFTS:
            yield "the network's owner publishes ports, nobody else can"


def _secrets(_: str, part: Part, __: Part) -> Iterator[str]:
    for variable, value in part.get("environment", {}).items():
        is_secret = SECRETIVE.search(variable) and not variable.endswith("_FILE") and (variable, value) not in HARMLESS
        if is_secret or re.search(r"://[^/@:]+:[^/@]+@", value or ""):
            yield f"{variable} is a secret"


def _health(_: str, part: Part, __: Part) -> Iterator[str]:
    test = part.get("healthcheck", {}).get("test", ["NONE"])
    if test[0] != "CMD" and part["restart"] != "no" and not part.get("profiles"):
        yield "nobody can know whether it is well"
    if any(" " in word for word in test):
        yield "an argument of its health check has a space in it, where podman tears it apart"


def _order(_: str, part: Part, parts: Part) -> Iterator[str]:
    for other, waits in part.get("depends_on", {}).items():
        ends = parts[other].get("restart") == "no"
        match waits["condition"]:
            case "service_healthy" if "healthcheck" not in parts[other]:
                yield f"waits until {other} is well, and nothing says when"
            case "service_completed_successfully" if not ends:
                yield f"waits until {other} ends, which never does"
            case "service_started" if other not in MICROSOFTS | {"loopback"}:  # whose network is asked for
                yield f"does not wait until {other} is ready"


def _told(name: str, part: Part, _: Part) -> Iterator[str]:
    deployable = "functions" if name in FUNCTIONS else name
    if deployable in (*SERVICES, "functions", "gateway"):
        names = environment.names_on_laptop(STORE, deployable)
        yield from environment.complaints(deployable, part["environment"], "environment", names)
    if name in (*SERVICES, "functions") and _seconds(part.get("stop_grace_period", "10s")) <= SHUTDOWN_SECONDS:
        yield f"is killed before it has drained, which may take {SHUTDOWN_SECONDS:.0f} s"


def _seconds(text: str) -> int:
    minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text).groups(default="0")  # type: ignore[union-attr]
    return int(minutes) * 60 + int(seconds)


def _confined(name: str, part: Part) -> Iterator[str]:
    if part.get("cap_drop") != ["ALL"] or part.get("cap_add"):
        yield "has capabilities"
    if not part.get("read_only"):
        yield "can write to its root file system"
    if part.get("privileged") or part.get("security_opt") != ["no-new-privileges:true"]:
        yield "can get privileges"
    if name != "loopback" and part.get("network_mode") != "service:loopback":
        yield f"is on the network {part.get('network_mode', 'of its own')}, not with the others"
    if not part["image"].startswith("store/") and not re.fullmatch(r"[1-9]\d*:[1-9]\d*", part.get("user", "")):
        yield f"runs as {part.get('user', 'whoever its image says')}"
    if part["image"].startswith("store/") and "user" in part:
        yield "its image says whom it runs as"


def _mounts(part: Part) -> Iterator[str]:
    for volume in part.get("volumes", []):
        if volume["type"] != "volume":
            yield f"mounts {volume['source']} of this machine"
        elif volume["source"] in ("state", "keys") and part["image"] not in (
            "store/localcloud:dev",
            "store/functions:dev",
        ):
            yield f"can read the local cloud's {volume['source']}"
        elif volume["source"] == "public" and not volume.get("read_only") and "ports" not in part:
            yield "could change whom the others trust"

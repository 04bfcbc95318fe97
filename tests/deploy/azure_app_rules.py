"""What each app and azure.yaml must keep to: each rule tells its faults, one line each."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from deploy import schemas
from deploy.lint import environment
from libs.common.database import engine_of
from libs.common.settings import Incomplete
from localcloud import topology
from tests.deploy.azure_plans import (
    ENVIRONMENT,
    KINDS,
    PROJECT,
    SERVICES,
    SETTINGS,
    TOPOLOGY,
    UNSET,
    Faults,
    Thing,
    made,
    one,
    planned,
    refused,
    topology_of,
)


def settings(root: Path) -> Faults:
    """Every deployable is told all that it must be told, and nothing that it does not ask for."""
    store = topology.load(root / TOPOLOGY)
    for name, kind in SETTINGS.items():
        things, _ = planned(root, f"{name}.bicepparam")
        app = one(things, "Microsoft.App/containerApps")
        yield from environment.check_app_environments(name, app.body, store)
        template = app.body["properties"]["template"]
        for container in [*template["containers"], *template.get("initContainers", [])]:
            told = {each["name"]: each.get("value", each.get("secretRef")) for each in container["env"]}
            kept = {each["name"] for each in app.body["properties"]["configuration"]["secrets"]}
            asked = {each["secretRef"] for each in container["env"] if "secretRef" in each}
            yield from (f"{name}: there is no secret {each}" for each in asked - kept)
            yield from (f"{name}: {key} is plain to read" for key in told if _is_secret(key) and told[key] not in asked)
            empty = {key for key, value in told.items() if value == ""} - _may_be_empty(kind)
            unset = {key for key, value in told.items() if value == UNSET}
            yield from (f"{name}: {key} is set by nobody" for key in sorted(empty | unset))
        given = next(each for each in things if each.name == f"{name}-app").body["params"]["settings"]
        yield from (f"{name}: {key} is given, and nobody asks for it" for key in given if key not in told)


def _may_be_empty(kind: Any) -> set[str]:
    """The gateway has no class that says so."""
    return {each.name.upper() for each in fields(kind) if each.default == ""} if kind else {"CORS_ORIGINS"}


def _is_secret(key: str) -> bool:
    return key.endswith("_KEY")


def stores(root: Path) -> Faults:
    """STORE_URL names a server and a database that the platform makes, on each engine."""
    makes = {
        "postgres": "Microsoft.DBforPostgreSQL/flexibleServers/databases",
        "azuresql": "Microsoft.Sql/servers/databases",
        "tables": KINDS["tables"],
        "cosmos": "Microsoft.DocumentDB/databaseAccounts/tables",
    }
    for engine, kind in makes.items():
        for name in SERVICES:
            chosen = {f"{name.upper()}_ENGINE": engine}
            database = made(planned(root, "main.bicepparam", **chosen)[0], kind).get(name)
            url = _told(planned(root, f"{name}.bicepparam", **chosen)[0], "STORE_URL")
            yield from (f"{name} on {engine}: {fault}" for fault in _flaws_of_url(url, engine, name, database))


def _told(things: list[Thing], key: str) -> str:
    template = one(things, "Microsoft.App/containerApps").body["properties"]["template"]
    return str(next(each["value"] for each in template["containers"][0]["env"] if each["name"] == key))


def _flaws_of_url(url: str, engine: str, name: str, database: Thing | None) -> Faults:
    if database is None:
        yield "the platform makes no database"
        return
    server = database.path.split("/")[0]
    try:
        if engine_of(url) != {"cosmos": "tables"}.get(engine, engine):
            yield f"{url} is of another engine"
    except Incomplete as incomplete:
        yield str(incomplete)
    if not re.search(rf"(//|@){server}\.[\w.]+(:\d+)?/{name}(\?authentication=entra)?$", url):
        yield f"{url} does not lead to {database.path}"
    if engine in ("postgres", "azuresql") and not url.endswith("?authentication=entra"):
        yield f"{url} enters by a password"


def apps(root: Path) -> Faults:
    """What reaches Container Apps is of its form, and only the platform's identity pulls and scales."""
    schema = schemas.read("container-app")
    bus = one(planned(root, "main.bicepparam")[0], "Microsoft.ServiceBus/namespaces").name
    for name in SETTINGS:
        app = one(planned(root, f"{name}.bicepparam")[0], "Microsoft.App/containerApps")
        body = {key: value for key, value in app.body.items() if value is not None}
        yield from (f"{name}: {fault}" for fault in refused(body, schema))
        if (name in ("functions", "gateway")) != app.body["properties"]["configuration"]["ingress"]["external"]:
            yield f"{name}: who may call it from outside is wrong"
        if (name == "functions") != (app.body["kind"] == "functionapp"):
            yield f"{name}: the kind is {app.body['kind']}"
        yield from (f"{name}: {fault}" for fault in _flaws_of_app(name, app, bus, topology_of(root)["queues"]))


def _flaws_of_app(name: str, app: Thing, bus: str, queues: Mapping[str, Any]) -> Faults:
    configuration = app.body["properties"]["configuration"]
    lives = {each["identity"].rpartition("/")[2]: each["lifecycle"] for each in configuration["identitySettings"]}
    if lives != {name: "All", "platform": "None"}:
        yield f"identities are for {lives}"
    if {each.rpartition("/")[2] for each in app.body["identity"]["userAssignedIdentities"]} != set(lives):
        yield "not every identity says what it is for"
    if [each["identity"].rpartition("/")[2] for each in configuration["registries"]] != ["platform"]:
        yield "the platform's identity does not pull"
    scale = app.body["properties"]["template"]["scale"]
    if "rules" in scale and app.body["kind"] == "functionapp":
        yield "the platform scales functions, and refuses rules of ours"
    for rule in scale.get("rules", []):
        custom = rule.get("custom") if rule.get("custom", {}).get("type") != "cpu" else None  # that one asks nobody
        if custom and not custom.get("identity", "").endswith("/platform"):
            yield f"rule {rule['name']} has no identity"
        if custom and (custom["metadata"]["namespace"] != bus or custom["metadata"]["queueName"] not in queues):
            yield f"rule {rule['name']} looks at no queue of ours"
    for container in app.body["properties"]["template"]["containers"]:
        if container["image"] != ENVIRONMENT[f"SERVICE_{name.upper()}_IMAGE_NAME"]:
            yield f"the image is {container['image']}"


def routes(root: Path) -> Faults:
    """Only what the topology lets through, by apps that are there."""
    config = one(planned(root, "routes.bicep")[0], "Microsoft.App/managedEnvironments/httpRouteConfigs")
    body = {"name": config.name, "properties": config.body["properties"]}
    yield from (f"routes: {fault}" for fault in refused(body, schemas.read("container-app-routes")))
    wanted = {(each["path"], each["to"]) for each in topology_of(root)["routes"] if each["to"] != "storage"}
    found = {
        (route["match"].get("pathSeparatedPrefix", route["match"].get("prefix")), target["containerApp"])
        for rule in config.body["properties"]["rules"]
        for route in rule["routes"]
        for target in rule["targets"]
    }
    if wanted != found:
        yield f"routes: {sorted(wanted ^ found)} are not on both sides"


def azd(root: Path) -> Faults:
    """azure.yaml, also where azd's schema lets a slip pass: any key will do for it in a service."""
    told = yaml.safe_load((root / "azure.yaml").read_text())
    schema = schemas.read("azd")
    yield from (f"azure.yaml: {fault}" for fault in refused(told, schema))
    keys = set(schema["properties"]["services"]["additionalProperties"]["properties"])
    for name, service in told["services"].items():
        yield from (f"service {name}: azd knows no {key}" for key in service if key not in keys)
        yield from (f"service {name}: {fault}" for fault in _flaws_of_service(root, name, service))
    if set(told["services"]) != set(SETTINGS) - {"gateway"}:
        yield f"azure.yaml: the services are {sorted(told['services'])}"
    infra = told.get("infra", {})
    if not (root / infra.get("path", "") / f"{infra.get('module')}.bicepparam").exists():
        yield "azure.yaml: there is no platform where infra says"
    if set(told["hooks"]) != {"preprovision", "postprovision", "postdeploy"}:
        yield f"azure.yaml: the hooks are {sorted(told['hooks'])}"
    for name, hook in told["hooks"].items():
        if hook.get("kind") != "python" or not (root / hook.get("run", "")).is_file():
            yield f"hook {name} is no Python file that is there"


def _flaws_of_service(root: Path, name: str, service: Mapping[str, Any]) -> Faults:
    if service.get("host") != "containerapp":
        yield f"host is {service.get('host')}"
    if service.get("module") != name or not (root / "deploy/azure" / f"{service.get('module')}.bicepparam").exists():
        yield f"{service.get('module')} is no file of its own in deploy/azure"
    docker = service.get("docker", {})
    if not (PROJECT / docker.get("path", "-")).is_file():
        yield f"{docker.get('path')} is not there"
    if docker.get("context") != "." or docker.get("remoteBuild") is not True or service.get("project") != ".":
        yield "it is not built in the registry, from the root of the project"

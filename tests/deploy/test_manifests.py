"""The manifests as they are: they render, nothing in them is refused, and Container Apps' are what they render to."""

import copy
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from deploy import aca, lint
from deploy.lint import environment, keda, routes, schemas
from deploy.lint.documents import MANIFESTS, ROOT, Document, containers, of_kind
from deploy.lint.documents import environment as told_to
from localcloud.topology import Topology
from tests.deploy.conftest import Rendered
from tests.deploy.tools import resolved

pytestmark = pytest.mark.deploy

DEPLOYABLES = ("catalog", "orders", "customers", "functions", "gateway")
CLUSTERS = ("base", "overlays/aks", "overlays/local")
ON_LAPTOP = ("catalog", "orders", "customers", "gateway")
# On the node's own network, where the local cloud is, a port can be taken once only.
ALLOWED_ON_LAPTOP = [
    f"Deployment/{name}: {said}"
    for name in ON_LAPTOP
    for said in ("hostNetwork: the host's is not for us", "rollingUpdate.maxUnavailable: None is not 0")
]
ELSEWHERE_IN_COMPOSE = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CA_FILE", "LOG_LEVEL", "CORS_ORIGINS", "MEDIA_URL"}


@pytest.fixture(scope="module")
def apps(rendered: Rendered) -> dict[str, Document]:
    return {name: spec for name, spec in aca.render(rendered("base")).items() if name != aca.ROUTES}


@pytest.mark.parametrize("folder", ["base", "overlays/aks"])
def test_a_cluster_would_take_it(folder: str, rendered: Rendered, store: Topology) -> None:
    assert list(lint.check_cluster(rendered(folder), store)) == []


def test_a_laptop_would_take_it(rendered: Rendered, store: Topology) -> None:
    said = lint.check_cluster(rendered("overlays/local"), store, environment.names_on_laptop)

    assert sorted(said) == sorted(ALLOWED_ON_LAPTOP)


@pytest.mark.parametrize("name", ON_LAPTOP)
def test_on_a_laptop_one_is_told_what_compose_tells(name: str, rendered: Rendered) -> None:
    documents = rendered("overlays/local")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][name]["environment"]

    (deployment,) = (each for each in of_kind(documents, "Deployment") if each["metadata"]["name"] == name)
    *_, (_, container) = containers(deployment)
    told = told_to(documents, container)

    assert {key: told.get(key) for key in compose if key not in ELSEWHERE_IN_COMPOSE} == {
        key: value for key, value in compose.items() if key not in ELSEWHERE_IN_COMPOSE
    }


@pytest.mark.usefixtures("validators")
@pytest.mark.parametrize("folder", CLUSTERS)
def test_kubernetes_knows_every_field(folder: str, rendered: Rendered) -> None:
    assert list(schemas.check_core_kinds(rendered(folder))) == []


@pytest.mark.parametrize("folder", CLUSTERS)
def test_its_extensions_know_every_field(folder: str, rendered: Rendered, schema_folder: Path) -> None:
    documents = rendered(folder)

    assert list(schemas.check_custom_kinds(documents, schema_folder)) == []
    assert list(keda.check_keys(documents, keda.keys(schemas.scalers(schema_folder)))) == []


@pytest.mark.parametrize("folder", ["base", "overlays/aks"])
def test_what_is_let_in_is_what_the_topology_says(folder: str, rendered: Rendered, store: Topology) -> None:
    assert list(routes.check_routes(rendered(folder), store)) == []


def test_every_queue_has_one_who_is_scaled_by_it(rendered: Rendered, store: Topology) -> None:
    scalers = of_kind(rendered("base"), "ScaledObject")
    by_queue = {
        trigger["metadata"]["queueName"]: scaler["metadata"]["name"]
        for scaler in scalers
        for trigger in scaler["spec"]["triggers"]
        if trigger["type"] == "azure-servicebus"
    }

    assert by_queue == {queue: queue for queue in store.queues}


@pytest.mark.parametrize("folder", ["overlays/aks", "overlays/local"])
def test_an_overlay_leaves_nothing_open(folder: str, rendered: Rendered) -> None:
    assert list(environment.check_filled(rendered(folder))) == []


def test_functions_on_a_cluster_ask_for_tokens_of_the_audience_that_services_check(rendered: Rendered) -> None:
    """The registration's URI is made of its client id, so an example of one must look like one of the other."""
    told = [each["data"] for each in of_kind(rendered("overlays/aks"), "ConfigMap")]

    (scope,) = {data["API_SCOPE"] for data in told if "API_SCOPE" in data}
    (audience,) = {data["AUDIENCE"] for data in told if "AUDIENCE" in data}

    assert scope == f"api://{audience}/.default"


@pytest.mark.parametrize("name", DEPLOYABLES)
def test_a_team_deploys_its_folder_alone(name: str, rendered: Rendered) -> None:
    documents = rendered(f"overlays/aks/{name}")

    whole = {(each["kind"], each["metadata"]["name"]) for each in rendered("overlays/aks")}
    assert {(each["kind"], each["metadata"]["name"]) for each in documents} <= whole
    assert {each["metadata"]["namespace"] for each in documents} == {"store"}
    assert [each["metadata"]["name"] for each in of_kind(documents, "Deployment")] == [name]
    assert not of_kind(documents, "HTTPRoute")


@pytest.mark.parametrize("name", ["catalog", "orders", "customers"])
def test_a_service_is_migrated_with_what_it_is_run_with(name: str, rendered: Rendered) -> None:
    documents = rendered(f"overlays/aks/{name}")
    (deployment,) = of_kind(documents, "Deployment")

    (_, migration), (_, service) = containers(deployment)

    assert migration["command"] == ["python", "-m", f"services.{name}", "migrate"]
    assert migration["image"] == service["image"]
    assert migration["envFrom"] == service["envFrom"]


@pytest.mark.parametrize("name", ["catalog", "orders", "customers", "functions"])
def test_who_one_is_in_azure_is_said_alike_everywhere(name: str, rendered: Rendered) -> None:
    documents = rendered(f"overlays/aks/{name}")
    (account,), (settings,) = of_kind(documents, "ServiceAccount"), of_kind(documents, "ConfigMap")
    (deployment,) = of_kind(documents, "Deployment")

    annotation = account["metadata"]["annotations"]["azure.workload.identity/client-id"]

    assert annotation == settings["data"]["AZURE_CLIENT_ID"]
    assert deployment["spec"]["template"]["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_compose_can_be_laid_on_the_network_of_the_node() -> None:
    project = resolved("-f", "docker-compose.yml", "-f", "deploy/k8s/overlays/local/compose.yaml")

    network = project["services"]["loopback"]
    assert (network["network_mode"], network.get("ports", [])) == ("host", [])


def test_the_host_of_functions_finds_the_keys_that_bicep_knows(rendered: Rendered) -> None:
    keys = json.loads((ROOT / "deploy" / "azure" / "keys.json").read_text())
    documents = rendered("overlays/aks/functions")

    assert {each.get("objectAlias"): each["objectName"] for each in read_from_vault(documents, "functions-keys")} == {
        "host.master": keys["master"],
        "host.function.default": keys["default"],
        "host.systemKey.eventgrid_extension": keys["eventGrid"],
    }


def read_from_vault(documents: Sequence[Document], provider: str) -> list[Document]:
    (found,) = (each for each in of_kind(documents, "SecretProviderClass") if each["metadata"]["name"] == provider)
    return [yaml.safe_load(each) for each in yaml.safe_load(found["spec"]["parameters"]["objects"])["array"]]


def test_the_functions_may_read_the_key_of_the_payment_provider_under_one_name(
    rendered: Rendered, store: Topology
) -> None:
    (secret,) = read_from_vault(rendered("overlays/aks/functions"), "functions-payments")

    assert secret["objectName"] in store.secrets
    assert "secrets/functions-*" in {right.on for right in store.identities["functions"].rights}
    assert f"/secrets/{secret['objectName']}'" in (ROOT / "deploy/azure/modules/functions.bicep").read_text()


def test_without_a_cluster_nothing_is_asked_of_its_extensions(rendered: Rendered) -> None:
    brought = [each["apiVersion"] for each in rendered("overlays/local") if "." in each["apiVersion"].partition("/")[0]]

    assert brought == []


def test_container_apps_would_take_it(apps: dict[str, Document], store: Topology) -> None:
    assert sorted(apps) == sorted(DEPLOYABLES)
    assert list(lint.check_apps(apps, store)) == []


def test_a_volume_that_container_apps_would_not_get_is_refused(rendered: Rendered) -> None:
    documents = copy.deepcopy(rendered("base"))
    of_kind(documents, "Deployment")[0]["spec"]["template"]["spec"]["volumes"][0] = {"name": "tmp", "configMap": {}}

    with pytest.raises(LookupError, match="the volume tmp"):
        aca.render(documents)


@pytest.mark.parametrize("name", DEPLOYABLES)
def test_every_field_of_an_app_is_in_its_schema(name: str, apps: dict[str, Document], schema_folder: Path) -> None:
    known = keda.keys(schemas.scalers(schema_folder))

    assert list(schemas.check_app_schema(name, apps[name], schema_folder)) == []
    assert list(keda.check_app_keys(name, apps[name], known)) == []


def test_the_routes_of_container_apps_are_the_topologys(rendered: Rendered, store: Topology) -> None:
    assert list(routes.check_app_routes(aca.render(rendered("base"))[aca.ROUTES], store)) == []


def test_every_field_of_the_routes_is_in_its_schema(rendered: Rendered, schema_folder: Path) -> None:
    assert list(schemas.check_routes_schema(aca.render(rendered("base"))[aca.ROUTES], schema_folder)) == []


def test_the_committed_manifests_are_what_the_base_renders_to(rendered: Rendered) -> None:
    assert aca.drift(MANIFESTS / "aca", aca.texts(aca.render(rendered("base")))) == []


def test_the_command_says_the_same(rendered: Rendered) -> None:
    rendered("base")  # where kubectl is missing, this is left out
    command = [sys.executable, "-m", "deploy.aca", "--check"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_each_file_that_differs_or_is_not_rendered_any_more_is_shown(rendered: Rendered, tmp_path: Path) -> None:
    wanted = aca.texts(aca.render(rendered("base")))
    aca.write(tmp_path, wanted)
    orders = tmp_path / "orders.yaml"

    orders.write_text(orders.read_text().replace("maxReplicas: 10", "maxReplicas: 30"))
    (tmp_path / "old.yaml").write_text("kind: functionapp\n")
    (tmp_path / "routes.yaml").unlink()
    shown = "".join(aca.drift(tmp_path, wanted))

    assert "-      maxReplicas: 30\n+      maxReplicas: 10\n" in shown
    assert "-kind: functionapp" in shown
    assert "+++ rendered/routes.yaml" in shown
    aca.write(tmp_path, wanted)
    assert aca.drift(tmp_path, wanted) == []

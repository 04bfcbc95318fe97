"""Every check of the manifests sees what it is for."""

import copy
from collections.abc import Mapping

import pytest

from deploy import lint
from deploy.lint import environment, keda, routes, schemas
from deploy.lint.documents import Document
from localcloud.topology import Topology
from tests.deploy.conftest import Rendered
from tests.deploy.faults import GONE, Fault, edit, find, is_said

pytestmark = pytest.mark.deploy

POD, MAIN, INIT = "spec template spec", "spec template spec containers 0", "spec template spec initContainers 0"
NAME = "app.kubernetes.io/name"

# fmt: off
IN_A_CLUSTER: Mapping[str, Fault] = {
    "a Deployment that does not know its pods": (
        "Deployment/catalog", f"spec selector matchLabels {NAME}", "catalogue", "does not select its own pods"),
    "pods spread by the labels of others": (
        "Deployment/catalog", f"{POD} topologySpreadConstraints 0 labelSelector matchLabels {NAME}", "orders",
        "topologySpreadConstraints: does not select its own pods"),
    "a Service for nobody": (
        "Service/orders", f"spec selector {NAME}", "order", "Service/orders: spec.selector: selects no pod"),
    "a budget for nobody": (
        "PodDisruptionBudget/orders", f"spec selector matchLabels {NAME}", "order", "spec.selector: selects no pod"),
    "a budget that says both": ("PodDisruptionBudget/orders", "spec minAvailable", 1, "exactly one of minAvailable"),
    "a budget that says neither": (
        "PodDisruptionBudget/orders", "spec maxUnavailable", GONE, "exactly one of minAvailable"),
    "a policy for nobody": (
        "NetworkPolicy/out-to-mail", f"spec podSelector matchLabels {NAME}", "function",
        "spec.podSelector: selects no pod"),
    "a policy that lets in at a closed port": (
        "NetworkPolicy/in-from-functions", "spec ingress 0 ports 0 port", 8081, "Deployment/orders has no port 8081"),
    "a policy that lets in anybody": (
        "NetworkPolicy/in-from-functions", "spec ingress 0 from", GONE, "ingress.from: is left open"),
    "a policy that lets in everywhere": (
        "NetworkPolicy/in-from-functions", "spec ingress 0 ports", [], "ingress.ports: is left open"),
    "a policy that lets out anywhere": ("NetworkPolicy/out", "spec egress 0 ports", GONE, "egress.ports: is left open"),
    "nothing that is refused": (
        "NetworkPolicy/nothing-else", "spec policyTypes", ["Ingress"],
        "Deployment/orders: no NetworkPolicy refuses what is not said"),
    "a caller that may not go out": (
        "NetworkPolicy/out-to-services", "spec podSelector matchExpressions 0 values", ["gateway"],
        "Deployment/functions: no NetworkPolicy lets it out to Deployment/customers"),
    "a caller that goes out by another port": (
        "NetworkPolicy/out-to-services", "spec egress 0 ports 0 port", 80,
        "Deployment/gateway: no NetworkPolicy lets it out to Deployment/catalog"),
    "a service that does not let its caller in": (
        "NetworkPolicy/in-from-functions", "spec podSelector matchExpressions 0 values", ["orders"],
        "Deployment/customers: no NetworkPolicy lets Deployment/functions in"),
    "a scaler of nothing": ("ScaledObject/orders", "spec scaleTargetRef name", "order", "there is no Deployment/order"),
    "a Service that leads to no port": (
        "Service/orders", "spec ports 0 targetPort", "web", "Deployment/orders has no port web"),
    "a probe of no port": (
        "Deployment/orders", f"{MAIN} readinessProbe httpGet port", "web", "the container has no port web"),
    "a route to no port": (
        "HTTPRoute/store", "spec rules 1 backendRefs 0 port", 8080, "no Service/orders with port 8080"),
    "a ConfigMap that is not there": (
        "Deployment/orders", f"{INIT} envFrom 0 configMapRef name", "order-settings",
        "there is no ConfigMap/order-settings"),
    "a Secret that is not there": (
        "Deployment/orders", f"{MAIN} env",
        [{"name": "LOG_LEVEL", "valueFrom": {"secretKeyRef": {"name": "levels", "key": "x"}}}],
        "containers.orders.env.LOG_LEVEL: there is no Secret/levels"),
    "files that are not there": (
        "Deployment/orders", f"{POD} volumes 0", {"name": "tmp", "configMap": {"name": "files"}},
        "volumes.tmp: there is no ConfigMap/files"),
    "secret files that are not there": (
        "Deployment/orders", f"{POD} volumes 0", {"name": "tmp", "secret": {"secretName": "files"}},
        "volumes.tmp: there is no Secret/files"),
    "a ServiceAccount that is not there": (
        "Deployment/orders", f"{POD} serviceAccountName", "order", "there is no ServiceAccount/order"),
    "a mount of no volume": ("Deployment/orders", f"{MAIN} volumeMounts 0 name", "temp", "there is no volume temp"),
    "a scaler that shows nothing": (
        "ScaledObject/orders", "spec triggers 0 authenticationRef name", "azure",
        "there is no TriggerAuthentication/azure"),
    "a certificate that nobody brings": (
        "Gateway/store", "spec listeners 0 tls certificateRefs 0 name", "tls", "there is no Secret/tls"),
    "a volume that no provider fills": (
        "Deployment/gateway", f"{POD} volumes 0 csi volumeAttributes secretProviderClass", "tls",
        "there is no SecretProviderClass/tls"),
    "pods that may be root": (
        "Deployment/orders", f"{POD} securityContext runAsNonRoot", GONE, "runAsNonRoot: is not true"),
    "pods that are root": (
        "Deployment/orders", f"{POD} securityContext runAsUser", 0, "runAsUser and runAsGroup are not 10001"),
    "pods without seccomp": (
        "Deployment/orders", f"{POD} securityContext seccompProfile type", "Unconfined",
        "seccompProfile: is not RuntimeDefault"),
    "pods on the host's network": (
        "Deployment/orders", f"{POD} hostNetwork", True, "hostNetwork: the host's is not for us"),
    "pods that read the host's files": (
        "Deployment/orders", f"{POD} volumes 0", {"name": "tmp", "hostPath": {"path": "/tmp"}},
        "volumes.tmp: hostPath is not allowed"),
    "pods that hold the cluster's token": (
        "Deployment/orders", f"{POD} automountServiceAccountToken", True, "automountServiceAccountToken: is not false"),
    "an account that hands out its token": (
        "ServiceAccount/orders", "automountServiceAccountToken", GONE, "automountServiceAccountToken: is not false"),
    "a container that may become more": (
        "Deployment/orders", f"{INIT} securityContext allowPrivilegeEscalation", GONE,
        "allowPrivilegeEscalation: is not false"),
    "a container that keeps a capability": (
        "Deployment/orders", f"{MAIN} securityContext capabilities add", ["NET_RAW"],
        "capabilities: not all are dropped"),
    "a container that changes its own files": (
        "Deployment/orders", f"{MAIN} securityContext readOnlyRootFilesystem", False,
        "readOnlyRootFilesystem: is not true"),
    "a container on a port of the host": (
        "Deployment/orders", f"{MAIN} ports 0 hostPort", 80, "ports.hostPort: the host's is not for us"),
    "a privileged container": (
        "Deployment/orders", f"{MAIN} securityContext privileged", True, "securityContext.privileged"),
    "a way in that lets anything run": (
        "Namespace/store-entrance", "metadata labels pod-security.kubernetes.io/enforce", "privileged",
        "enforce is not restricted or baseline"),
    "a route on no way in": (
        "HTTPRoute/store", "spec parentRefs 0 namespace", "store", "parentRefs: there is no Gateway/store"),
    "a way in that takes no routes from elsewhere": (
        "Gateway/store", "spec listeners 0 allowedRoutes", GONE, "Gateway/store takes no routes of store"),
    "a certificate that is for another to read": (
        "ReferenceGrant/certificate", "spec from 0 namespace", "default",
        "store does not let it read store-certificate"),
    "a namespace that lets anything run": (
        "Namespace/store", "metadata labels pod-security.kubernetes.io/enforce", "baseline",
        "enforce is not restricted"),
    "the latest image": (
        "Deployment/orders", f"{MAIN} image", "example.azurecr.io/store/orders:latest", "name a version"),
    "an image without a version": (
        "Deployment/orders", f"{INIT} image", "localhost:5000/store/orders", "name a version"),
    "cores in no unit": ("Deployment/orders", f"{MAIN} resources requests cpu", "1/4", "'1/4' is no number of cores"),
    "memory in no unit": (
        "Deployment/orders", f"{MAIN} resources requests memory", "512Megs", "'512Megs' is no size of memory"),
    "memory that does not go with the cores": (
        "Deployment/orders", f"{MAIN} resources",
        {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "250m with 1Gi is no pair that Container Apps takes"),
    "more memory than was asked for": (
        "Deployment/orders", f"{MAIN} resources limits memory", "1Gi", "1Gi is not the 512Mi that is asked for"),
    "a setting that is missing": (
        "ConfigMap/orders-settings", "data KEY_VAULT", GONE, "containers.orders.env: KEY_VAULT is missing"),
    "a setting that nobody reads": ("ConfigMap/orders-settings", "data STORE_ULR", "x", "nobody asks for STORE_ULR"),
    "a setting of another deployable": (
        "ConfigMap/orders-settings", "data MEDIA_URL", "https://example.com", "nobody asks for MEDIA_URL"),
    "a setting of the laptop's": (
        "ConfigMap/orders-settings", "data IDENTITY_HEADER", "x", "nobody asks for IDENTITY_HEADER"),
    "a setting that can't be read": ("ConfigMap/orders-settings", "data PORT", "http", "PORT: 'http': Expected `int`"),
    "a setting that was never set": (
        "ConfigMap/orders-settings", "data ISSUER", environment.PLACEHOLDER, "data.ISSUER is set-by-the-environment"),
    "a host of functions without storage": (
        "ConfigMap/functions-settings", "data AzureWebJobsStorage__accountName", GONE,
        "AzureWebJobsStorage__accountName is missing"),
    "a gateway that does not know orders": (
        "ConfigMap/gateway-settings", "data ORDERS_URL", GONE, "ORDERS_URL is missing"),
    "a typo in a key of KEDA's": (
        "ScaledObject/orders", "spec triggers 0 metadata mesageCount", "50", "mesageCount is unknown to KEDA"),
    "a scaler that KEDA has not": (
        "ScaledObject/orders", "spec triggers 0 type", "servicebus", "KEDA has no such scaler"),
    "a scaler on a queue that nobody makes": (
        "ScaledObject/orders", "spec triggers 0 metadata queueName", "order", "the topology has no queue order"),
    "a scaler that may not ask": (
        "ScaledObject/orders", "spec triggers 0 authenticationRef", GONE, "without authenticationRef it can't ask"),
    "a scaler that does not know where": (
        "ScaledObject/orders", "spec triggers 0 metadata namespace", GONE, "namespace: is needed"),
    "more replicas at least than at most": ("ScaledObject/orders", "spec minReplicaCount", 11, "11 to 10 replicas"),
    "sleep from which a processor can't wake": (
        "ScaledObject/gateway", "spec minReplicaCount", 0, "can't wake what sleeps"),
    "a probe more patient than Container Apps": (
        "Deployment/orders", f"{MAIN} startupProbe failureThreshold", 30,
        "failureThreshold: 30 is not between 1 and 10"),
    "a probe too seldom": (
        "Deployment/orders", f"{MAIN} livenessProbe periodSeconds", 300, "300 is not between 1 and 240"),
    "a probe that waits for nothing": (
        "Deployment/orders", f"{MAIN} livenessProbe initialDelaySeconds", 0, "0 is not between 1 and 60"),
    "a probe by a command": (
        "Deployment/orders", f"{MAIN} livenessProbe", {"exec": {"command": ["true"]}},
        "exactly one of httpGet and tcpSocket"),
    "a start that must succeed twice": (
        "Deployment/orders", f"{MAIN} startupProbe successThreshold", 2, "successThreshold: is not 1"),
    "too little time to finish": (
        "Deployment/orders", f"{POD} terminationGracePeriodSeconds", 20, "20 is less than the 28"),
    "more time to finish than there is": (
        "Deployment/orders", f"{POD} terminationGracePeriodSeconds", 700, "700 is more than Container Apps waits"),
    "too long a drain": ("ConfigMap/orders-settings", "data DRAIN_SECONDS", "10", "30 is less than the 35"),
    "too long a pause": ("Deployment/gateway", f"{MAIN} lifecycle preStop sleep seconds", 10, "30 is less than the 35"),
    "an update with fewer replicas": (
        "Deployment/orders", "spec strategy rollingUpdate maxUnavailable", 1, "maxUnavailable: 1 is not 0"),
    "a field that Kubernetes has not": ("Deployment/orders", "spec replica", 2, "'replica' was unexpected"),
    "a version that Kubernetes has no more": (
        "PodDisruptionBudget/orders", "apiVersion", "policy/v1beta1", "Couldn't find schema for kind PodDisrup"),
    "a field that KEDA has not": (
        "ScaledObject/orders", "spec maxReplicasCount", 30, "'maxReplicasCount' was unexpected"),
    "a field that a CSI driver has not": (
        "SecretProviderClass/certificate", "spec secretObject", [], "'secretObject' was unexpected"),
    "a kind of match that Gateway API has not": (
        "HTTPRoute/store", "spec rules 1 matches 0 path type", "Prefix", "'Prefix' is not one of"),
    "a version that no CRD has": (
        "ScaledObject/orders", "apiVersion", "keda.sh/v1", "there is no keda.sh/v1 ScaledObject"),
    "a way in that is not there": ("HTTPRoute/store", "metadata name", "shop", "HTTPRoute/store: is missing"),
    "a route that is missing": ("HTTPRoute/store", "spec rules 1", GONE, "/api/orders to orders is missing"),
    "a route that nobody asked for": (
        "HTTPRoute/store", "spec rules 1 matches 0 path value", "/health", "/health to orders is not in the topology"),
    "a route to the wrong service": (
        "HTTPRoute/store", "spec rules 1 backendRefs 0 name", "catalog",
        "/api/orders to catalog is not in the topology"),
    "a route that rewrites wrongly": (
        "HTTPRoute/store", "spec rules 2 filters 0 urlRewrite path replacePrefixMatch", "/api/order",
        "/api/invoice to orders as /api/order is not in the topology"),
    "more than events by the way of events": (
        "HTTPRoute/events", "spec rules 0 matches 0 path", {"type": "PathPrefix", "value": "/"},
        "more than Event Grid's calls"),
}
# fmt: on


@pytest.mark.parametrize("fault", IN_A_CLUSTER)
def test_a_fault_in_a_cluster_is_seen(fault: str, rendered: Rendered, store: Topology, validators: None) -> None:
    name, path, value, expected = IN_A_CLUSTER[fault]
    documents = copy.deepcopy(rendered("overlays/aks"))
    faulty = find(documents, name)

    edit(faulty, path, value)
    said = [*lint.check_cluster(documents, store), *routes.check_routes(documents, store)]
    said += environment.check_filled(documents)
    if not is_said(expected, said):  # then it is for a schema to say it
        said += said_by_schemas_of_clusters(faulty)

    assert is_said(expected, said), said


def said_by_schemas_of_clusters(document: Document) -> list[str]:
    return [
        *schemas.check_core_kinds([document]),
        *schemas.check_custom_kinds([document]),
        *keda.check_keys([document], keda.keys()),
    ]

"""The same for the apps and azure.yaml."""

from pathlib import Path

import pytest

from tests.deploy import azure_app_rules as app
from tests.deploy.azure_slips import ACA, AZURE, MODULES, Slip, copied, told_of

pytestmark = pytest.mark.deploy

# What is wrong, in which file, what stands there, what stands there instead, which rule must say what.
SLIPS = [
    ("a setting is forgotten", MODULES + "service.bicep", "        AUDIENCE: apiClientId\n", "", app.settings,
     "catalog: AUDIENCE is set by nobody"),
    ("a setting is misspelt", AZURE + "catalog.bicep", "MEDIA_URL:", "MEDIAURL:", app.settings,
     "MEDIAURL is given, and nobody asks for it"),
    ("a setting that the spec lacks", ACA + "orders.yaml",
     "      - name: ISSUER\n        value: set-by-the-environment\n", "", app.settings,
     "orders.env: ISSUER is missing"),
    ("a setting of everybody's is misspelt", MODULES + "service.bicep", "name: 'CORS_ORIGINS'", "name: 'CORS_ORIGIN'",
     app.settings, "containers.catalog.env: nobody asks for CORS_ORIGIN"),
    ("a setting of the functions is misspelt", MODULES + "functions.bicep", "name: 'STAFF_LANGUAGE'",
     "name: 'STAFF_LANG'", app.settings, "nobody asks for STAFF_LANG"),
    ("a setting of the host is misspelt", MODULES + "functions.bicep", "_AUTHENTICATION_STRING'", "_AUTHENTICATION'",
     app.settings, "nobody asks for APPLICATIONINSIGHTS_AUTHENTICATION"),
    ("a setting without a value", AZURE + "functions.bicepparam", "'MAIL_URL'", "'MAILURL'", app.settings,
     "functions: MAIL_URL is set by nobody"),
    ("a secret that is plain to read", MODULES + "functions.bicep", "PAYMENTS_KEY:", "MAIL_PASSWORD:", app.settings,
     "functions: PAYMENTS_KEY is plain to read"),
    ("a server that is not", MODULES + "names.bicep", "'mssql://${service}@${names.azuresql}",
     "'mssql://${service}@sql-${names.azuresql}", app.stores, "does not lead to"),
    ("a way in by password", MODULES + "names.bicep", "/${service}?authentication=entra'\n    : engine",
     "/${service}'\n    : engine", app.stores, "by a password"),
    ("an app of no form", ACA + "catalog.yaml", "    terminationGracePeriodSeconds: 30", "    gracePeriod: 30",
     app.apps, "gracePeriod"),
    ("a probe of no type", ACA + "customers.yaml", "type: Readiness", "type: readiness", app.apps, "customers"),
    ("the platform's identity for all", MODULES + "app.bicep", "lifecycle: 'None'", "lifecycle: 'All'", app.apps,
     "identities are for"),
    ("a scaler nobody lets in", MODULES + "app.bicep", "          identity: identity\n", "", app.apps,
     "rule queue has no identity"),
    ("a scaler of no queue", ACA + "orders.yaml", "queueName: orders", "queueName: order", app.apps,
     "looks at no queue of ours"),
    ("rules for functions", MODULES + "app.bicep",
     "contains(told.scale, 'rules')\n        ? { scale: { rules: map(told.scale.rules",
     "true\n        ? { scale: { rules: map(told.scale.?rules ?? []", app.apps, "functions: the platform scales"),
    ("an image by hand", MODULES + "app.bicep", "    image: image\n    env", "    env", app.apps,
     "the image is store/catalog:dev"),
    ("the functions are shut in", ACA + "functions.yaml", "external: true", "external: false", app.apps,
     "functions: who may call"),
    ("the functions are no functions", ACA + "functions.yaml", "kind: functionapp\n", "", app.apps,
     "functions: the kind is None"),
    ("a route to everything", ACA + "routes.yaml", "pathSeparatedPrefix: /api/orders", "pathSeparatedPrefix: /",
     app.routes, "routes"),
    ("a route of no form", ACA + "routes.yaml", "prefixRewrite:", "rewrite:", app.routes, "rewrite"),
    ("a slip in a service", "azure.yaml", "  catalog:\n    project: .\n    host:",
     "  catalog:\n    project: .\n    hosted: x\n    host:", app.azd, "azd knows no hosted"),
    ("another host", "azure.yaml", "host: containerapp", "host: containerapps", app.azd, "host is containerapps"),
    ("a Dockerfile that is not", "azure.yaml", "services/orders/Dockerfile", "services/order/Dockerfile", app.azd,
     "order/Dockerfile is not there"),
    ("a build on the laptop", "azure.yaml", "remoteBuild: true", "remoteBuild: false", app.azd,
     "not built in the registry"),
    ("a slip in docker", "azure.yaml", "context: .,", "contexts: .,", app.azd, "contexts"),
    ("another's file", "azure.yaml", "module: orders", "module: catalog", app.azd,
     "service orders: catalog is no file of its own"),
    ("a hook that is not", "azure.yaml", "hooks/postdeploy.py", "hooks/afterdeploy.py", app.azd,
     "hook postdeploy is no Python file"),
    ("a hook of no command", "azure.yaml", "  postdeploy:", "  afterdeploy:", app.azd, "afterdeploy"),
    ("a shell for a Python hook", "azure.yaml", "preprovision: {kind: python", "preprovision: {kind: sh", app.azd,
     "hook preprovision is no Python"),
    ("infra elsewhere", "azure.yaml", "path: deploy/azure", "path: infra", app.azd, "no platform where infra says"),
]  # fmt: skip


@pytest.mark.parametrize("slip", [Slip(*slip) for slip in SLIPS], ids=lambda slip: slip.name)
def test_a_slip_is_seen(slip: Slip, tmp_path: Path) -> None:
    assert slip.said in told_of(slip, copied(tmp_path))

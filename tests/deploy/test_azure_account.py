"""The hooks work where azd does, whatever az's own default is."""

import pytest

from localcloud.topology import Topology
from tests.deploy.azure_stand_ins import ACCOUNT, Cloud, ok, vault

pytestmark = pytest.mark.deploy

OF_NO_SUBSCRIPTION = ("az ad", "az rest", "az account show")


@pytest.mark.parametrize("hook", ["preprovision", "postprovision"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"id": "other"},
            "az is in the subscription other, azd in sub-test: az account set --subscription sub-test",
        ),
        ({"tenantId": "other"}, "az is in the tenant other, azd in tenant-test: az login --tenant tenant-test"),
    ],
)
def test_where_az_works_elsewhere_nothing_is_done(hook: str, change: dict[str, str], said: str, cloud: Cloud) -> None:
    cloud.answers(("account show", ok(ACCOUNT | change)))

    done = cloud.run(hook)

    assert done.returncode == 1
    assert said in done.stderr
    assert [each["command"] for each in cloud.heard("")] == [["az", "account", "show", "--output", "json"]]


def test_a_tenant_that_azd_does_not_name_is_that_of_the_subscription(cloud: Cloud) -> None:
    done = cloud.run("preprovision", AZURE_TENANT_ID="", AZURE_SUBSCRIPTION_ID="SUB-TEST")

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("hook", ["postprovision", "postdeploy"])
def test_whatever_is_of_a_subscription_is_told_azds(hook: str, cloud: Cloud, store: Topology) -> None:
    cloud.answers(*vault(store.secrets))

    done = cloud.run(hook)

    lines = [" ".join(each["command"]) for each in cloud.heard("az ")]
    told = [line for line in lines if not line.startswith(OF_NO_SUBSCRIPTION)]
    assert done.returncode == 0, done.stderr
    assert [line for line in told if "--subscription sub-test" not in line] == []
    assert len(told) > 1


@pytest.mark.parametrize(
    ("kind", "asked", "becomes"),
    [("user", "signed-in-user show", "User"), ("servicePrincipal", "sp show --id ada", "ServicePrincipal")],
)
def test_whoever_is_logged_in_becomes_the_operator(kind: str, asked: str, becomes: str, cloud: Cloud) -> None:
    cloud.answers(("account show", ok({**ACCOUNT, "user": {"name": "ada", "type": kind}})), (asked, ok('"id-of-ada"')))

    done = cloud.run("preprovision", OPERATOR_NAME="")

    assert done.returncode == 0, done.stderr
    assert len(cloud.heard("azd env set AZURE_PRINCIPAL_ID id-of-ada")) == 1
    assert len(cloud.heard("azd env set OPERATOR_NAME ada")) == 1
    assert len(cloud.heard(f"azd env set AZURE_PRINCIPAL_TYPE {becomes}")) == 1

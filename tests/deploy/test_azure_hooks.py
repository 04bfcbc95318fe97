"""azd's hooks, as azd starts them."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.azure.hooks.postprovision import postprovision
from deploy.azure.hooks.preprovision import flaws
from deploy.azure.hooks.tools import Failed, Tools, written
from localcloud.topology import Topology
from tests.deploy.azure_stand_ins import HOOKS, Cloud, ok, patient, vault

pytestmark = pytest.mark.deploy

PROJECT = Path(__file__).parents[2]
NAMES = ("preprovision", "postprovision", "postdeploy")


@pytest.mark.parametrize("hook", NAMES)
def test_a_dry_run_says_what_would_be_done_and_does_nothing(hook: str, cloud: Cloud) -> None:
    done = cloud.run(hook, "--dry-run", PATH="")
    also = cloud.run(hook, "--dry-run")

    assert (done.returncode, also.returncode) == (0, 0), done.stderr + also.stderr
    assert "would " in done.stdout
    assert cloud.heard("") == []
    assert list((cloud.folder / "files").iterdir()) == []


def test_what_is_missing_is_said_at_once_before_anything_is_made(cloud: Cloud) -> None:
    done = cloud.run("preprovision", MAIL_URL="", MAIL_FROM="", ORDERS_ENGINE="mysql")

    assert done.returncode == 1
    assert "MAIL_URL is not set: azd env set MAIL_URL" in done.stderr
    assert "MAIL_FROM is not set" in done.stderr
    assert "ORDERS_ENGINE=mysql is unknown: it is one of postgres, azuresql, tables, cosmos" in done.stderr
    assert cloud.heard("") == []


@pytest.mark.parametrize(
    ("engine", "missing"), [("postgres", ["psql"]), ("azuresql", ["sqlcmd"]), ("tables", []), ("cosmos", [])]
)
def test_a_client_is_asked_for_only_where_its_engine_is(engine: str, missing: list[str], cloud: Cloud) -> None:
    for name in ("psql", "sqlcmd"):
        (cloud.folder / name).unlink()
    engines = {f"{name}_ENGINE": engine for name in ("CATALOG", "ORDERS", "CUSTOMERS")}

    found = flaws(Tools(environment={**cloud.environment, **engines}))

    assert [flaw.split(" ")[0] for flaw in found] == missing


@pytest.mark.parametrize(
    ("engine", "address", "said"),
    [
        ("postgres", "", "OPERATOR_ADDRESS is not set, and nobody could tell postgres who may enter: azd env set"),
        ("azuresql", "", "OPERATOR_ADDRESS is not set, and nobody could tell azuresql who may enter: azd env set"),
        ("postgres", "2001:db8::7", "OPERATOR_ADDRESS=2001:db8::7 is no IPv4 address"),
        ("postgres", "203.0.113.0/24", "OPERATOR_ADDRESS=203.0.113.0/24 is no IPv4 address"),
    ],
)
def test_a_database_that_the_hooks_could_not_enter_is_not_made(
    engine: str, address: str, said: str, cloud: Cloud
) -> None:
    engines = {"CATALOG_ENGINE": "tables", "ORDERS_ENGINE": engine, "CUSTOMERS_ENGINE": "cosmos"}

    done = cloud.run("preprovision", OPERATOR_ADDRESS=address, **engines)

    assert done.returncode == 1
    assert said in done.stderr
    assert cloud.heard("") == []


@pytest.mark.parametrize("engine", ["tables", "cosmos"])
def test_tables_need_no_address(engine: str, cloud: Cloud) -> None:
    engines = {f"{name}_ENGINE": engine for name in ("CATALOG", "ORDERS", "CUSTOMERS")}

    done = cloud.run("preprovision", OPERATOR_ADDRESS="", **engines)

    assert done.returncode == 0, done.stderr


def test_every_secret_of_the_topology_is_made_at_random_and_shown_to_nobody(cloud: Cloud, store: Topology) -> None:
    cloud.answers(*vault([]))

    done = cloud.run("postprovision")

    made = {each["command"][each["command"].index("--name") + 1]: each for each in cloud.heard("secret set")}
    values = [each["files"][0] for each in made.values()]
    keys = json.loads((HOOKS.parent / "keys.json").read_text()).values()
    assert done.returncode == 0, done.stderr
    assert set(made) == {*store.secrets, *keys}
    assert len({*values}) == len(made) and all(len(value) >= 40 for value in values)
    assert not any(
        value in done.stdout + done.stderr + json.dumps(each["command"]) for value in values for each in made.values()
    )
    assert list((cloud.folder / "files").iterdir()) == []


def test_a_secret_that_is_there_stays(cloud: Cloud, store: Topology) -> None:
    keys = json.loads((HOOKS.parent / "keys.json").read_text()).values()
    cloud.answers(*vault([*store.secrets, *keys]))

    done = cloud.run("postprovision")

    assert done.returncode == 0, done.stderr
    assert cloud.heard("secret set") == []


def test_rights_on_secrets_are_given_after_the_secrets_are_there(cloud: Cloud) -> None:
    cloud.answers(*vault([]))

    cloud.run("postprovision")

    order = [each["command"][1:4] for each in cloud.heard("az ")]
    assert max(i for i, each in enumerate(order) if each == ["keyvault", "secret", "set"]) < order.index(
        ["deployment", "group", "create"]
    )


def test_each_service_enters_its_own_database_as_its_identity(cloud: Cloud) -> None:
    cloud.answers(*vault([]))

    done = cloud.run("postprovision")

    postgres, azuresql = cloud.heard("psql"), cloud.heard("sqlcmd")
    sql = [each["command"][-1] for each in postgres]
    assert done.returncode == 0, done.stderr
    assert [each["command"][each["command"].index("-d") + 1] for each in postgres] == [
        "postgres",
        "catalog",
        "postgres",
        "orders",
    ]
    assert "pgaadauth_create_principal_with_oid('catalog', 'id-of-catalog', 'service', false, false)" in sql[0]
    assert 'REVOKE ALL ON DATABASE "orders" FROM PUBLIC' in sql[2]
    assert {(each["user"], each["password"]) for each in postgres} == {("ada@example.com", "token-of-ada")}
    assert not any("token-of-ada" in " ".join(each["command"]) for each in cloud.heard(""))
    assert (
        "CREATE USER [customers] FROM EXTERNAL PROVIDER WITH OBJECT_ID = 'id-of-customers'"
        in azuresql[0]["command"][-1]
    )
    assert "token-of-ada" not in done.stdout + done.stderr


def test_a_right_that_is_not_known_yet_is_waited_for(cloud: Cloud) -> None:
    refused = (1, "", "(Forbidden) Caller is not authorized. Code: ForbiddenByRbac")
    cloud.answers(("secret list", [refused, refused, *ok("[]")]), *vault([]))
    pauses: list[float] = []

    postprovision(patient(cloud, lambda: 0.0, pauses))

    assert len(pauses) == 2


def test_what_stays_refused_is_an_error_in_the_end(cloud: Cloud) -> None:
    cloud.answers(("secret list", [(1, "", "ForbiddenByRbac")]))
    times = iter(range(0, 10_000, 100))

    with pytest.raises(Failed, match="az keyvault secret list … failed: ForbiddenByRbac"):
        postprovision(patient(cloud, lambda: float(next(times)), []))


def test_a_program_that_hangs_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "az"
    program.write_text(f"#!{sys.executable}\nimport signal\nsignal.pause()\n")
    program.chmod(0o700)

    with pytest.raises(Failed, match="did not end within 0 s"):
        Tools(environment={"PATH": str(tmp_path)}).do("az", "account", "show", seconds=0.2)


def test_a_secret_on_its_way_can_be_read_by_nobody_else_and_is_gone_after() -> None:
    with written("a secret") as file:
        assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600

    assert not Path(file).exists()


def test_azd_is_kept_from_installing_the_store() -> None:
    """It looks for requirements.txt, and then pyproject.toml, from the hook's folder up."""
    lines = (HOOKS / "requirements.txt").read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


@pytest.mark.parametrize("path", sorted(HOOKS.glob("*.py")), ids=lambda path: path.name)
def test_hooks_import_nothing_that_azd_users_lack(path: Path) -> None:
    code = f"import sys; sys.path[:0] = [{str(PROJECT)!r}]; import deploy.azure.hooks.{path.stem}"

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 0, done.stderr

"""azd's hooks, as azd starts them; programs that stand in for az, azd, psql and sqlcmd note what they are told."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.azure.hooks import entra
from deploy.azure.hooks.postprovision import postprovision
from deploy.azure.hooks.preprovision import flaws
from deploy.azure.hooks.tools import Failed, Tools, written
from localcloud.topology import Topology

pytestmark = pytest.mark.deploy

PROJECT = Path(__file__).parents[2]
HOOKS = PROJECT / "deploy/azure/hooks"
NAMES = ("preprovision", "postprovision", "postdeploy")
LONGEST_SECONDS = 30
STAND_IN = """\
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
command = [pathlib.Path(__file__).name, *sys.argv[1:]]
files = [each.removeprefix("@") for each in command if each.startswith(("@", "/tmp", os.environ["TMPDIR"]))]
said = {"command": command, "files": [pathlib.Path(each).read_text() for each in files if os.path.isfile(each)],
        "password": os.environ.get("PGPASSWORD", ""), "user": os.environ.get("PGUSER", "")}
with (here / "log").open("a") as log:
    log.write(json.dumps(said) + "\\n")
for part, answers in json.loads((here / "answers").read_text()):
    if part in " ".join(command):
        number = sum(part in " ".join(json.loads(line)["command"]) for line in (here / "log").read_text().splitlines())
        status, out, error = answers[min(number, len(answers)) - 1]
        sys.stdout.write(out)
        sys.stderr.write(error)
        sys.exit(status)
"""
PRINCIPALS = [{"name": name, "id": f"id-of-{name}"} for name in ("catalog", "orders", "customers", "functions")]


@dataclass(frozen=True)
class Cloud:
    """What the hooks talk to; `answers` are given in turn to each command with that text in it, the last for good."""

    folder: Path
    environment: dict[str, str]

    def answers(self, *answers: tuple[str, list[tuple[int, str, str]]]) -> None:
        (self.folder / "answers").write_text(json.dumps(answers))

    def heard(self, word: str) -> list[dict[str, Any]]:
        lines = (self.folder / "log").read_text().splitlines() if (self.folder / "log").exists() else []
        return [each for each in map(json.loads, lines) if word in " ".join(each["command"])]

    def run(self, hook: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, f"{hook}.py", *arguments],
            cwd=HOOKS,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )


def ok(value: object = "") -> list[tuple[int, str, str]]:
    return [(0, value if isinstance(value, str) else json.dumps(value), "")]


@pytest.fixture
def cloud(tmp_path: Path, store: Topology) -> Cloud:
    for name in ("az", "azd", "psql", "sqlcmd"):
        program = tmp_path / name
        program.write_text(f"#!{sys.executable}\n{STAND_IN}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "answers").write_text("[]")
    (tmp_path / "files").mkdir()
    told = {
        "AZURE_ENV_NAME": "test",
        "AZURE_LOCATION": "westeurope",
        "AZURE_RESOURCE_GROUP": "rg-test",
        "AZURE_PRINCIPAL_ID": "id-of-operator",
        "OPERATOR_NAME": "ada@example.com",
        "API_CLIENT_ID": "id-of-api",
        "SMTP_HOST": "smtp.example.com",
        "MAIL_FROM": "store@example.com",
        "PAYMENTS_URL": "https://payments.example.com",
        "STORE_VAULT": "store-vault",
        "STORE_SECRETS": json.dumps(store.secrets),
        "STORE_PRINCIPALS": json.dumps(PRINCIPALS),
        "STORE_APP_ROLES": json.dumps({"functions": ["Store.Service"], "operator": ["Store.Admin"]}),
        "STORE_POSTGRES": json.dumps({"server": "pg.example.com", "databases": ["catalog", "orders"]}),
        "STORE_AZURESQL": json.dumps({"server": "sql.example.com", "databases": ["customers"]}),
    }
    return Cloud(tmp_path, {**told, "PATH": str(tmp_path), "TMPDIR": str(tmp_path / "files")})


@pytest.mark.parametrize("hook", NAMES)
def test_a_dry_run_says_what_would_be_done_and_does_nothing(hook: str, cloud: Cloud) -> None:
    done = cloud.run(hook, "--dry-run", PATH="")
    also = cloud.run(hook, "--dry-run")

    assert (done.returncode, also.returncode) == (0, 0), done.stderr + also.stderr
    assert "would " in done.stdout
    assert cloud.heard("") == []
    assert list((cloud.folder / "files").iterdir()) == []


def test_what_is_missing_is_said_at_once_before_anything_is_made(cloud: Cloud) -> None:
    done = cloud.run("preprovision", SMTP_HOST="", MAIL_FROM="", ORDERS_ENGINE="mysql")

    assert done.returncode == 1
    assert "SMTP_HOST is not set: azd env set SMTP_HOST" in done.stderr
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


def test_the_api_is_registered_with_its_roles_once(cloud: Cloud, store: Topology) -> None:
    cloud.answers(("az ad app list", ok("null")), ("/applications --headers", ok({"appId": "new-api"})))
    first = cloud.run("preprovision", API_CLIENT_ID="")
    (body,) = (
        json.loads(each["files"][0]) for each in cloud.heard("post --url") if "/applications" in each["command"][5]
    )

    cloud.answers(("az ad app list", ok('"new-api"')))
    second = cloud.run("preprovision", API_CLIENT_ID="")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert [each["value"] for each in body["appRoles"]] == store.api.roles
    assert body["api"] == {"requestedAccessTokenVersion": 2}
    assert len(cloud.heard("post --url")) == 2  # the registration and its principal, both by the first
    assert len(cloud.heard("azd env set API_CLIENT_ID new-api")) == 2


@pytest.mark.parametrize(
    ("kind", "asked", "becomes"),
    [("user", "signed-in-user show", "User"), ("servicePrincipal", "sp show --id ada", "ServicePrincipal")],
)
def test_whoever_is_logged_in_becomes_the_operator(kind: str, asked: str, becomes: str, cloud: Cloud) -> None:
    cloud.answers(("account show", ok({"name": "ada", "type": kind})), (asked, ok('"id-of-ada"')))

    done = cloud.run("preprovision", OPERATOR_NAME="")

    assert done.returncode == 0, done.stderr
    assert len(cloud.heard("azd env set AZURE_PRINCIPAL_ID id-of-ada")) == 1
    assert len(cloud.heard("azd env set OPERATOR_NAME ada")) == 1
    assert len(cloud.heard(f"azd env set AZURE_PRINCIPAL_TYPE {becomes}")) == 1


def vault(names: list[str], *more: tuple[str, list[tuple[int, str, str]]]) -> Iterator[tuple[str, Any]]:
    yield from more
    yield "secret list", ok(names)
    yield "get-access-token", ok("token-of-ada")
    yield "sp show", ok('"api"')
    yield "appRoleAssignedTo", ok({"value": []})


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


def test_app_roles_are_given_once(cloud: Cloud) -> None:
    given = [{"principalId": "id-of-functions", "appRoleId": entra.role_id("Store.Service")}]
    cloud.answers(("method get", ok({"value": given})), *vault([]))

    done = cloud.run("postprovision")

    (body,) = (json.loads(each["files"][0]) for each in cloud.heard("appRoleAssignedTo") if "post" in each["command"])
    assert done.returncode == 0, done.stderr
    assert body == {"principalId": "id-of-operator", "resourceId": "api", "appRoleId": entra.role_id("Store.Admin")}


def tools(cloud: Cloud, clock: Callable[[], float], pauses: list[float]) -> Tools:
    return Tools(environment=cloud.environment, say=lambda _: None, clock=clock, pause=pauses.append)


def test_a_right_that_is_not_known_yet_is_waited_for(cloud: Cloud) -> None:
    refused = (1, "", "(Forbidden) Caller is not authorized. Code: ForbiddenByRbac")
    cloud.answers(("secret list", [refused, refused, *ok("[]")]), *vault([]))
    pauses: list[float] = []

    postprovision(tools(cloud, lambda: 0.0, pauses))

    assert len(pauses) == 2


def test_what_stays_refused_is_an_error_in_the_end(cloud: Cloud) -> None:
    cloud.answers(("secret list", [(1, "", "ForbiddenByRbac")]))
    times = iter(range(0, 10_000, 100))

    with pytest.raises(Failed, match="az keyvault secret list … failed: ForbiddenByRbac"):
        postprovision(tools(cloud, lambda: float(next(times)), []))


def test_the_door_is_opened_after_the_functions_hear(cloud: Cloud) -> None:
    cloud.answers(("routes.bicep", ok({"address": {"type": "String", "value": "https://store.example.com"}})))

    done = cloud.run("postdeploy")

    names = [each["command"][each["command"].index("--name") + 1] for each in cloud.heard("deployment group create")]
    assert names == ["subscriptions", "routes"]
    assert "https://store.example.com" in done.stdout


def test_nobody_can_order_where_the_functions_do_not_hear(cloud: Cloud) -> None:
    cloud.answers(("subscriptions.bicep", [(1, "", "the endpoint did not answer the handshake")]))

    done = cloud.run("postdeploy")

    assert done.returncode == 1
    assert "handshake" in done.stderr
    assert cloud.heard("routes.bicep") == []


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

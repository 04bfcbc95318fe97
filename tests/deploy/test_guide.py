"""docs/deploy.md says what is true of the code: names, prices, ids, bodies."""

import re

import msgspec
import pytest
import yaml

from deploy.azure.hooks import entra
from services.catalog.routes.products import Creation
from tests.deploy.pipeline import ROOT, run

pytestmark = pytest.mark.deploy

OURS = (".github", "deploy", "docs", "functions", "libs", "services")


def test_what_the_guide_names_exists() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()
    links = re.findall(r"\]\(((?!https?:|#)[^)#]+)", guide)
    files = re.findall(r"\b(?:deploy|libs|services)/[\w/-]+\.\w+", guide)
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert set(re.findall(r"`make ([a-z][a-z-]*)", guide)) - set(targets) == set()


def test_a_file_that_the_guide_calls_by_the_end_of_its_path_exists() -> None:
    """`entrance/gateway.yaml` of an overlay, `infra.yml` of the workflows."""
    guide = (ROOT / "docs" / "deploy.md").read_text()
    files = [f"/{path.relative_to(ROOT)}" for folder in OURS for path in (ROOT / folder).rglob("*.*")]
    files += [f"/{path.name}" for path in ROOT.glob("*.*")]

    named = set(
        re.findall(r"(?<![\w/.>*-])\w[\w-]*(?:/[\w-]+)*\.(?:yaml|yml|bicep|bicepparam|env|json|py|md|sh)\b", guide)
    )

    assert len(named) > 20
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in files)] == []


def test_a_shell_can_read_what_the_guide_tells_it() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "deploy.md").read_text(), re.MULTILINE | re.DOTALL)
    filled = [re.sub(r"<[a-zA-Z][^<>\n]*>", "filled-in", block) for block in blocks]  # what stands for yours

    said = [run("bash", "-n", "-c", block).stderr for block in filled]

    assert len(blocks) > 5
    assert said == [""] * len(blocks)


def test_what_the_guide_says_it_costs_is_what_the_prices_say() -> None:
    database = yaml.safe_load((ROOT / "docs" / "prices.yaml").read_text())["postgresql"]
    prices = yaml.safe_load((ROOT / "docs" / "scaling-prices.yaml").read_text())
    core, memory = prices["container_apps"]["vcpu_second"], prices["container_apps"]["gib_second"]
    month = prices["hours"] * 3600

    amounts = [
        database["smallest_vcores"] * database["vcore_month"] + 32 * database["gb_month"],
        3 * month * (0.25 * core + 0.5 * memory),
        month * (0.5 * core + memory),
        -180_000 * core - 360_000 * memory,
        prices["service_bus"]["base_month"],
    ]

    guide = (ROOT / "docs" / "deploy.md").read_text().replace("−", "-")  # noqa: RUF001
    table = [float(said) for said in re.findall(r"^\| .* \| (-?[\d.]+) \|$", guide, re.MULTILINE)]
    together = re.findall(r"\*\*about (\d+)\*\*", guide)
    assert table[: len(amounts)] == [round(amount, 2) for amount in amounts]
    assert together == [str(round(sum(table)))]


def test_the_first_product_of_the_guide_is_one_that_the_catalogue_takes() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()

    (body,) = re.findall(r"--json '(\{.*\})'", guide)

    assert msgspec.json.decode(body, type=Creation).opening_stock > 0


def test_the_guide_names_the_scope_and_the_role_of_customers_as_they_are_registered() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()

    assert f"--scope {entra.SCOPE}" in guide
    assert re.findall(r'"appRoleId": "([^"]+)"', guide) == [entra.role_id("Store.Customer")]

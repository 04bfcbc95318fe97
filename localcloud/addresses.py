"""Where everything listens on a laptop: one block of ports above the gateway's."""

from dataclasses import dataclass
from enum import IntEnum

HOST = "127.0.0.1"


class Port(IntEnum):
    """Offset from the gateway's port."""

    GATEWAY = 0
    CATALOG = 1
    ORDERS = 2
    CUSTOMERS = 3
    FUNCTIONS = 4
    IDENTITY = 5  # the managed-identity endpoint; plain http, as in Azure
    ISSUER = 6  # OIDC discovery, keys and tokens; TLS
    EVENTGRID = 7
    SERVICEBUS = 8
    KEYVAULT = 9
    SMTP = 10
    LETTERS = 11
    BLOB = 12  # the front of Azurite's blobs, which tells of what is written
    QUEUE = 13
    TABLE = 14
    POSTGRES = 15
    EMAIL = 16  # letters by Azure Communication Services; TLS
    PAYMENTS = 17
    AZURITE = 18  # its blobs, without the front
    INSPECTOR = 19  # the page that shows what is in all of this


SCHEMES = {
    Port.ISSUER: "https",
    Port.EVENTGRID: "https",
    Port.SERVICEBUS: "sb",
    Port.KEYVAULT: "https",
    Port.SMTP: "smtp",
    Port.EMAIL: "https",
    Port.BLOB: "https",
    Port.QUEUE: "https",
    Port.TABLE: "https",
    Port.POSTGRES: "postgresql",
    Port.AZURITE: "https",
}


@dataclass(frozen=True, slots=True)
class Addresses:
    base: int = 8080

    def port(self, of: Port) -> int:
        return self.base + of

    def url(self, of: Port) -> str:
        return f"{SCHEMES.get(of, 'http')}://{HOST}:{self.port(of)}"

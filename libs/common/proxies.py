"""Whose request it is, where proxies pass it on: they say so in X-Forwarded-For, and only they are believed."""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network

from libs.common.settings import Incomplete

Client = Callable[[str, str], str]  # the address of the connection, X-Forwarded-For -> the address of the caller

REMEMBERED = 4096
NOBODY = ""
A_SITE_BITS = 64  # whoever has one IPv6 address has all of these


def client_behind(told: str) -> Client:
    """`told` are the networks of the proxies, with spaces between. Raises Incomplete."""
    try:
        networks = [ip_network(each) for each in told.split()]
    except ValueError as error:
        raise Incomplete(f"TRUSTED_PROXIES names networks such as 10.0.0.0/8: {error}") from error

    def is_proxy(address: str) -> bool:
        try:
            known = ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in networks)

    @lru_cache(maxsize=REMEMBERED)
    def client(peer: str, forwarded: str) -> str:
        """Each proxy adds, at the end, whom it has heard it from; what stands before a stranger may be made up."""
        hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
        address = peer
        while hops and is_proxy(address):
            address = hops.pop()
        return _as_counted(address)

    return client


def _as_counted(address: str) -> str:
    try:
        known = ip_address(address)
    except ValueError:
        return NOBODY
    if isinstance(known, IPv6Address) and known.ipv4_mapped is None:
        return str(IPv6Network((known, A_SITE_BITS), strict=False))
    return str(known)

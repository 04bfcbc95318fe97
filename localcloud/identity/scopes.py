"""What a person's application asks for: OpenID's own scopes, and access to our API."""

from dataclasses import dataclass

from localcloud.identity.refusals import Refused, unknown_resource
from localcloud.topology import Topology

OPENID = frozenset({"openid", "profile", "email", "offline_access"})
GRAPH = "00000003-0000-0000-c000-000000000000"  # whose tokens one gets who asks for nothing else
IMPERSONATION = "user_impersonation"  # the one scope that our API has


@dataclass(frozen=True, slots=True)
class Scopes:
    openid: frozenset[str]
    audience: str
    api: str  # the prefix that the API was asked for by; empty: it was not

    @property
    def granted(self) -> str:
        return " ".join([*sorted(self.openid), *([f"{self.api}/{IMPERSONATION}"] if self.api else [])])


def scopes(topology: Topology, asked: str) -> Scopes:
    """Raises Refused."""
    words = set(asked.split())
    if not words:
        raise Refused(900144, "invalid_request", "The request body must contain the following parameter: 'scope'.")
    prefixes = {_prefix(topology, word) for word in words - OPENID}
    if len(prefixes) > 1:
        raise Refused(28000, "invalid_scope", "Provided value for scope is not valid: it has more than one resource.")
    api = next(iter(prefixes), "")
    return Scopes(frozenset(words & OPENID), str(topology.api.client_id) if api else GRAPH, api)


def _prefix(topology: Topology, word: str) -> str:
    resource, _, name = word.rpartition("/")
    if resource not in (topology.api.uri, str(topology.api.client_id)):
        raise unknown_resource(resource or word, topology.tenant)
    if name not in (".default", IMPERSONATION):
        raise Refused(70011, "invalid_scope", f"The provided value for scope {word} is not valid.")
    return resource

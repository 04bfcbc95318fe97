"""A request to sign in: is it one, and where does its answer go?"""

import re
from typing import Annotated
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Meta, Struct

from localcloud.identity.refusals import Refused, unknown_client
from localcloud.identity.scopes import scopes
from localcloud.topology import Topology

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
LOOPBACK = ("localhost", "127.0.0.1")

Text = Annotated[str, Meta(max_length=2048)]


class SignIn(Struct, frozen=True):
    """What else is in the query is passed over, as Entra does."""

    client_id: Text = ""
    redirect_uri: Text = ""
    response_type: Text = ""
    response_mode: Text = "query"
    scope: Text = ""
    state: Text = ""
    nonce: Text = ""
    code_challenge: Text = ""
    code_challenge_method: Text = ""
    prompt: Text = ""


def check_address(topology: Topology, asked: SignIn) -> None:
    """May the answer go there at all? Raises Refused, which only a page may say."""
    if asked.client_id != str(topology.api.client_id):
        raise unknown_client(asked.client_id, topology.tenant)
    if not any(_matches(asked.redirect_uri, registered) for registered in topology.api.redirect_uris):
        message = (
            f"The redirect URI '{asked.redirect_uri}' specified in the request does not match the redirect URIs "
            f"configured for the application '{asked.client_id}'."
        )
        raise Refused(50011, "invalid_request", message)


def check(topology: Topology, asked: SignIn) -> None:
    """Raises Refused, which goes back to the application."""
    if asked.response_type != "code":
        message = f"response_type '{asked.response_type}' is not enabled for the application."
        raise Refused(700054, "unsupported_response_type", message)
    if asked.response_mode not in ("query", "fragment", "form_post"):
        message = f"'{asked.response_mode}' is not a supported value for 'response_mode'."
        raise Refused(9002319, "invalid_request", message)
    if not asked.code_challenge:
        message = "Proof Key for Code Exchange is required for cross-origin authorization code redemption."
        raise Refused(9002325, "invalid_request", message)
    if asked.code_challenge_method != "S256" or not CHALLENGE.fullmatch(asked.code_challenge):
        raise Refused(501491, "invalid_request", "The code_challenge is not one of the method S256.")
    scopes(topology, asked.scope)
    if asked.prompt == "none":
        message = "A silent sign-in request was sent but no user is signed in."
        raise Refused(50058, "login_required", message)


def read(query: dict[str, str]) -> SignIn:
    """Raises msgspec.ValidationError."""
    return msgspec.convert(query, SignIn)


def back(asked: SignIn, answer: dict[str, str]) -> str:
    """The address to go back to, with the answer and the application's state."""
    said = urlencode(answer | ({"state": asked.state} if asked.state else {}))
    if asked.response_mode == "fragment":
        return f"{asked.redirect_uri}#{said}"
    return f"{asked.redirect_uri}{'&' if '?' in asked.redirect_uri else '?'}{said}"


def _matches(asked: str, registered: str) -> bool:
    """To the letter; but on loopback the port is the application's own choice, as in Entra."""
    if asked == registered:
        return True
    try:
        one, other = urlsplit(asked), urlsplit(registered)
        is_local = one.hostname in LOOPBACK and one.hostname == other.hostname and (one.port or 1) > 0
    except ValueError:
        return False
    plain = one.netloc.partition(":")[0] == one.hostname and not one.fragment
    return (
        is_local
        and plain
        and (one.scheme, one.path or "/", one.query)
        == (
            other.scheme,
            other.path or "/",
            other.query,
        )
    )

"""The token endpoint's three grants: an application's own, a code, a refresh token."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from localcloud.access import Issuer
from localcloud.identity import identity_token, is_own_api, persons
from localcloud.identity.granted import Codes, Grant, RefreshTokens
from localcloud.identity.persons import Person
from localcloud.identity.refusals import Refused, missing, unknown_client, unknown_resource
from localcloud.identity.scopes import IMPERSONATION, Scopes, scopes
from localcloud.identity.switches import Switches
from localcloud.topology import Identity, Topology

AN_HOUR = timedelta(seconds=3599)  # as Entra's
DEFAULT = "/.default"

Form = Mapping[str, str]


class Answer(Struct, frozen=True, omit_defaults=True):
    token_type: str
    expires_in: int
    ext_expires_in: int
    access_token: str
    scope: str | None = None
    refresh_token: str | None = None
    id_token: str | None = None
    client_info: str | None = None


@dataclass(frozen=True, slots=True)
class TokenDesk:
    issuer: Issuer
    topology: Topology
    switches: Switches
    secrets: Mapping[str, str]  # of the identities, by client id
    codes: Codes
    refresh_tokens: RefreshTokens

    def answer(self, form: Form, at: datetime) -> Answer:
        """Raises Refused."""
        match _said(form, "grant_type"):
            case "client_credentials":
                return self._of_application(form, at)
            case "authorization_code":
                return self._of_person(self._redeemed(form, at), form, at)
            case "refresh_token":
                client, token = self._public_client(form), _said(form, "refresh_token")
                return self._of_person(self.refresh_tokens.grant(token, client, at), form, at)
        raise Refused(70003, "unsupported_grant_type", "The app requested an unsupported grant type.")

    def _of_application(self, form: Form, at: datetime) -> Answer:
        identity = self._confidential_client(form)
        scope = _said(form, "scope")
        if not scope.endswith(DEFAULT) or len(scope.split()) != 1:
            message = f"The provided value for scope {scope} is not valid. Client credential flows must have a scope "
            raise Refused(1002012, "invalid_scope", message + "value with /.default suffixed to the resource.")
        resource = scope.removesuffix(DEFAULT).rstrip("/")
        if not (resource.startswith("https://") or is_own_api(self.topology, resource)):
            raise unknown_resource(resource, self.topology.tenant)
        lasts = self.switches.lasting(AN_HOUR)
        token = identity_token(self.issuer, self.topology, identity, resource=resource, at=at, lifetime=lasts)
        return _answer(token, lasts)

    def _confidential_client(self, form: Form) -> Identity:
        client, known = _said(form, "client_id").lower(), self.topology.identities.values()
        identity = next((each for each in known if str(each.client_id) == client), None)
        if identity is None:
            raise unknown_client(client, self.topology.tenant)
        if not form.get("client_secret"):
            message = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise Refused(7000218, "invalid_client", message, 401)
        if not hmac.compare_digest(form["client_secret"].encode(), self.secrets[client].encode()):
            raise Refused(7000215, "invalid_client", "Invalid client secret provided.", 401)
        return identity

    def _public_client(self, form: Form) -> str:
        client = _said(form, "client_id").lower()
        if client != str(self.topology.api.client_id):
            raise unknown_client(client, self.topology.tenant)
        return client

    def _redeemed(self, form: Form, at: datetime) -> Grant:
        client, code, redirect_uri = self._public_client(form), _said(form, "code"), _said(form, "redirect_uri")
        return self.codes.redeem(code, _said(form, "code_verifier"), redirect_uri, client, at=at)

    def _of_person(self, grant: Grant, form: Form, at: datetime) -> Answer:
        """`scope` may ask for less than was granted, or for our API where that was not asked for before."""
        person = persons.find(self.topology.api, str(grant.person))
        if person is None:
            raise Refused(50034, "invalid_grant", "The user account does not exist in the directory.")
        asked, lasts = scopes(self.topology, form.get("scope") or grant.scope), self.switches.lasting(AN_HOUR)
        wanted = scopes(self.topology, grant.scope).openid | asked.openid
        return msgspec.structs.replace(
            _answer(self._access(person, asked, at, lasts), lasts),
            scope=asked.granted,
            refresh_token=self.refresh_tokens.token(grant, at) if "offline_access" in wanted else None,
            id_token=self._id(person, grant, at, lasts) if "openid" in wanted else None,
            client_info=self._client_info(person) if form.get("client_info") == "1" else None,
        )

    def _access(self, person: Person, asked: Scopes, at: datetime, lasts: timedelta) -> str:
        claims: dict[str, Any] = {"azp": str(self.topology.api.client_id), **_about(person), "scp": "openid profile"}
        if asked.api:
            claims |= {"scp": IMPERSONATION, "roles": [person.role]}
        return self.issuer.token(asked.audience, at, lasts, **claims)

    def _id(self, person: Person, grant: Grant, at: datetime, lasts: timedelta) -> str:
        claims: dict[str, Any] = _about(person) | {"email": person.email, "roles": [person.role]}
        claims |= {"nonce": grant.nonce} if grant.nonce else {}
        return self.issuer.token(grant.client_id, at, lasts, **claims)

    def _client_info(self, person: Person) -> str:
        """What MSAL knows an account by."""
        info = msgspec.json.encode({"uid": str(person.id), "utid": str(self.topology.tenant)})
        return base64.urlsafe_b64encode(info).rstrip(b"=").decode()


def _about(person: Person) -> dict[str, str]:
    who = str(person.id)
    return {"oid": who, "sub": who, "name": person.name, "preferred_username": person.email}


def _answer(token: str, lasts: timedelta) -> Answer:
    seconds = int(lasts.total_seconds())
    return Answer("Bearer", seconds, seconds, token)


def _said(form: Form, name: str) -> str:
    if not form.get(name):
        raise missing(name)
    return form[name]

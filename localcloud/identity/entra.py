"""Entra ID over HTTP: discovery, keys, signing in, tokens."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

import msgspec
import structlog
from aiohttp import web

from localcloud.access import Issuer
from localcloud.identity import discovery, page, persons, signing_in
from localcloud.identity.granted import CODE_LIFETIME, Code, Codes, Grant, RefreshTokens
from localcloud.identity.refusals import Problem, Refused, malformed, missing, outage, problem
from localcloud.identity.signing_in import SignIn
from localcloud.identity.switches import Switches
from localcloud.identity.tokens import TokenDesk
from localcloud.state import State, made_once
from localcloud.topology import Topology

LARGEST_REQUEST = 32 * 1024
MOST_FIELDS = 50
NOT_KEPT = {"Cache-Control": "no-store", **discovery.FOR_ALL}  # a page may ask: without its verifier a code is nothing

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger()


def client_secrets(state: State, topology: Topology) -> dict[str, str]:
    """By client id; each lies in a file of its identity's name."""
    return {
        str(identity.client_id): made_once(state.identity / "clients" / name, _secret).decode()
        for name, identity in topology.identities.items()
    }


def _secret() -> bytes:
    return secrets.token_urlsafe(32).encode()


@dataclass(frozen=True, slots=True)
class Entra:
    desk: TokenDesk

    @classmethod
    def open(cls, issuer: Issuer, topology: Topology, state: State, switches: Switches) -> "Entra":
        refresh = RefreshTokens(made_once(state.identity / "refresh.key", _secret))
        return cls(TokenDesk(issuer, topology, switches, client_secrets(state, topology), Codes(), refresh))

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._answer_errors], client_max_size=LARGEST_REQUEST)
        app.add_routes(discovery.routes(self.desk.issuer))
        tenant = self.desk.issuer.tenant
        app.router.add_get(f"/{tenant}/oauth2/v2.0/authorize", self._ask)
        app.router.add_post(f"/{tenant}/oauth2/v2.0/authorize", self._sign_in)
        app.router.add_post(f"/{tenant}/oauth2/v2.0/token", self._token)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        answer = self.desk.answer(await _form(request), datetime.now(UTC))
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json", headers=NOT_KEPT)

    async def _ask(self, request: web.Request) -> web.Response:
        asked = self._asked(request)
        try:
            signing_in.check(self.desk.topology, asked)
        except Refused as refused:
            return _back(asked, _told(refused, request))
        return _html(page.sign_in(persons.known(self.desk.topology.api)))

    async def _sign_in(self, request: web.Request) -> web.Response:
        asked = self._asked(request)
        try:
            signing_in.check(self.desk.topology, asked)
            return _back(asked, {"code": self._code(asked, await _form(request))})
        except Refused as refused:
            return _back(asked, _told(refused, request))

    def _asked(self, request: web.Request) -> SignIn:
        """Raises Refused where nobody may be sent back."""
        try:
            asked = signing_in.read(dict(request.query))
        except msgspec.ValidationError as error:
            raise malformed() from error
        signing_in.check_address(self.desk.topology, asked)
        return asked

    def _code(self, asked: SignIn, form: dict[str, str]) -> str:
        person = persons.find(self.desk.topology.api, form.get("person", ""))
        if person is None:
            raise missing("person")
        code, grant = secrets.token_urlsafe(48), Grant(person.id, asked.client_id, asked.scope, asked.nonce)
        until = datetime.now(UTC) + CODE_LIFETIME
        self.desk.codes.keep(code, Code(grant, asked.redirect_uri, asked.code_challenge, until))
        log.info("person.signed_in", role=person.role)
        return code

    @web.middleware
    async def _answer_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if self.desk.switches.setting.outage:
                raise outage()
            return await handler(request)
        except Refused as refused:
            return _refusal(refused, request)
        except web.HTTPException as error:
            return _refusal(self._misdirected(request, error), request)

    def _misdirected(self, request: web.Request, error: web.HTTPException) -> Refused:
        tenant = request.path.split("/")[1]
        if error.status == 404 and tenant != str(self.desk.issuer.tenant):
            return Refused(90002, "invalid_tenant", f"Tenant '{tenant}' not found.")
        if error.status == 405:
            return Refused(900561, "invalid_request", f"The endpoint does not accept {request.method} requests.", 405)
        return Refused(9002313, "invalid_request", error.reason, error.status)


async def _form(request: web.Request) -> dict[str, str]:
    """Raises Refused."""
    try:
        text = (await request.read()).decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise malformed() from error
    if len(dict(pairs)) != len(pairs):  # said twice
        raise malformed()
    return dict(pairs)


def _told(refused: Refused, request: web.Request) -> dict[str, str]:
    said = _problem(refused, request)
    return {"error": said.error, "error_description": said.error_description}


def _problem(refused: Refused, request: web.Request) -> Problem:
    return problem(refused, str(uuid4()), _correlation(request), datetime.now(UTC))


def _correlation(request: web.Request) -> str:
    try:
        return str(UUID(request.headers.get("client-request-id", "")))
    except ValueError:
        return str(uuid4())


def _refusal(refused: Refused, request: web.Request) -> web.Response:
    """As JSON; where a person looks, as a page."""
    said = _problem(refused, request)
    if request.path.endswith("/authorize"):
        return _html(page.wrong(said.error_description), refused.status)
    headers = {**NOT_KEPT, "x-ms-request-id": said.trace_id, "client-request-id": said.correlation_id}
    content = msgspec.json.encode(said)
    return web.Response(body=content, status=refused.status, content_type="application/json", headers=headers)


def _back(asked: SignIn, answer: dict[str, str]) -> web.Response:
    if asked.response_mode != "form_post":
        return web.Response(
            status=302, headers={"Location": signing_in.back(asked, answer), "Cache-Control": "no-store"}
        )
    nonce = secrets.token_urlsafe(16)
    state = {"state": asked.state} if asked.state else {}
    return _html(page.form_post(asked.redirect_uri, answer | state, nonce), nonce=nonce)


def _html(text: str, status: int = 200, nonce: str = "") -> web.Response:
    script = f"; script-src 'nonce-{nonce}'" if nonce else ""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'{script}"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)

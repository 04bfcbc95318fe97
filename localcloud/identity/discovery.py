"""OpenID Connect discovery and the public keys: what a service needs to check a token of Entra ID v2."""

from datetime import UTC, datetime

from aiohttp import web

from localcloud.access import Issuer

FOR_ALL = {"Access-Control-Allow-Origin": "*"}
A_DAY = {"Cache-Control": "max-age=86400, private", **FOR_ALL}


def routes(issuer: Issuer) -> list[web.RouteDef]:
    configuration = _configuration(issuer)

    async def show_configuration(_: web.Request) -> web.Response:
        return web.json_response(configuration, headers=A_DAY)

    async def show_keys(_: web.Request) -> web.Response:
        return web.json_response(issuer.public_keys(datetime.now(UTC)), headers=A_DAY)

    return [
        web.get(f"/{issuer.tenant}/v2.0/.well-known/openid-configuration", show_configuration),
        web.get(f"/{issuer.tenant}/discovery/v2.0/keys", show_keys),
    ]


def _configuration(issuer: Issuer) -> dict[str, object]:
    tenant = issuer.url.removesuffix("/v2.0")
    return {
        "issuer": issuer.url,
        "jwks_uri": f"{tenant}/discovery/v2.0/keys",
        "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
        "token_endpoint": f"{tenant}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }

"""An application's tokens, by the unmodified SDK: what they say, who vouches for them, and how a refusal reads."""

import ssl
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.conformance.identity.place import Place

pytestmark = pytest.mark.real


async def test_an_application_gets_a_token_that_says_who_it_is(place: Place) -> None:
    async with AsyncClientSecretCredential(place.tenant, place.client, place.secret, **place.options()) as credential:
        token = await credential.get_token(place.scope)

    configuration = await ask(place, f"{place.authority}/{place.tenant}/v2.0/.well-known/openid-configuration")
    keys = KeySet.import_key_set(await ask(place, configuration["jwks_uri"]))
    claims = jwt.decode(token.token, keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["tid"], claims["ver"]) == (configuration["issuer"], place.tenant, "2.0")
    assert (claims["azp"], claims["exp"]) == (place.client, pytest.approx(token.expires_on, abs=5))
    assert claims["oid"] == claims["sub"] == str(UUID(claims["oid"]))
    assert claims["nbf"] <= claims["iat"] <= datetime.now(UTC).timestamp() + 60
    assert isinstance(claims["aud"], str)
    assert "scp" not in claims


def test_the_synchronous_credential_gets_one_too(place: Place) -> None:
    with ClientSecretCredential(place.tenant, place.client, place.secret, **place.options()) as credential:
        assert credential.get_token(place.scope).token.count(".") == 2


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"client_secret": "a guess"}, 7000215),
        ({"client_id": str(uuid4())}, 700016),
        ({"tenant_id": str(uuid4())}, 90002),
    ],
)
async def test_a_refusal_has_its_number(place: Place, change: dict[str, str], number: int) -> None:
    known = {"tenant_id": place.tenant, "client_id": place.client, "client_secret": place.secret}
    async with AsyncClientSecretCredential(**place.options(**known | change)) as credential:
        with pytest.raises((ClientAuthenticationError, ValueError), match=f"AADSTS{number}|invalid_tenant"):
            await credential.get_token(place.scope)


@pytest.mark.parametrize(
    ("change", "error", "number"),
    [
        ({"grant_type": ""}, "invalid_request", 900144),
        ({"grant_type": "guess"}, "unsupported_grant_type", 70003),
        ({"scope": "openid"}, "invalid_scope", 1002012),
        ({"scope": "api://nobody-has-this/.default"}, "invalid_resource", 500011),
        ({"client_secret": ""}, "invalid_client", 7000218),
    ],
)
async def test_the_body_of_a_refusal_tells_programs_and_people(
    place: Place, change: dict[str, str], error: str, number: int
) -> None:
    known = {"client_id": place.client, "client_secret": place.secret, "scope": place.scope}
    correlation = str(uuid4())
    said = {name: value for name, value in (known | {"grant_type": "client_credentials"} | change).items() if value}

    answer = await ask(
        place,
        f"{place.authority}/{place.tenant}/oauth2/v2.0/token",
        method="POST",
        data=said,
        headers={"client-request-id": correlation},
    )

    assert (answer["error"], answer["error_codes"], answer["correlation_id"]) == (error, [number], correlation)
    assert answer["error_description"].startswith(f"AADSTS{number}: ")
    assert {"timestamp", "trace_id"} <= set(answer)


async def ask(place: Place, url: str, method: str = "GET", **options: Any) -> Any:
    trusted = ssl.create_default_context(cafile=place.cloud.ca if place.cloud else None)
    async with aiohttp.ClientSession() as session, session.request(method, url, ssl=trusted, **options) as answer:
        return await answer.json()

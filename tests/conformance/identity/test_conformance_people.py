"""A person's tokens, by Microsoft's own library for applications. In Entra ID a person would have to be there."""

import asyncio
import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import msal  # type: ignore[import-untyped]
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from localcloud.access import KEY_FILE
from localcloud.assortment import PEOPLE
from tests.conformance.identity.place import Place
from tests.localcloud.clouds import LocalCloud

pytestmark = pytest.mark.real

BACK = "http://localhost:8400"
ADA = PEOPLE[0]
FIELD = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


@pytest.fixture
def cloud(place: Place) -> LocalCloud:
    if place.cloud is None:
        pytest.skip("SIGNING IN WAS NOT TRIED: it takes a person")
    return place.cloud


@pytest.fixture
def application(place: Place, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", cloud.ca)  # which `requests` puts before its own settings
    client, authority = str(cloud.topology.api.client_id), f"{place.authority}/{place.tenant}"
    return msal.PublicClientApplication(client, authority=authority, instance_discovery=False)


@pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended")
@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
async def test_a_person_signs_in_and_the_application_refreshes(application: Any, cloud: LocalCloud, mode: str) -> None:
    scope = f"{cloud.topology.api.uri}/user_impersonation"
    flow = application.initiate_auth_code_flow([scope], redirect_uri=BACK, response_mode=mode)

    answer = await sign_in(cloud, flow["auth_uri"], str(ADA.id))
    tokens = await asyncio.to_thread(application.acquire_token_by_auth_code_flow, flow, answer)
    again = await asyncio.to_thread(application.acquire_token_by_refresh_token, tokens["refresh_token"], [scope])

    claims = claims_of(cloud, tokens["access_token"])
    assert (claims["oid"], claims["roles"], claims["scp"]) == (str(ADA.id), ["Store.Customer"], "user_impersonation")
    assert claims["aud"] == claims["azp"] == str(cloud.topology.api.client_id)
    assert (tokens["id_token_claims"]["name"], tokens["id_token_claims"]["oid"]) == (ADA.name, str(ADA.id))
    assert claims_of(cloud, again["access_token"])["oid"] == str(ADA.id)
    assert application.get_accounts()[0]["username"] == ADA.email


async def sign_in(cloud: LocalCloud, url: str, person: str) -> dict[str, str]:
    """As a browser that shows the page and presses a person's button: what comes back to the application."""
    async with aiohttp.ClientSession() as session:
        trusted = cloud.client_context()
        async with session.get(url, ssl=trusted) as page:
            assert f'value="{person}"' in await page.text()
        async with session.post(url, data={"person": person}, ssl=trusted, allow_redirects=False) as answer:
            if answer.status == 200:
                return {name: unescape(value) for name, value in FIELD.findall(await answer.text())}
            back = urlsplit(answer.headers["Location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == BACK
    return dict(parse_qsl(back.query or back.fragment))


def claims_of(cloud: LocalCloud, token: str) -> dict[str, Any]:
    key = RSAKey.import_key(json.loads((cloud.state.identity / KEY_FILE).read_text()))
    return jwt.decode(token, key, algorithms=["RS256"]).claims

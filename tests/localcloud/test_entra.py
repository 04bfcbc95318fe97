"""Signing in and tokens over HTTP: what is refused, what counts once, and what the switches do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from joserfc import jwt
from joserfc.jwk import KeySet

from localcloud.access import Issuer, Unauthorized
from localcloud.assortment import PEOPLE
from localcloud.identity import STORAGE
from localcloud.identity.entra import Entra
from localcloud.identity.granted import challenge_of
from localcloud.identity.refusals import Refused
from localcloud.identity.switches import Setting, Switches
from localcloud.state import State
from localcloud.topology import Topology

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
ADA = PEOPLE[0].id
BACK = "http://localhost:3000/back"
VERIFIER = "v" * 43
OPENID = "openid offline_access"


@dataclass(frozen=True, slots=True)
class Directory:
    client: TestClient[web.Request, web.Application]
    entra: Entra
    issuer: Issuer
    topology: Topology
    folder: Path

    def asked(self, **change: str) -> dict[str, str]:
        usual = {
            "client_id": str(self.topology.api.client_id),
            "redirect_uri": "http://localhost:3000",
            "response_type": "code",
            "scope": f"{OPENID} {self.topology.api.uri}/.default",
            "state": "s&t",
            "nonce": "n-1",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (usual | change).items() if value}

    async def sign_in(self, person: object = ADA, **change: str) -> dict[str, str]:
        url = f"/{self.topology.tenant}/oauth2/v2.0/authorize"
        form = {"person": str(person)}
        async with self.client.post(url, params=self.asked(**change), data=form, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            back = urlsplit(answer.headers["Location"])
        return dict(parse_qsl(back.query or back.fragment))

    async def page(self, **change: str) -> tuple[int, str]:
        url = f"/{self.topology.tenant}/oauth2/v2.0/authorize"
        async with self.client.get(url, params=self.asked(**change), allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()

    async def redeem(self, code: str, /, **change: str) -> dict[str, Any]:
        usual = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
        return await self.token(**usual | {"redirect_uri": "http://localhost:3000"} | change)

    async def token(self, **form: str) -> dict[str, Any]:
        known = {"client_id": str(self.topology.api.client_id)}
        url = f"/{self.topology.tenant}/oauth2/v2.0/token"
        async with self.client.post(url, data=known | form) as answer:
            return dict(await answer.json())

    async def of_application(self, name: str, scope: str) -> dict[str, Any]:
        client = str(self.topology.identities[name].client_id)
        return await self.token(
            grant_type="client_credentials",
            scope=scope,
            client_id=client,
            client_secret=self.entra.desk.secrets[client],
        )

    def claims(self, token: str) -> dict[str, Any]:
        return self.issuer.verify(token, str(self.topology.api.client_id), datetime.now(UTC))


@pytest.fixture
async def directory(tmp_path: Path, issuer: Issuer, store: Topology) -> AsyncIterator[Directory]:
    own = Issuer(issuer.url, issuer.tenant, issuer.key)
    entra = Entra.open(own, store, State(tmp_path), Switches(own, tmp_path / "identity"))
    async with TestClient(TestServer(entra.app())) as client:
        yield Directory(client, entra, own, store, tmp_path / "identity")


async def test_the_page_names_everybody_and_loads_nothing(directory: Directory) -> None:
    status, text = await directory.page()

    assert status == 200
    assert all(name in text for name in ("Ada Lovelace", "Admin", "Service"))
    assert "src=" not in text
    assert "href=" not in text


async def test_a_code_is_taken_for_tokens(directory: Directory) -> None:
    answer = await directory.sign_in()

    tokens = await directory.redeem(answer["code"])

    claims, own = directory.claims(tokens["access_token"]), directory.claims(tokens["id_token"])
    assert answer["state"] == "s&t"
    assert (claims["oid"], claims["roles"], claims["scp"]) == (str(ADA), ["Store.Customer"], "user_impersonation")
    assert (own["nonce"], own["name"]) == ("n-1", PEOPLE[0].name)
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3599)


async def test_staff_are_those_whom_make_token_makes(directory: Directory) -> None:
    admin = next(each for each in directory.entra.desk.topology.api.roles if each == "Store.Admin")
    _, text = await directory.page()
    person = text.split(f"<small>{admin}")[0].rpartition('value="')[2].partition('"')[0]

    tokens = await directory.redeem((await directory.sign_in(person))["code"])

    assert directory.claims(tokens["access_token"])["roles"] == [admin]


async def test_whoever_registers_signs_in_by_an_id_of_their_own(directory: Directory) -> None:
    somebody = uuid4()

    tokens = await directory.redeem((await directory.sign_in(somebody))["code"])

    claims = directory.claims(tokens["access_token"])
    assert (claims["oid"], claims["roles"]) == (str(somebody), ["Store.Customer"])


async def test_a_code_counts_once(directory: Directory) -> None:
    code = (await directory.sign_in())["code"]
    await directory.redeem(code)

    again = await directory.redeem(code)

    assert (again["error"], again["error_codes"]) == ("invalid_grant", [54005])


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"code_verifier": "w" * 43}, 501481),
        ({"code_verifier": "short"}, 501481),
        ({"code_verifier": ""}, 900144),
        ({"redirect_uri": "http://localhost:3001"}, 500112),
        ({"code": "guess"}, 9002313),
        ({"client_id": str(uuid4())}, 700016),
    ],
)
async def test_a_code_is_nothing_without_what_belongs_to_it(
    directory: Directory, change: dict[str, str], number: int
) -> None:
    code = (await directory.sign_in())["code"]

    assert (await directory.redeem(code, **change))["error_codes"] == [number]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "pigeon"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "api://other/.default"}, "invalid_resource"),
        ({"scope": "api://store/unheard-of"}, "invalid_scope"),
        ({"scope": ""}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_what_is_wrong_goes_back_to_the_application(
    directory: Directory, change: dict[str, str], error: str
) -> None:
    status, location = await directory.page(**change)

    said = dict(parse_qsl(urlsplit(location).query))
    assert (status, said["error"], said["state"]) == (302, error, "s&t")
    assert said["error_description"].startswith("AADSTS")


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": str(uuid4())},
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.example"},
        {"redirect_uri": "http://localhost.evil.example"},
        {"redirect_uri": "http://localhost:1@evil.example"},
        {"redirect_uri": "http://localhost:x"},
        {"redirect_uri": "http://localhost:3000/elsewhere"},
        {"redirect_uri": "http://localhost:3000#fragment"},
        {"redirect_uri": "javascript:alert(1)"},
        {"state": "x" * 3000},
    ],
)
async def test_nobody_is_sent_where_the_application_does_not_live(directory: Directory, change: dict[str, str]) -> None:
    status, text = await directory.page(**change)

    assert status == 400
    assert "AADSTS" in text


async def test_a_form_posts_itself_back(directory: Directory) -> None:
    url = f"/{directory.topology.tenant}/oauth2/v2.0/authorize"
    query = directory.asked(response_mode="form_post", state='"><script>')

    async with directory.client.post(url, params=query, data={"person": str(ADA)}) as answer:
        text = await answer.text()

    assert 'action="http://localhost:3000"' in text
    assert "&quot;&gt;&lt;script&gt;" in text


async def test_a_refresh_token_brings_new_tokens_after_a_restart_too(directory: Directory) -> None:
    tokens = await directory.redeem((await directory.sign_in())["code"])
    directory.entra.desk.codes._open.clear()
    again = Entra.open(
        directory.issuer, directory.topology, State(directory.folder.parent), directory.entra.desk.switches
    )
    form = {"grant_type": "refresh_token", "client_id": str(directory.topology.api.client_id)}

    answer = again.desk.answer(form | {"refresh_token": tokens["refresh_token"]}, datetime.now(UTC))

    assert directory.claims(answer.access_token)["oid"] == str(ADA)
    with pytest.raises(Refused) as raised:
        again.desk.answer(form | {"refresh_token": tokens["refresh_token"][:-8] + "AAAAAAA="}, datetime.now(UTC))
    assert raised.value.number == 9002313


async def test_in_an_outage_there_are_no_tokens_and_no_keys(directory: Directory) -> None:
    directory.entra.desk.switches.setting = Setting(outage=True)

    for path in ("discovery/v2.0/keys", "v2.0/.well-known/openid-configuration"):
        async with directory.client.get(f"/{directory.topology.tenant}/{path}") as answer:
            assert answer.status == 503
    assert (await directory.of_application("orders", f"{STORAGE}/.default"))["error_codes"] == [90033]


async def test_lifetimes_can_be_short(directory: Directory) -> None:
    directory.entra.desk.switches.setting = Setting(lifetime_seconds=310)

    answer = await directory.of_application("functions", f"{directory.topology.api.uri}/.default")

    claims = directory.claims(answer["access_token"])
    assert answer["expires_in"] == claims["exp"] - claims["iat"] == 310
    assert claims["roles"] == ["Store.Service"]


async def test_after_a_rotation_old_tokens_count_until_they_end(directory: Directory) -> None:
    api, now = str(directory.topology.api.client_id), datetime.now(UTC)
    old = directory.issuer.token(api, now, oid="o-1")
    directory.issuer.rotate(directory.folder, now)
    new = directory.issuer.token(api, now, oid="o-2")

    async with directory.client.get(f"/{directory.topology.tenant}/discovery/v2.0/keys") as answer:
        keys = KeySet.import_key_set(await answer.json())
    reopened = Issuer.open(directory.folder, directory.issuer.url, directory.issuer.tenant)

    assert [jwt.decode(token, keys).claims["oid"] for token in (old, new)] == ["o-1", "o-2"]
    assert [reopened.verify(token, api, now)["oid"] for token in (old, new)] == ["o-1", "o-2"]
    assert all("d" not in key for key in reopened.public_keys(now)["keys"])
    with pytest.raises(Unauthorized):
        reopened.verify(old, api, now + timedelta(hours=25))
    assert len(reopened.public_keys(now + timedelta(hours=25))["keys"]) == 1

"""What ends of what Entra gives out, and what outlives a kill."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localcloud.access import KEY_FILE, Issuer
from localcloud.assortment import PEOPLE
from localcloud.identity.granted import MOST_CODES, REFRESH_LIFETIME, Code, Codes, Grant, RefreshTokens, challenge_of
from localcloud.identity.refusals import Refused
from localcloud.topology import Topology

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
ADA = PEOPLE[0].id
BACK = "http://localhost:3000/back"
VERIFIER = "v" * 43


def test_a_refresh_token_ends() -> None:
    refresh, grant = RefreshTokens(b"key"), Grant(ADA, "client", "openid")
    token = refresh.token(grant, NOON)

    assert refresh.grant(token, "client", NOON + REFRESH_LIFETIME) == grant
    with pytest.raises(Refused) as raised:
        refresh.grant(token, "client", NOON + REFRESH_LIFETIME + timedelta(seconds=1))
    assert raised.value.number == 70008


def test_a_code_ends_and_their_number_is_bounded() -> None:
    codes, code = Codes(), Code(Grant(ADA, "client", "openid"), BACK, challenge_of(VERIFIER), NOON)
    for each in range(MOST_CODES + 1):
        codes.keep(str(each), code)

    for name, at, number in (("1", NOON + timedelta(seconds=1), 70008), ("0", NOON, 9002313)):
        with pytest.raises(Refused) as raised:
            codes.redeem(name, VERIFIER, BACK, "client", at=at)
        assert raised.value.number == number


def test_whoever_is_killed_while_keys_change_still_has_the_old_one(tmp_path: Path, store: Topology) -> None:
    issuer = Issuer.open(tmp_path, "https://issuer/v2.0", store.tenant)
    before, token = (tmp_path / KEY_FILE).read_bytes(), issuer.token("x", NOON)
    issuer.rotate(tmp_path, NOON)

    (tmp_path / KEY_FILE).write_bytes(before)  # as if the last write had never been
    again = Issuer.open(tmp_path, issuer.url, issuer.tenant)

    assert again.verify(token, "x", NOON)["aud"] == "x"
    assert len(again.public_keys(NOON)["keys"]) == 1

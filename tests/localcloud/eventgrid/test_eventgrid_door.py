"""By key, by signature or by token: whoever has none of them stays outside."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from azure.eventgrid import generate_sas
from hypothesis import given
from hypothesis import strategies as st

from localcloud.access import Unauthorized
from localcloud.eventgrid.door import Door, sign

FIRST, SECOND = "b25lIGtleSBvZiB0d28=", "dGhlIG90aGVyIGtleQ=="
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENDPOINT = "https://127.0.0.1:8087/orders/api/events"


def nobody(token: str, topic: str) -> None:
    raise Unauthorized(f"{token} {topic}")


DOOR = Door(nobody, {"orders": [FIRST, SECOND], "catalog": ["Y2F0YWxvZw=="]})


def signed(key: str = FIRST, resource: str = ENDPOINT, until: str = "3/4/2026 1:00:00 PM") -> str:
    text = f"r={quote(resource, safe='')}&e={quote(until, safe='')}"
    return f"{text}&s={quote(sign(key, text), safe='')}"


@pytest.mark.parametrize("key", [FIRST, SECOND])
def test_either_key_of_the_topic_opens(key: str) -> None:
    DOOR.admit({"aeg-sas-key": key}, "orders", NOON)


@pytest.mark.parametrize("key", [FIRST, SECOND])
@pytest.mark.parametrize("until", [NOON + HOUR, (NOON + HOUR).replace(tzinfo=None, microsecond=7)])
def test_a_signature_of_the_sdk_opens(key: str, until: datetime) -> None:
    DOOR.admit({"aeg-sas-token": generate_sas(ENDPOINT, key, until)}, "orders", NOON)


def test_a_signature_as_dot_net_writes_it_opens_in_either_header() -> None:
    DOOR.admit({"aeg-sas-token": signed()}, "orders", NOON)
    DOOR.admit({"Authorization": f"SharedAccessSignature {signed()}"}, "orders", NOON)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"aeg-sas-key": ""},
        {"aeg-sas-key": "ü\udcff"},
        {"aeg-sas-key": "Y2F0YWxvZw=="},
        {"aeg-sas-token": signed("Y2F0YWxvZw==")},
        {"aeg-sas-token": signed(until="3/4/2026 11:59:59 AM")},
        {"aeg-sas-token": signed(until="2026-03-04 12:00:00+00:00")},
        {"aeg-sas-token": signed(until="tomorrow")},
        {"aeg-sas-token": signed(resource="https://127.0.0.1/catalog/api/events")},
        {"aeg-sas-token": signed(resource="https://[/orders/api/events")},
        {"aeg-sas-token": signed() + "x"},
        {"aeg-sas-token": signed().replace("PM", "AM")},
        {"aeg-sas-token": signed() + "&x" * 4096},
    ],
)
def test_all_else_is_unauthorized(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        DOOR.admit(headers, "orders", NOON)


def test_a_topic_without_keys_knows_tokens_only() -> None:
    with pytest.raises(Unauthorized):
        Door(nobody).admit({"aeg-sas-key": FIRST}, "orders", NOON)


@given(st.text() | st.builds("r={}&e={}&s={}".format, st.text(), st.text(), st.text()))
def test_whatever_is_shown_it_is_no_signature(shown: str) -> None:
    for headers in (
        {"aeg-sas-token": shown},
        {"aeg-sas-key": shown},
        {"Authorization": f"SharedAccessSignature {shown}"},
    ):
        with pytest.raises(Unauthorized):
            DOOR.admit(headers, "orders", NOON)


@given(st.text(max_size=40))
def test_whatever_time_is_signed_it_is_read_or_refused(until: str) -> None:
    try:
        DOOR.admit({"aeg-sas-token": signed(until=until.encode(errors="ignore").decode())}, "orders", NOON)
    except Unauthorized:
        return
    assert until

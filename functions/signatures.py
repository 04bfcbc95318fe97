"""Who calls back is who knows the key: HMAC-SHA256 over `<timestamp>.<body>`, and not from long ago."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from libs.common.errors import Unauthorized

TIMESTAMP, SIGNATURE = "payment-timestamp", "payment-signature"  # the host spells all headers in lower case
WINDOW_SECONDS = 300  # clocks differ, and what is older may be somebody's recording


class Unsigned(Unauthorized):
    """The call-back's signature is missing, wrong, or not of the last five minutes."""


def verify(body: bytes, headers: Mapping[str, str], *, key: str, at: datetime) -> None:
    """Raises Unsigned. A signature is compared before its time is looked at, and in constant time."""
    told, signature = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    expected = hmac.digest(key.encode(), told.encode(errors="replace") + b"." + body, hashlib.sha256).hex()
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
        raise Unsigned
    # What is signed is a number of ours: the key's owner has written it.
    if not told.isdecimal() or len(told) > 12 or abs(at.timestamp() - int(told)) > WINDOW_SECONDS:
        raise Unsigned

"""A body comes in: of a type that the route takes, as it is, and no larger than it says."""

from aiohttp import hdrs, web

from libs.common.errors import TooLarge, UnsupportedType
from libs.common.operations import JSON, operation_of

UTF_8 = ("utf-8", "utf8", "us-ascii")


def check_type(request: web.Request) -> None:
    """What says nothing of its type is taken for what is wanted. Raises UnsupportedType."""
    operation = operation_of(request)
    if operation.body is None or not request.body_exists:
        return
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise UnsupportedType(operation.body_types, "send it as it is, without a Content-Encoding")
    if hdrs.CONTENT_TYPE not in request.headers:
        return
    if not any(_is_taken(request.content_type, taken) for taken in operation.body_types):
        raise UnsupportedType(operation.body_types, f"send {' or '.join(operation.body_types)}")
    if operation.body_types == JSON and (request.charset or UTF_8[0]).lower() not in UTF_8:
        raise UnsupportedType(operation.body_types, "send it in UTF-8")


def _is_taken(said: str, taken: str) -> bool:
    return said == taken or (taken == JSON[0] and said.startswith("application/") and said.endswith("+json"))


async def whole(request: web.Request) -> bytes:
    """Raises TooLarge, before more has come than the route takes."""
    most = operation_of(request).most_bytes
    if (request.content_length or 0) > most:
        raise TooLarge
    arrived = bytearray()
    async for chunk in request.content.iter_any():
        arrived += chunk
        if len(arrived) > most:
            raise TooLarge
    return bytes(arrived)

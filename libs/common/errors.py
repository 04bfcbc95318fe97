"""What can go wrong, each with its HTTP status. The class docstring is what the caller reads."""

from collections.abc import Sequence
from http import HTTPStatus


class StoreError(Exception):
    """Something went wrong on our side."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    retry_after_seconds = 0  # 0: it is no use

    @property
    def detail(self) -> str:
        return str(self) or (type(self).__doc__ or "").strip()


class Malformed(StoreError):
    """The request can't be read."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(StoreError):
    """A valid bearer token is needed."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(StoreError):
    """Your role does not allow this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(StoreError):
    """There is no such thing, or it is not yours."""

    status = HTTPStatus.NOT_FOUND


class Conflict(StoreError):
    """The thing is in a state that does not allow this."""

    status = HTTPStatus.CONFLICT


class Stale(StoreError):
    """It was changed meanwhile; read it again and repeat with the new ETag."""

    status = HTTPStatus.PRECONDITION_FAILED


class MatchRequired(StoreError):
    """Send If-Match with the ETag that you read, so that nobody's change is overwritten."""

    status = HTTPStatus.PRECONDITION_REQUIRED


class TooLarge(StoreError):
    """The body is larger than this route takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedType(StoreError):
    """This kind of body is not taken here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def __init__(self, taken: Sequence[str], detail: str) -> None:
        super().__init__(detail)
        self.taken = taken


class TooManyRequests(StoreError):
    """You ask too often; wait as long as Retry-After says."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class Invalid(StoreError):
    """A value is not allowed; `field` says where it stands, e.g. `lines[0].quantity`."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class KeyReused(Invalid):
    """The same Idempotency-Key came with another body."""

    def __init__(self) -> None:
        super().__init__("Idempotency-Key", "")


class Unavailable(StoreError):
    """Not now: something this needs is away. Try again later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 2


class TookTooLong(Unavailable):
    """It took too long and was given up. It may have been done: look, or repeat it with the same Idempotency-Key."""

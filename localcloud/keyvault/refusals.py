"""What Key Vault refuses, with the codes that its callers look at."""

from typing import ClassVar


class Refused(Exception):
    status: ClassVar[int] = 400
    code: ClassVar[str] = "BadParameter"
    inner: str = ""


class BadParameter(Refused):
    """Something in the address or the body is wrong."""


class TooLarge(Refused):
    status, code = 413, "RequestEntityTooLarge"


class NotFound(Refused):
    status, code = 404, "SecretNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you "
            "may be able to recover it using the correct recovery command."
        )


class DeletedNotFound(Refused):
    status, code = 404, "SecretNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"Deleted Secret not found: {name}")


class Disabled(Refused):
    status, code = 403, "Forbidden"
    inner = "SecretDisabled"

    def __init__(self) -> None:
        super().__init__("Operation get is not allowed on a disabled secret.")


class Recoverable(Refused):
    status, code = 409, "Conflict"
    inner = "ObjectIsDeletedButRecoverable"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
            "state, the secret can only be recovered or purged."
        )


class Exists(Refused):
    status, code = 409, "Conflict"

    def __init__(self, name: str) -> None:
        super().__init__(f"The secret {name} already exists; a backup is restored only where there is none.")

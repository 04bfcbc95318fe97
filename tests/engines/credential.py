"""For servers that know nothing of tokens and Key Vault: the URL holds the password."""

from typing import Any

from azure.core.credentials import AccessToken


async def no_secret() -> str:
    raise AssertionError("the URL holds the password")


class NoCredential:
    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        raise AssertionError("the URL holds the password")

    async def close(self) -> None: ...

    async def __aenter__(self) -> "NoCredential":
        return self

    async def __aexit__(self, *_: object) -> None: ...

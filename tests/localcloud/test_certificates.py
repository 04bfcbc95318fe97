import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import certifi
import pytest

from localcloud import certificates
from localcloud.certificates import LIFETIME, RENEW_BEFORE, Certificates

NOW = datetime.now(UTC)


async def greeting(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> bytes:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=host)
        try:
            return await reader.read()
        finally:
            writer.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_client_with_the_bundle_trusts_the_server(tmp_path: Path, host: str) -> None:
    files = certificates.ensure(tmp_path, NOW)
    client = ssl.create_default_context(cafile=str(files.bundle))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on

    assert await greeting(files.server_context(), client, host) == b"hello"


async def test_nobody_else_trusts_the_server(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path / "a", NOW)
    other = certificates.ensure(tmp_path / "b", NOW)

    with pytest.raises(ssl.SSLCertVerificationError):
        await greeting(files.server_context(), other.client_context(), "127.0.0.1")


async def test_the_server_is_not_trusted_under_another_name(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path, NOW)

    with pytest.raises(ssl.SSLCertVerificationError):
        await greeting(files.server_context(), files.client_context(), "store.example")


def test_certificates_are_kept(tmp_path: Path) -> None:
    before = contents(certificates.ensure(tmp_path, NOW))

    assert contents(certificates.ensure(tmp_path, NOW)) == before


def test_certificates_that_end_soon_are_renewed(tmp_path: Path) -> None:
    before = contents(certificates.ensure(tmp_path, NOW))

    files = certificates.ensure(tmp_path, NOW + LIFETIME - RENEW_BEFORE)

    assert not set(before) & set(contents(files))


def test_certificates_left_half_made_are_made_again(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path, NOW)
    files.bundle.unlink()

    certificates.ensure(tmp_path, NOW).server_context()

    assert files.bundle.read_bytes().startswith(files.ca.read_bytes())


def test_the_key_is_for_the_owner_only_and_the_authoritys_is_not_kept(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path, NOW)

    assert files.key.stat().st_mode & 0o777 == 0o600
    assert [path for path in tmp_path.iterdir() if b"PRIVATE" in path.read_bytes()] == [files.key]


def test_the_bundle_holds_the_public_authorities_too(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path, NOW)

    assert files.bundle.read_bytes() == files.ca.read_bytes() + Path(certifi.where()).read_bytes()


def contents(files: Certificates) -> list[bytes]:
    return [path.read_bytes() for path in (files.ca, files.server, files.key, files.bundle)]

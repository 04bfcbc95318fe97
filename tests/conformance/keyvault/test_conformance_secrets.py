"""What becomes of a secret from the first version to its purge, by the unmodified SDK."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.conformance.keyvault.place import Vault

pytestmark = pytest.mark.real

THEN = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
LARGEST_VALUE = 25 * 1024
SIZE = 2


def said(error: HttpResponseError) -> tuple[int | None, str | None, str | None]:
    """The status, the code, and the code within."""
    told: Any = error.error
    return error.status_code, told.code, (told.innererror or {}).get("code")


async def test_all_of_a_secret_comes_back(vault: Vault) -> None:
    name = vault.name()

    put = await vault.sdk.set_secret(
        name, "püss\U0001f511", content_type="text", tags={"by": "us"}, not_before=THEN, expires_on=LATER
    )
    got = await vault.sdk.get_secret(name)

    assert (got.name, got.value, got.id) == (name, "püss\U0001f511", put.id)
    assert (got.properties.content_type, got.properties.tags) == ("text", {"by": "us"})
    assert (got.properties.not_before, got.properties.expires_on) == (THEN, LATER)
    assert got.properties.enabled
    assert got.properties.version == put.properties.version
    assert abs(got.properties.created_on - datetime.now(UTC)) < timedelta(minutes=5)
    assert got.properties.recovery_level.startswith("Recoverable")


async def test_a_name_has_versions_and_the_newest_is_the_secret(vault: Vault) -> None:
    name = vault.name()
    first = await vault.sdk.set_secret(name, "one", tags={"old": "yes"})
    second = await vault.sdk.set_secret(name, "two")

    newest, earlier = await vault.sdk.get_secret(name), await vault.sdk.get_secret(name, first.properties.version)
    versions = [each async for each in vault.sdk.list_properties_of_secret_versions(name)]

    assert (newest.value, newest.properties.tags or {}) == ("two", {})
    assert (earlier.value, earlier.properties.tags) == ("one", {"old": "yes"})
    assert {each.version for each in versions} == {first.properties.version, second.properties.version}


async def test_properties_are_changed_and_the_value_stays(vault: Vault) -> None:
    name = vault.name()
    put = await vault.sdk.set_secret(name, "one", content_type="text", tags={"a": "1", "b": "2"})

    changed = await vault.sdk.update_secret_properties(name, tags={"c": "3"}, expires_on=LATER)
    await vault.sdk.update_secret_properties(name, put.properties.version, content_type="number")

    got = await vault.sdk.get_secret(name)
    assert (changed.version, changed.content_type, changed.tags) == (put.properties.version, "text", {"c": "3"})
    assert (got.value, got.properties.content_type, got.properties.tags) == ("one", "number", {"c": "3"})
    assert got.properties.expires_on == LATER
    assert got.properties.updated_on >= put.properties.updated_on


async def test_a_disabled_version_is_listed_but_not_read(vault: Vault) -> None:
    name = vault.name()
    first = await vault.sdk.set_secret(name, "one")
    second = await vault.sdk.set_secret(name, "two", enabled=False)

    with pytest.raises(HttpResponseError) as raised:
        await vault.sdk.get_secret(name)
    listed = {each.version: each.enabled async for each in vault.sdk.list_properties_of_secret_versions(name)}
    earlier = await vault.sdk.get_secret(name, first.properties.version)
    await vault.sdk.update_secret_properties(name, second.properties.version, enabled=True)

    assert said(raised.value) == (403, "Forbidden", "SecretDisabled")
    assert listed == {first.properties.version: True, second.properties.version: False}
    assert earlier.value == "one"
    assert (await vault.sdk.get_secret(name)).value == "two"


async def test_what_has_expired_or_is_not_yet_valid_is_read_all_the_same(vault: Vault) -> None:
    expired, early = vault.name(), vault.name()
    await vault.sdk.set_secret(expired, "old", expires_on=THEN)
    await vault.sdk.set_secret(early, "new", not_before=LATER)

    assert (await vault.sdk.get_secret(expired)).value == "old"
    assert (await vault.sdk.get_secret(early)).value == "new"


async def test_a_list_comes_in_pages_and_without_values(vault: Vault) -> None:
    names = {vault.name() for _ in range(2 * SIZE + 1)}
    for name in names:
        await vault.sdk.set_secret(name, "x", tags={"of": name})

    listed = {each.name: each async for each in vault.sdk.list_properties_of_secrets(max_page_size=SIZE)}

    assert names <= set(listed)
    assert all(listed[name].tags == {"of": name} and listed[name].version is None for name in names)


async def test_versions_come_in_pages(vault: Vault) -> None:
    name = vault.name()
    made = {(await vault.sdk.set_secret(name, str(each))).properties.version for each in range(2 * SIZE + 1)}

    pages = vault.sdk.list_properties_of_secret_versions(name, max_page_size=SIZE)

    assert {each.version async for each in pages} == made


async def test_a_deleted_secret_is_kept_and_its_name_with_it(vault: Vault) -> None:
    name = vault.name()
    await vault.sdk.set_secret(name, "one", content_type="text")

    deleted = await vault.sdk.delete_secret(name)
    with pytest.raises(ResourceNotFoundError) as gone:
        await vault.sdk.get_secret(name)
    with pytest.raises(ResourceExistsError) as taken:
        await vault.sdk.set_secret(name, "two")
    found = await vault.sdk.get_deleted_secret(name)
    listed = [each.name async for each in vault.sdk.list_deleted_secrets()]

    assert said(gone.value)[:2] == (404, "SecretNotFound")
    assert said(taken.value) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert name in listed
    assert name not in [each.name async for each in vault.sdk.list_properties_of_secrets()]
    assert (found.name, found.properties.content_type, found.recovery_id) == (name, "text", deleted.recovery_id)
    assert found.deleted_date < found.scheduled_purge_date


async def test_a_recovered_secret_has_all_its_versions(vault: Vault) -> None:
    name = vault.name()
    first = await vault.sdk.set_secret(name, "one")
    await vault.sdk.set_secret(name, "two")
    await vault.sdk.delete_secret(name)

    await vault.sdk.recover_deleted_secret(name)

    assert (await vault.sdk.get_secret(name)).value == "two"
    assert (await vault.sdk.get_secret(name, first.properties.version)).value == "one"
    with pytest.raises(ResourceNotFoundError):
        await vault.sdk.get_deleted_secret(name)


async def test_a_purged_secret_is_gone_and_its_name_is_free(vault: Vault) -> None:
    name = vault.name()
    first = await vault.sdk.set_secret(name, "one")
    await vault.sdk.delete_secret(name)

    await vault.sdk.purge_deleted_secret(name)
    await vault.sdk.set_secret(name, "two")

    assert len([each async for each in vault.sdk.list_properties_of_secret_versions(name)]) == 1
    with pytest.raises(ResourceNotFoundError):
        await vault.sdk.get_secret(name, first.properties.version)


async def test_a_backup_brings_all_versions_back(vault: Vault) -> None:
    name = vault.name()
    first = await vault.sdk.set_secret(name, "one", tags={"a": "1"})
    await vault.sdk.set_secret(name, "two", enabled=False)

    backup = await vault.sdk.backup_secret(name)
    with pytest.raises(ResourceExistsError):
        await vault.sdk.restore_secret_backup(backup)
    await vault.sdk.delete_secret(name)
    with pytest.raises(ResourceExistsError):
        await vault.sdk.restore_secret_backup(backup)
    await vault.sdk.purge_deleted_secret(name)
    restored = await vault.sdk.restore_secret_backup(backup)

    assert b"one" not in backup
    assert (restored.name, restored.enabled) == (name, False)
    earlier = await vault.sdk.get_secret(name, first.properties.version)
    assert (earlier.value, earlier.properties.tags) == ("one", {"a": "1"})


async def test_what_is_no_backup_is_not_restored(vault: Vault) -> None:
    with pytest.raises(HttpResponseError) as raised:
        await vault.sdk.restore_secret_backup(b"something else")

    assert raised.value.status_code == 400


@pytest.mark.parametrize(
    "call",
    [
        "get_secret",
        "update_secret_properties",
        "delete_secret",
        "backup_secret",
        "get_deleted_secret",
        "purge_deleted_secret",
        "recover_deleted_secret",
    ],
)
async def test_what_is_not_there_is_not_found(vault: Vault, call: str) -> None:
    with pytest.raises(ResourceNotFoundError) as raised:
        await getattr(vault.sdk, call)(vault.name())

    assert said(raised.value)[1] == "SecretNotFound"


async def test_a_name_has_no_case_and_is_listed_as_it_was_written(vault: Vault) -> None:
    name = vault.name()
    await vault.sdk.set_secret(name.upper(), "one")

    assert (await vault.sdk.get_secret(name)).value == "one"
    assert name.upper() in [each.name async for each in vault.sdk.list_properties_of_secrets()]


async def test_values_and_tags_have_limits(vault: Vault) -> None:
    name = vault.name()
    await vault.sdk.set_secret(name, "x" * LARGEST_VALUE, tags={str(each): "x" for each in range(15)})

    for value, tags in (("x" * (LARGEST_VALUE + 1), {}), ("x", {str(each): "x" for each in range(16)})):
        with pytest.raises(HttpResponseError) as raised:
            await vault.sdk.set_secret(name, value, tags=tags)
        assert said(raised.value)[:2] == (400, "BadParameter")

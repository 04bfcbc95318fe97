from pathlib import Path

import pytest

from localcloud import functions_keys
from localcloud.state import made_once, write_private


def test_what_is_made_once_stays(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"

    first = made_once(path, lambda: b"first")

    assert first == made_once(path, lambda: b"second") == b"first"


def test_what_is_made_is_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"

    made_once(path, lambda: b"x")

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_is_replaced_at_once_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, b"long before")

    with path.open("rb") as reader:
        write_private(path, b"after")

        assert reader.read() == b"long before"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"after"


def test_the_functions_hosts_keys_are_made_once_and_differ(tmp_path: Path) -> None:
    functions_keys.ensure(tmp_path / "keys")
    before = [functions_keys.read(tmp_path / "keys" / name) for name in functions_keys.NAMES]

    functions_keys.ensure(tmp_path / "keys")

    assert [functions_keys.read(tmp_path / "keys" / name) for name in functions_keys.NAMES] == before
    assert len(set(before)) == len(before) == 3
    assert {each.name for each in (tmp_path / "keys").iterdir()} == set(functions_keys.NAMES)


def test_a_key_that_a_person_wrote_may_end_with_a_line(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")

    assert functions_keys.read(tmp_path / "key") == "secret"


def test_a_key_that_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        functions_keys.read(tmp_path / "key")

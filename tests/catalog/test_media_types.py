"""What files are, by how they begin; pure."""

import pytest

from libs.common.errors import Invalid, TooLarge
from services.catalog.media import (
    MOST_IMAGE_BYTES,
    MOST_VIDEO_BYTES,
    UnsupportedMedia,
    check_head,
    check_size,
    check_type,
)
from tests.pictures import MP4, WEBM

PNG = b"\x89PNG\r\n\x1a\n..."


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("image/png", PNG),
        ("image/jpeg", b"\xff\xd8\xff\xe0...."),
        ("image/webp", b"RIFF\x00\x00\x00\x00WEBPVP8 "),
        ("video/mp4", MP4),
        ("video/mp4", b"\x00\x00\x00\x20ftypM4V \x00\x00\x00\x00"),
        ("video/webm", WEBM),
    ],
)
def test_a_file_is_what_it_says(content_type: str, content: bytes) -> None:
    check_type(content_type)
    check_head(content_type, content)


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("image/png", b""),
        ("image/png", b"\xff\xd8\xff\xe0"),
        ("image/png", b"<svg onload=alert(1)>"),
        ("image/jpeg", PNG),
        ("image/webp", b"RIFF\x00\x00\x00\x00WAVEfmt "),
        ("image/webp", b"WEBP"),
        ("video/mp4", b""),
        ("video/mp4", WEBM),
        ("video/mp4", b"\x00\x00\x00\x20ftypheic\x00\x00\x00\x00"),
        ("video/mp4", b"\x00\x00\x00\x20ftyp    \x00\x00\x00\x00"),
        ("video/mp4", b"ftypisom"),
        ("video/webm", MP4),
        ("video/webm", WEBM.replace(b"\x84webm", b"\x88matroska")),
        ("video/webm", WEBM[:20]),
    ],
)
def test_what_is_no_such_file_is_refused(content_type: str, content: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        check_head(content_type, content)

    assert refusal.value.field == "body"


@pytest.mark.parametrize("content_type", ["image/svg+xml", "image/gif", "video/quicktime", "text/html", ""])
def test_other_types_are_not_taken(content_type: str) -> None:
    with pytest.raises(UnsupportedMedia):
        check_type(content_type)


@pytest.mark.parametrize(("content_type", "most"), [("image/png", MOST_IMAGE_BYTES), ("video/mp4", MOST_VIDEO_BYTES)])
def test_there_is_a_largest_file_of_each(content_type: str, most: int) -> None:
    check_size(content_type, most)

    with pytest.raises(TooLarge):
        check_size(content_type, most + 1)

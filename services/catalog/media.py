"""What can be shown of a product, pure: the types of files, how they begin and how large they may be."""

from http import HTTPStatus

from libs.common.errors import Invalid, StoreError, TooLarge

MEGABYTE = 1024 * 1024
MOST_IMAGE_BYTES = 5 * MEGABYTE
MOST_VIDEO_BYTES = 200 * MEGABYTE
HEAD_BYTES = 64  # what is looked at of a video
SIGNATURES = {  # how the images of each type begin: b"RIFF" and, four bytes on, b"WEBP"
    "image/png": {0: b"\x89PNG\r\n\x1a\n"},
    "image/jpeg": {0: b"\xff\xd8\xff"},
    "image/webp": {0: b"RIFF", 8: b"WEBP"},
}
VIDEOS = ("video/mp4", "video/webm")
TYPES = (*SIGNATURES, *VIDEOS)
# ISO/IEC 14496-12, section 4.3: the brand says what the file is; others than these are audio, pictures, QuickTime.
BRANDS = b"isom iso2 iso3 iso4 iso5 iso6 iso7 iso8 iso9 mp41 mp42 mp71 avc1 dash msdh MSNV cmfc M4V M4VH M4VP f4v"
EBML, WEBM = b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm"  # RFC 8794, section 11.2: the header, and its DocType


class UnsupportedMedia(StoreError):
    """Send an image/png, image/jpeg, image/webp, video/mp4 or video/webm, and say so in Content-Type."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def is_video(content_type: str) -> bool:
    return content_type in VIDEOS


def check_type(content_type: str) -> None:
    """Raises UnsupportedMedia."""
    if content_type not in TYPES:
        raise UnsupportedMedia


def check_size(content_type: str, size: int) -> None:
    """Raises TooLarge."""
    if size > most_bytes(content_type):
        raise TooLarge


def most_bytes(content_type: str) -> int:
    return MOST_VIDEO_BYTES if is_video(content_type) else MOST_IMAGE_BYTES


def check_head(content_type: str, head: bytes) -> None:
    """`head` is how the file begins. Raises Invalid where it is something else than it is said to be."""
    if not _begins(content_type, head):
        raise Invalid("body", f"this is no {content_type}")


def _begins(content_type: str, head: bytes) -> bool:
    if content_type == "video/mp4":
        return head[4:8] == b"ftyp" and head[8:12].strip() in BRANDS.split()
    if content_type == "video/webm":
        return head.startswith(EBML) and WEBM in head[:HEAD_BYTES]
    return all(head.startswith(part, place) for place, part in SIGNATURES[content_type].items())

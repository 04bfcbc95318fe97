"""What media are called in Blob Storage: the catalogue, its collector and the function `thumbnails` agree on it.

A name says whose it is, so that from a blob alone the product can be asked whether it still has it.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from libs.common.messages.catalog import Size

CONTAINER = "media"  # anyone reads
UPLOADS = "uploads"  # nobody reads
FOREVER = "public, max-age=31536000, immutable"  # a name is used once
THUMBNAIL_TYPE = "image/webp"
EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
SIZES: tuple[Size, ...] = ("small", "medium", "large")

_NAME = re.compile(r"(images|videos|thumbnails)/([0-9a-f]{32})/([0-9a-f]{32})[.-][a-z0-9.]+")


@dataclass(frozen=True, slots=True)
class Place:
    product_id: UUID
    media_id: UUID

    def original(self, content_type: str) -> str:
        folder = f"{content_type.partition('/')[0]}s"  # images, videos
        return f"{folder}/{self.product_id.hex}/{self.media_id.hex}.{EXTENSIONS[content_type]}"

    def thumbnail(self, size: Size) -> str:
        return f"thumbnails/{self.product_id.hex}/{self.media_id.hex}-{size}.webp"


def place_of(name: str) -> Place | None:
    """Whose a blob is; None where the name is not of this form."""
    known = _NAME.fullmatch(name)
    return Place(UUID(known[2]), UUID(known[3])) if known else None

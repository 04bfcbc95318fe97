"""Files to upload: good ones, and such as are none."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomavc1" + b"\x00\x00\x00\x08free"
WEBM = (
    b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm"
    + b"\x00" * 20
)


def picture(form: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **how: Any) -> bytes:
    """Red in its left half, blue in its right."""
    image = Image.new("RGB", size, (200, 0, 0))
    image.paste((0, 0, 200), (size[0] // 2, 0, *size))
    file = io.BytesIO()
    image.convert(mode).save(file, form, **how)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes whose header promises this."""
    header = struct.pack(">2I5B", width, height, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def animated() -> bytes:
    frames = [Image.new("RGB", (8, 8), (n * 50, 0, 0)) for n in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    return file.getvalue()

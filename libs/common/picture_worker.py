"""Decodes one picture and ends: `picture_worker.py clean` or `thumbnails`, the picture on standard input.

Whatever a hostile file makes of a decoder happens in a process that knows nothing of the store and can open neither a
file nor a socket, with little memory and little time. Where it dies, of whatever, the picture is refused.
"""

import io
import json
import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import (
    Image,
    ImageCms,
    ImageOps,
    WebPImagePlugin,  # noqa: F401  else Pillow would look for it among all that it knows
)

MOST_BYTES = 32 * 1024 * 1024
MOST_PIXELS = 16_000_000
MOST_RATIO = 20  # of the longer side to the shorter
CPU_SECONDS = 10
MEMORY_BYTES = 512 * 1024 * 1024  # of addresses; 16 million pixels with transparency take 280 of memory
SIZES = {"large": 1280, "medium": 480, "small": 160}  # pixels of the longer side; each is made from the one before
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 6},
    "WEBP": {"quality": 90, "method": 4},
}
DEEP = ("I", "F")  # modes whose pixels are larger than a byte
SRGB = ImageCms.createProfile("sRGB")


class Refused(Exception):
    """The text says why."""


def clean(content: bytes) -> Iterator[tuple[str, Image.Image, bytes]]:
    """The same picture, upright and in sRGB, with nothing else in its file."""
    known, picture = _picture(content)
    file = _encoded(picture, known)
    if len(file) > MOST_BYTES:
        raise Refused(f"the image takes more than {MOST_BYTES // 2**20} MB as we would store it")
    yield "clean", picture, file


def thumbnails(content: bytes) -> Iterator[tuple[str, Image.Image, bytes]]:
    """WebP, never larger than the picture is."""
    _, picture = _picture(content)
    for name, pixels in SIZES.items():
        picture.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
        yield name, picture.copy(), _encoded(picture, "WEBP")


def _picture(content: bytes) -> tuple[str, Image.Image]:
    """Its format and its pixels. Raises Refused, or whatever Pillow raises."""
    for look in (_check, Image.Image.verify):
        with Image.open(io.BytesIO(content), formats=tuple(FORMATS)) as image:
            look(image)
    image = Image.open(io.BytesIO(content), formats=tuple(FORMATS))  # what was verified can't be read any more
    image.load()
    upright = ImageOps.exif_transpose(image)
    plain = _in_srgb(upright)
    plain.info = {}  # else Pillow would write profiles and comments again
    return str(image.format), plain


def _check(image: Image.Image) -> None:
    """Of what the header says, before anything is decoded."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Refused(f"the image has {width} x {height} pixels; at most {MOST_PIXELS // 1_000_000} million are taken")
    if max(width, height) > MOST_RATIO * min(width, height):
        raise Refused(f"the image is more than {MOST_RATIO} times as long as it is wide")
    if getattr(image, "n_frames", 1) > 1:
        raise Refused("the image is animated; send one picture, or a video")


def _in_srgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(DEEP):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in ("P", "PA", "LA", "La", "RGBa"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "RGBA", "CMYK"):
        try:
            wanted = "RGBA" if image.mode == "RGBA" else "RGB"
            return ImageCms.profileToProfile(image, io.BytesIO(profile), SRGB, outputMode=wanted) or image
        except (ImageCms.PyCMSError, OSError):  # a profile that is broken, or of something else, says nothing
            pass
    return image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB")


def _encoded(picture: Image.Image, known: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, known, **FORMATS[known])
    return file.getvalue()


def _warm() -> None:
    """Pillow imports much of itself when it is first needed, and later no file can be opened."""
    Image.preinit()
    dot, exif, profile = Image.new("RGB", (2, 1)), Image.Exif(), ImageCms.ImageCmsProfile(SRGB).tobytes()
    exif[0x0112] = 6
    for known in FORMATS:
        file = io.BytesIO()
        dot.save(file, known, exif=exif, icc_profile=profile)
        list(clean(file.getvalue()))


def _confine() -> None:
    """For good: a hard limit can't be raised again. Where memory is short, the kernel takes it from here first."""
    with suppress(OSError):  # on Linux only
        Path("/proc/self/oom_score_adj").write_text("1000")
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 3),  # standard input, output and error are open: no file and no socket can follow
    ):
        resource.setrlimit(what, (most, most))


def _answer(pictures: Iterable[tuple[str, Image.Image, bytes]]) -> bytes:
    made = list(pictures)
    heads = [
        {"name": name, "width": each.width, "height": each.height, "bytes": len(file)} for name, each, file in made
    ]
    return json.dumps({"made": heads}).encode() + b"\n" + b"".join(file for _, _, file in made)


def main(task: str) -> None:
    Image.MAX_IMAGE_PIXELS = None  # _check says it in our words
    _warm()
    _confine()
    content = sys.stdin.buffer.read(MOST_BYTES + 1)
    try:
        answer = _answer({"clean": clean, "thumbnails": thumbnails}[task](content))
    except Refused as reason:
        answer = json.dumps({"refused": str(reason)}).encode() + b"\n"
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])

"""Draws small pictures, as PNG: shapes laid over each other on a ground that fades from top to bottom.

Coordinates run from 0 to 1, from the upper left corner. A shape says at each height where it begins and ends.
"""

import math
import struct
import zlib
from collections.abc import Callable, Sequence

Colour = tuple[int, int, int]
Span = tuple[float, float]
Shape = Callable[[float], Span | None]

SIZE = 480  # pixels
SAMPLES = 4  # of each row's height, so that edges are smooth


def ellipse(x: float, y: float, width: float, height: float) -> Shape:
    """Around its middle."""

    def at(height_at: float) -> Span | None:
        off = (height_at - y) / (height / 2)
        reach = width / 2 * math.sqrt(1 - off * off) if abs(off) < 1 else 0.0
        return (x - reach, x + reach) if reach else None

    return at


def slope(top: float, upper: Span, bottom: float, lower: Span) -> Shape:
    """Four corners: a box, a triangle and all between."""

    def at(y: float) -> Span | None:
        way = (y - top) / (bottom - top)
        if not 0 <= way <= 1:
            return None
        return upper[0] + (lower[0] - upper[0]) * way, upper[1] + (lower[1] - upper[1]) * way

    return at


def box(left: float, top: float, right: float, bottom: float, corner: float = 0.0) -> Shape:
    """With round corners."""

    def at(y: float) -> Span | None:
        if not top <= y <= bottom:
            return None
        depth = max(top + corner - y, y - bottom + corner, 0.0)
        inset = corner - math.sqrt(max(corner * corner - depth * depth, 0.0))
        return left + inset, right - inset

    return at


def draw(ground: tuple[Colour, Colour], shapes: Sequence[tuple[Shape, Colour | None]]) -> bytes:
    """A PNG. A shape without a colour is a hole."""
    rows = []
    for y in range(SIZE):
        under = _mix(ground[0], ground[1], y / SIZE)
        row = bytearray(bytes(under) * SIZE)
        for shape, colour in shapes:
            _paint(row, _spans(shape, y), colour or under)
        rows.append(b"\0" + row)  # PNG's filter type 0: as it is
    header = struct.pack(">2I5B", SIZE, SIZE, 8, 2, 0, 0, 0)
    content = zlib.compress(b"".join(rows), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def _spans(shape: Shape, y: int) -> list[Span]:
    """In pixels, one for each sample that the shape covers."""
    found = (shape((y + (sample + 0.5) / SAMPLES) / SIZE) for sample in range(SAMPLES))
    return [(span[0] * SIZE, span[1] * SIZE) for span in found if span]


def _paint(row: bytearray, spans: list[Span], colour: Colour) -> None:
    if not spans:
        return
    first, last = math.floor(min(left for left, _ in spans)), math.ceil(max(right for _, right in spans))
    full = range(0)
    if len(spans) == SAMPLES:
        full = range(math.ceil(max(left for left, _ in spans)), math.floor(min(right for _, right in spans)))
        row[full.start * 3 : full.stop * 3] = bytes(colour) * len(full)
    for x in (*range(first, full.start or last), *range(full.stop or last, last)):
        share = sum(max(0.0, min(x + 1, right) - max(x, left)) for left, right in spans) / SAMPLES
        under = row[x * 3], row[x * 3 + 1], row[x * 3 + 2]
        row[x * 3 : x * 3 + 3] = bytes(_mix(under, colour, share))


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

"""Pictures are decoded by a process that can do nothing else, and come back as pictures and nothing else."""

import asyncio
import json
import sys
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageCms

from libs.common.errors import Unavailable
from libs.common.pictures import WORKER, Picture, Studio, Unfit
from tests.pictures import animated, bomb, opened, picture
from tests.waiting import so

GPS, ORIENTATION, ARTIST = 0x8825, 0x0112, 0x013B
SCRIPT = b"<?php system($_GET['c']); ?>"


@pytest.fixture
def studio() -> Studio:
    """Patient: the machine may be busy."""
    return Studio(seconds=50)


def with_exif(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = orientation, "Ada, at home"
    exif[GPS] = {1: "N", 2: (50.0, 56.0, 0.0)}
    return picture("JPEG", exif=exif, comment=SCRIPT)


FORMS = [
    *(("PNG", mode) for mode in ("RGB", "RGBA", "P", "L", "1", "I;16")),
    *(("JPEG", mode) for mode in ("RGB", "L", "CMYK")),
    ("WEBP", "RGB"),
]


@pytest.mark.parametrize(("form", "mode"), FORMS)
async def test_a_picture_comes_back_as_the_same_picture(studio: Studio, form: str, mode: str) -> None:
    source = picture(form, mode="L" if mode == "I;16" else mode)
    if mode == "I;16":
        file = BytesIO()
        Image.new("I;16", (40, 30), 40_000).save(file, "PNG")
        source = file.getvalue()

    made = await studio.clean(source)

    image = opened(made.content)
    assert (image.format, image.size, (made.width, made.height)) == (form, (40, 30), (40, 30))
    assert image.mode in ("L", "RGB", "RGBA")
    if mode == "I;16":
        assert image.getpixel((1, 1)) == 40_000 // 256


async def test_nothing_but_pixels_is_left_of_it(studio: Studio) -> None:
    made = await studio.clean(with_exif() + SCRIPT + b"PK\x03\x04 a zip behind it")

    image = opened(made.content)
    assert (dict(image.getexif()), image.info.get("comment"), image.info.get("icc_profile")) == ({}, None, None)
    assert not [part for part in (SCRIPT, b"PK\x03\x04", b"Ada") if part in made.content]


async def test_it_stands_upright(studio: Studio) -> None:
    made = await studio.clean(with_exif(orientation=6))  # to be turned by a quarter to the right

    red, green, blue = opened(made.content).convert("RGB").getpixel((15, 2))  # type: ignore[misc]
    assert (made.width, made.height) == (30, 40)
    assert (red > 150, green < 50, blue < 50) == (True, True, True)


async def test_its_colours_are_those_of_its_profile(studio: Studio) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    for profile in (srgb, lab, b"no profile at all"):  # those that do not fit say nothing
        made = opened((await studio.clean(picture(icc_profile=profile))).content)

        assert made.getpixel((1, 1)) == (200, 0, 0)
        assert "icc_profile" not in made.info


async def test_thumbnails_come_in_three_sizes_and_never_grow(studio: Studio) -> None:
    large, small = await studio.thumbnails(picture(size=(2000, 1000))), await studio.thumbnails(picture(size=(200, 50)))

    def sizes(made: "dict[str, Picture]") -> dict[str, tuple[int, int]]:
        return {name: opened(each.content).size for name, each in made.items()}

    assert sizes(dict(large)) == {"large": (1280, 640), "medium": (480, 240), "small": (160, 80)}
    assert sizes(dict(small)) == {"large": (200, 50), "medium": (200, 50), "small": (160, 40)}
    assert {opened(each.content).format for each in large.values()} == {"WEBP"}


BAD = {
    "30,000 pixels wide and high": (bomb(30_000, 30_000), "at most 16 million"),
    "a line": (picture(size=(2100, 100)), "20 times"),
    "animated": (animated(), "animated"),
    "cut off": (picture("JPEG", size=(400, 400))[:2000], "broken"),
    "a header alone": (b"\x89PNG\r\n\x1a\n", "broken"),
    "a promise that is not kept": (bomb(3000, 3000), "broken"),
    "nothing": (b"", "broken"),
    "a GIF": (picture("GIF"), "broken"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "broken"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_fit_picture_is_refused_with_the_reason(studio: Studio, name: str) -> None:
    content, reason = BAD[name]

    with pytest.raises(Unfit, match=reason):
        await studio.clean(content)


async def test_sixteen_million_pixels_with_transparency_fit(studio: Studio) -> None:
    made = await studio.clean(picture("PNG", size=(4000, 4000), mode="RGBA"))

    assert (made.width, made.height) == (4000, 4000)


def worker(folder: Path, does: str) -> Path:
    """One that is confined, and then does this in place of decoding; as nobody, since root could undo its limits."""
    file = folder / "worker.py"
    lines = ["import sys", f"sys.path.insert(0, {str(WORKER.parent)!r})", "import picture_worker as own", "import os"]
    nobody = f"if os.getuid() == 0: os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    file.write_text("\n".join([*lines, "own._warm()", nobody, "own._confine()", does]))
    return file


HOSTILE = {
    "opens a file": "open('/etc/passwd')",
    "opens a socket": "import socket; socket.socket()",
    "starts a program": "import os; os.posix_spawn('/bin/true', ['true'], {}); os.pipe()",
    "takes a gigabyte": "bytearray(1024 ** 3)",
    "computes for ever": "own.resource.setrlimit(own.resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
    "raises its limits": "own.resource.setrlimit(own.resource.RLIMIT_NOFILE, (99, 99)); open('/etc/passwd')",
    "speaks without end": "while True: sys.stdout.buffer.write(bytes(1024 * 1024))",
    "says nothing": "",
}
NOBODY = 10001  # as in a container


@pytest.mark.parametrize("does", HOSTILE)
async def test_a_worker_that_was_taken_over_can_do_nothing(tmp_path: Path, does: str) -> None:
    with pytest.raises(Unfit, match="broken"):
        await Studio(worker(tmp_path, HOSTILE[does]), seconds=50).clean(picture())


async def test_it_is_told_nothing_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_VAULT", "https://canary.vault.azure.net")
    tells = "import json, os\nsys.stdout.write(json.dumps({'refused': json.dumps(dict(os.environ))}) + '\\n')"

    with pytest.raises(Unfit) as refusal:
        await Studio(worker(tmp_path, tells), seconds=50).clean(picture())

    assert set(json.loads(refusal.value.detail)) <= {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LC_CTYPE"}


def workers() -> list[psutil.Process]:
    """Of this test process's children, which others' fixtures may have, those that look at pictures."""
    return [each for each in psutil.Process().children() if "worker.py" in " ".join(each.cmdline())]


async def test_one_that_hangs_is_killed_and_the_next_picture_is_served(tmp_path: Path) -> None:
    hanging = Studio(worker(tmp_path, "import threading; threading.Event().wait()"), seconds=1)

    with pytest.raises(Unavailable):
        await hanging.clean(picture())

    await so(lambda: not workers())
    assert (await Studio(seconds=50).clean(picture())).width == 40


async def test_whoever_gives_up_leaves_no_process_behind(studio: Studio, tmp_path: Path) -> None:
    hanging = Studio(worker(tmp_path, "import threading; threading.Event().wait()"), seconds=50)
    waiting = asyncio.create_task(hanging.clean(picture()))
    await so(lambda: bool(workers()))

    waiting.cancel()
    await asyncio.wait([waiting])

    assert not workers()


async def test_a_service_has_not_loaded_what_decodes() -> None:
    script = "import sys, services.catalog.app; print([each for each in sys.modules if each.startswith('PIL')])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)

    assert (await process.communicate())[0].strip() == b"[]"

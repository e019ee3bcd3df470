"""J: folders of images."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bad_inputs.case import bad, fine
from bad_inputs.world import World
from fastnn import FileFormatError
from fastnn.vision import load_image
from fastnn.vision.datasets import ImageFolder

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)


def encoded(kind: str, pixels: np.ndarray = PIXELS, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    body = name + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(99))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


FILES = {
    "J05 empty": ("x.png", b"", "expected a PNG image, as its name says .png, got an empty file"),
    "J04 text": ("x.jpg", b"hello, world", "expected a JPEG image.*got something else"),
    "J06 truncated JPEG": ("x.jpg", encoded("JPEG")[:-200], "intact JPEG image.*truncated"),
    "J07 truncated PNG": ("x.png", encoded("PNG")[:70], "intact PNG image.*truncated"),
    "J07 one byte of data": ("x.png", flipped(encoded("PNG"), 60), "intact PNG"),
    "J07 a header alone": ("x.png", encoded("PNG")[:20], "PNG image"),
    "J07 too few rows": ("x.png", png(100, 100), "intact PNG image.*truncated"),
    "J08 bomb": ("x.png", png(50_000, 50_000), "smaller image.*2500000000 pixels"),
    "J10 no pixels": ("x.png", png(0, 5), "PNG image"),
    "J18 TIFF named png": ("x.png", encoded("TIFF"), "expected a PNG image, as its name says"),
    "J09 GIF named jpg": ("x.jpg", encoded("GIF"), "expected a JPEG image, as its name says"),
    "J19 EPS": ("x.png", encoded("EPS"), "expected a PNG image"),
    "J11 32-bit values": (
        "x.tif",
        encoded("TIFF", np.ones((2, 2), np.float32)),
        "8 or 16 bits.*loader",
    ),
}


def read(name: str, content: bytes) -> Callable[[World], Any]:
    return lambda w: load_image(w.write(name, content))


def first(name: str, content: bytes) -> Callable[[World], Any]:
    """The first of a folder with this image alone, by way of a batch."""

    def call(world: World) -> Any:
        world.write(f"class/{name}", content)
        return ImageFolder(world.folder).fetch(np.array([0]))

    return call


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


def converted(mode: str, ending: str = "PNG") -> Callable[[World], Any]:
    """An image that was saved in another mode."""
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(buffer, ending)
    return lambda w: pixels(load_image(w.write(f"x.{ending.lower()}", buffer.getvalue())))


def as_rgb(mode: str) -> np.ndarray:
    return pixels(Image.fromarray(PIXELS).convert(mode).convert("RGB"))


def folder(*names: str, **more: bytes) -> Callable[[World], ImageFolder]:
    """A folder of the same image under some names, with other files."""

    def call(world: World) -> ImageFolder:
        for name in names:
            world.write(name, encoded("PNG"))
        for name, content in more.items():
            world.write(name.replace("__", "/"), content)
        return ImageFolder(world.folder)

    return call


def samples(*names: str, **more: bytes) -> Callable[[World], Any]:
    """Which files are found, and their labels."""
    make = folder(*names, **more)

    def call(world: World) -> Any:
        data = make(world)
        return [(os.path.relpath(path, world.folder), label) for path, label in data.samples]

    return call


def looped(world: World) -> ImageFolder:
    world.write("cat/1.png", encoded("PNG"))
    (world.folder / "cat" / "loop").symlink_to(world.folder / "cat")
    return ImageFolder(world.folder)


def linked(world: World) -> Any:
    """A class that is a link to a folder elsewhere, as data are often laid out."""
    world.write("elsewhere/1.png", encoded("PNG"))
    root = world.folder / "root"
    root.mkdir()
    (root / "cat").symlink_to(world.folder / "elsewhere")
    return ImageFolder(root).targets


def removed(world: World) -> Any:
    data = ImageFolder(folder("cat/1.png")(world).root, cache=False)
    (world.folder / "cat" / "1.png").unlink()
    return data.fetch(np.array([0]))


def pipe(world: World) -> Path:
    os.mkfifo(world.folder / "x.png")
    return world.folder / "x.png"


def different_sizes(world: World) -> Any:
    world.write("cat/1.png", encoded("PNG"))
    world.write("cat/2.png", encoded("PNG", PIXELS[:3]))
    return ImageFolder(world.folder).fetch(np.array([0, 1]))


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded("JPEG", exif=exif, quality=95)


def animated() -> bytes:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


CASES = [
    *[bad(case, read(name, content), FileFormatError, rf"^\S+{name}: .*{says}")
      for case, (name, content, says) in FILES.items()],
    *[bad(f"{case}, in a folder", first(name, content), FileFormatError, rf"{name}: .*{says}")
      for case, (name, content, says) in FILES.items()],
    bad("J01 an empty folder", folder(), FileNotFoundError, "one folder for each class in"),
    bad("J02 no folder of a class", folder("1.png"), FileNotFoundError,
        "one folder for each class in"),
    bad("J03 an empty class", folder("cat/1.png", dog__notes=b""), FileNotFoundError,
        "in each folder .* in: dog"),
    bad("J01 no folder", lambda w: ImageFolder(w.folder / "nowhere"), FileNotFoundError,
        "nowhere"),
    bad("J01 a file as folder", lambda w: ImageFolder(w.write("x.png", b"")), NotADirectoryError,
        "x.png"),
    fine("J11 16 bits", lambda w: pixels(load_image(w.write(
         "x.png", encoded("PNG", np.array([[0, 255, 256, 65535]], np.uint16)))))[0, :, 0].tolist(),
         lambda w: [0, 0, 1, 255]),
    fine("J12 a palette", converted("P"), lambda w: as_rgb("P")),
    fine("J13 transparency", converted("RGBA"), lambda w: PIXELS),
    fine("J14 CMYK", lambda w: converted("CMYK", "JPEG")(w).shape, lambda w: (5, 7, 3)),
    fine("J15 grey", converted("L"), lambda w: as_rgb("L")),
    fine("J15 black and white", converted("1"), lambda w: as_rgb("1")),
    fine("J16 animated", lambda w: pixels(load_image(w.write("x.png", animated()))),
         lambda w: PIXELS),
    fine("J17 a rotation in EXIF", lambda w: load_image(w.write("x.jpg", rotated())).size,
         lambda w: (7, 5)),
    bad("J20 a link to its own folder", looped, ValueError,
        "is a link to a folder that it lies in"),
    fine("J21 a link out of the root", linked, lambda w: [0]),
    bad("J22 a pipe", lambda w: load_image(pipe(w)), FileFormatError, "got a pipe or device"),
    bad("J22 no file", lambda w: load_image(w.folder / "gone.png"), FileNotFoundError, "gone.png"),
    fine("J23 names in unicode, with a new line", samples("\u00fc \n/\u732b.png"),
         lambda w: [("\u00fc \n/\u732b.png", 0)]),
    fine("J23 a name that is no text", lambda w: samples(os.fsdecode(b"\xff/1.png"))(w)[0][1],
         lambda w: 0),
    fine("J24 .DS_Store and notes",
         samples("cat/1.png",
         **{"cat__.DS_Store": b"x", "cat__notes.txt": b"x", ".git__x.png": b""}),
         lambda w: [("cat/1.png", 0)]),
    bad("J25 different sizes in a batch", different_sizes, ValueError, "size|shape"),
    fine("J26 500 classes", lambda w: len(folder(*[f"{i}/x.png" for i in range(500)])(w).classes),
         lambda w: 500),
    fine("J27 the order of classes",
        lambda w: folder("b/x.png", "B/x.png", "a/x.png", "\u00e4/x.png")(w)
         .classes, lambda w: ["B", "a", "b", "\u00e4"]),
    fine("J28 300 folders in one another", lambda w: len(folder("a/" + "d/" * 300 + "x.png")(w)),
         lambda w: 1),
    bad("J29 a file that goes away", removed, FileNotFoundError, "1.png"),
]  # fmt: skip

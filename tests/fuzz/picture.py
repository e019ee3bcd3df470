"""Image files, of each format we take: what is read, written as PNG, has the same pixels."""

import io
import struct
import warnings
import zlib
from random import Random

import numpy as np
from PIL import Image

from fastnn import FileFormatError
from fastnn.vision import load_image
from fuzz import scratch
from fuzz.mutate import INTEGERS, change_bytes

ALLOWED = (FileFormatError,)
BLUNT = 0.3
_PIXELS = 1 << 20  # of an image that a fuzzed file may hold: more take more time than they tell
_STARTS = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"BM": ".bmp", b"P": ".ppm", b"II": ".tif",
           b"MM": ".tif", b"RIFF": ".webp"}  # fmt: skip
_PNG = b"\x89PNG\r\n\x1a\n"


def read(content: bytes) -> Image.Image:
    path = scratch.put(content, "picture" + suffix(content))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of what it skips
        return load_image(path, _PIXELS)


def verify(content: bytes, image: Image.Image) -> str:
    assert image.mode == "RGB"
    assert 0 < image.width * image.height <= _PIXELS, "too large"
    if image.width * image.height < 1 << 12:
        out = io.BytesIO()
        image.save(out, "PNG")
        again = load_image(scratch.put(out.getvalue(), "again.png"))
        assert np.array_equal(np.asarray(again), np.asarray(image)), "other pixels as PNG"
    return suffix(content)


def suffix(content: bytes) -> str:
    """The name's ending: mostly that of the format; without one all formats are tried."""
    if zlib.crc32(content) % 16 == 0:
        return ""
    return next((s for start, s in _STARTS.items() if content.startswith(start)), ".png")


def change(content: bytes, chance: Random) -> bytes:
    """A part of a PNG changed, with sums that fit; a number or part of another format."""
    if content.startswith(_PNG) and chance.random() < 0.8:
        return _change_png(content, chance)
    if content.startswith(b"\xff\xd8") and chance.random() < 0.5:
        return _change_jpeg(content, chance)
    if content.startswith(b"P") and chance.random() < 0.7:
        words = content[:40].split(b" ")
        words[chance.randrange(len(words))] = b"%d" % chance.choice((*INTEGERS, -1, 9, 100))
        return b" ".join(words) + content[40:]
    if len(content) < 16 or chance.random() < 0.4:
        return change_bytes(content, chance)
    data, at = bytearray(content), 2 * chance.randrange(min(len(content) // 2 - 4, 100))
    kind = chance.choice("HI")
    order = ">" if content.startswith(b"MM") else "<"
    struct.pack_into(order + kind, data, at, chance.choice(INTEGERS) % (1 << 16))
    return bytes(data)


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and data of each chunk of a PNG, as far as there are any."""
    found, at = [], len(_PNG)
    while at + 8 <= len(content) and len(found) < 50:
        size = int.from_bytes(content[at : at + 4])
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return _PNG + b"".join(
        len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)
        for kind, data in chunks
    )


def _change_png(content: bytes, chance: Random) -> bytes:
    chunks = _chunks(content)
    if not chunks:
        return content + b"\0\0\0\0IEND"
    i = chance.randrange(len(chunks))
    kind, data = chunks[i]
    what = chance.randrange(6)
    if what == 0:
        chunks.insert(i, chunks[chance.randrange(len(chunks))])
    elif what == 1:
        del chunks[i]
    elif what == 2:
        kinds = (b"PLTE", b"tRNS", b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"acTL", b"fcTL",
                 b"fdAT", b"gAMA", b"IDAT", b"IHDR", b"IEND", b"abcd")  # fmt: skip
        chunks[i] = chance.choice(kinds), data
    elif kind == b"IDAT" and what < 5:
        chunks[i] = kind, _change_packed(data, chance)
    else:
        chunks[i] = kind, change_bytes(data, chance)
    return _png(chunks)


def _change_packed(data: bytes, chance: Random) -> bytes:
    try:
        return zlib.compress(change_bytes(zlib.decompressobj().decompress(data, 1 << 14), chance))
    except zlib.error:
        return zlib.compress(bytes(chance.choice((1, 100, 10**5))))


def _change_jpeg(content: bytes, chance: Random) -> bytes:
    """One marker segment's kind, length or data changed."""
    starts, at = [], 2
    while at + 4 <= len(content) and content[at] == 0xFF and len(starts) < 50:
        starts.append(at)
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    if not starts:
        return change_bytes(content, chance)
    data, at = bytearray(content), chance.choice(starts)
    what = chance.randrange(3)
    if what == 0:
        data[at + 1] = chance.choice((0xC0, 0xC1, 0xC2, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xE0, 0xE1))
    elif what == 1:
        data[at + 2 : at + 4] = (chance.choice(INTEGERS) % (1 << 16)).to_bytes(2)
    else:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        data[at + 4 : end] = change_bytes(bytes(data[at + 4 : end]), chance)[: end - at - 4]
    return bytes(data)


def seeds() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8))
    wide = Image.fromarray(rng.integers(0, 65536, (3, 2)).astype(np.uint16))
    png = _saved(rgb, "PNG")
    header = (b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return {
        "good-rgb": png,
        "good-grey": _saved(rgb.convert("L"), "PNG"),
        "good-palette": _saved(rgb.convert("P"), "PNG"),
        "good-alpha": _saved(rgb.convert("RGBA"), "PNG"),
        "good-bit": _saved(rgb.convert("1"), "PNG"),
        "good-16-bit": _saved(wide, "PNG"),
        "good-jpeg": _saved(rgb, "JPEG"),
        "good-jpeg-cmyk": _saved(rgb.convert("CMYK"), "JPEG"),
        "good-bmp": _saved(rgb, "BMP"),
        "good-tiff": _saved(rgb, "TIFF"),
        "good-tiff-lzw": _saved(rgb, "TIFF", compression="tiff_lzw"),
        "good-webp": _saved(rgb, "WEBP"),
        "good-ppm": b"P6 2 1 255 " + bytes(range(6)),
        "good-pgm-text": b"P2 2 1 9 3 4 ",
        "bad-too-large": b"P4 1025 1024 " + bytes(129 * 1024),
        "good-pgm-16-bit": b"P5 2 1 65535 " + bytes(range(4)),
        "bad-empty": b"",
        "bad-truncated": png[:-30],
        "bad-bomb": _png([header, (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b"")]),
        "bad-no-pixels": b"P6 0 5 255 ",
        "bad-32-bit": _saved(Image.fromarray(np.ones((2, 2), np.int32)), "TIFF"),
        "bad-text": b"hello, world",
        "bad-eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
    }


def _saved(image: Image.Image, kind: str, **options: str) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()

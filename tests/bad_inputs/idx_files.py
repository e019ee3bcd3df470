"""H: IDX files, plain and packed with gzip."""

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bad_inputs.case import bad, fine
from bad_inputs.world import World
from fastnn import FileFormatError
from fastnn.vision import datasets, read_idx

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}
MIB = 1 << 20


def header(code: int, *shape: int) -> bytes:
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def idx(array: np.ndarray, dtype: str = "u1") -> bytes:
    return header(CODES[dtype], *array.shape) + array.astype(dtype).tobytes()


PLAIN = idx(np.arange(24).reshape(2, 3, 4))
PACKED = gzip.compress(PLAIN, mtime=0)


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


def bomb(start: bytes, mebibytes: int) -> bytes:
    """Pack `start` and then so many MiB of zeros with gzip, into about 1 KB for each."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08" + bytes(7) + first + block * mebibytes + b"\x03\0" + bytes(8)


# the content of a file, and what is said of it beside the byte where it went wrong
FILES = {
    "H01 empty": (b"", "4 bytes of an IDX magic number.*after 0, at byte 0"),
    "H02 three bytes": (PLAIN[:3], "magic number.*after 3, at byte 3"),
    "H03 wrong magic": (b"\x89PNG" + PLAIN, "magic number.*got 89 50 4e 47, at byte 0"),
    "H04 type code": (header(0x0A, 1) + b"x", "0x08, 0x09, 0x0B.*got 0x0A, at byte 2"),
    "H05 no dimensions": (header(8) + b"x", "1 to 64 dimensions, got 0, at byte 3"),
    "H06 255 dimensions": (header(8, *[1] * 255) + b"x", "1 to 64 dimensions, got 255"),
    "H06 65 dimensions": (header(8, *[1] * 65) + b"x", "1 to 64 dimensions, got 65"),
    "H06 sizes cut off": (header(8, 2, 3)[:9], "8 bytes of dimension sizes.*after 5, at byte 9"),
    "H07 product wraps to 0": (header(8, *[1 << 16] * 4), "max_bytes.*18446744073709551616"),
    "H07 product wraps to 4": (header(0x0C, 1 << 31, 1 << 31, 4, 1) + b"1234", "max_bytes"),
    "H07 huge but for a zero": (header(8, 0, *[0xFFFFFFFF] * 3), "max_bytes"),
    "H08 more than the file": (header(8, 100) + b"x", "file of 108 bytes.*got 9 bytes, at byte 9"),
    "H09 high bit": (header(8, 1 << 31) + b"x", "2147483648"),
    "H11 truncated": (PLAIN[:-1], "file of 40 bytes.*got 39 bytes, at byte 39"),
    "H12 trailing": (PLAIN + b"x", "file of 40 bytes.*got 41 bytes, at byte 40"),
    "H16 not gzip": (b"hello, world", "magic number.*at byte 0"),
    "H17 gzip truncated": (PACKED[:-9], "complete gzip stream.*too early.*unpacked"),
    "H18 CRC": (flipped(PACKED, len(PACKED) - 8), "damaged.*CRC.*byte 40 of the unpacked"),
    "H19 ISIZE": (flipped(PACKED, len(PACKED) - 4), "damaged.*[Ll]ength.*byte 40"),
    "H20 trailing junk": (PACKED + b"junk", "damaged.*byte 40"),
    "H20 a member more": (PACKED * 2, "the end of the data.*more bytes, at byte 40"),
    "H18 damaged deflate": (flipped(PACKED, 10), "damaged"),
    "H28 gzip with too little": (
        gzip.compress(PLAIN[:30]),
        "24 bytes of values.*after 14.*byte 30",
    ),
    "H20 gzip with too much": (
        gzip.compress(PLAIN + b"x"),
        "more bytes, at byte 40 of the unpacked",
    ),
    "H28 promises more than it holds": (
        gzip.compress(header(8, 1 << 30) + bytes(10)),
        "1073741824 bytes of values.*after 10",
    ),
    "H30 packed twice": (gzip.compress(PACKED), "magic number.*1f 8b.*twice"),
}

BOMBS = {
    "H22 bomb with a small header": (bomb(header(8, 3), 1200), "at most 131083 packed bytes"),
    "H22 bomb with zeros as sizes": (bomb(header(8, 3)[:4], 1200), "at most 131080 packed bytes"),
    "H22 bomb with a larger header": (bomb(header(8, 3, MIB), 1200), "more bytes, at byte 3145740"),
    "H22 bomb with an honest header": (bomb(header(8, 1200, MIB), 1200), "max_bytes = 1073741824"),
    "H22 bomb with a wrong magic": (bomb(b"bomb", 1200), "magic number"),
}

TERABYTE = {
    "H27 a small header": (header(8, 3), "file of 11 bytes.*got 1099511627776 bytes, at byte 11"),
    "H27 an honest header": (header(8, 1 << 20, 1 << 20), "max_bytes"),
    "H27 gzip padded with zeros": (PACKED, "packed bytes.*got a file of 1099511627776 bytes"),
}


def read(content: bytes, name: str = "f") -> Callable[[World], Any]:
    return lambda w: read_idx(w.write(name, content))


def sparse(content: bytes) -> Callable[[World], Any]:
    """A file of a terabyte that takes no place."""

    def call(world: World) -> Any:
        path = world.write("f", content)
        os.truncate(path, 1 << 40)
        return read_idx(path)

    return call


def pipe(world: World) -> Path:
    os.mkfifo(world.folder / "pipe")
    return world.folder / "pipe"


def mnist(world: World, **files: np.ndarray) -> Any:
    """The training set of a folder with other files in it."""
    given = {"images": np.zeros((3, 28, 28)), "labels": np.array([1, 2, 3]), **files}
    for part, name in (
        ("images", "train-images-idx3-ubyte"),
        ("labels", "train-labels-idx1-ubyte"),
    ):
        world.write(f"MNIST/raw/{name}", idx(given[part]))
    return datasets.MNIST(world.folder, train=True)


ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)

CASES = [
    *[bad(f"{case}{ending and ', named .gz'}", read(content, "f" + ending), FileFormatError,
          rf"^\S+f{ending}: expected (?=.*at byte \d).*{says}")
      for case, (content, says) in FILES.items() for ending in ("", ".gz")],
    *[bad(case, read(content), FileFormatError, says) for case, (content, says) in BOMBS.items()],
    *[bad(case, sparse(content), FileFormatError, says)
      for case, (content, says) in TERABYTE.items()],
    fine("H10 a size of 0", read(header(8, 0, 28, 28)), lambda w: np.zeros((0, 28, 28), np.uint8)),
    *[fine(f"H13 {dtype}", read(idx(ARRAY, dtype)),
           lambda w, dtype=dtype: ARRAY.astype(np.dtype(dtype).newbyteorder("=")))
      for dtype in CODES],
    fine("H21 two members of gzip", read(gzip.compress(PLAIN[:20]) + gzip.compress(PLAIN[20:])),
         lambda w: ARRAY),
    fine("H23 named .gz and not packed", read(PLAIN, "f.gz"), lambda w: ARRAY),
    fine("H24 packed and not named so", read(PACKED, "f"), lambda w: ARRAY),
    bad("H14 3 images and 2 labels", lambda w: mnist(w, labels=np.array([1, 2])), FileFormatError,
        "3.*2|2.*3"),
    bad("H15 labels given as images", lambda w: mnist(w, images=np.array([1, 2, 3])),
        FileFormatError, "28"),
    bad("H29 a label of 255", lambda w: mnist(w, labels=np.array([1, 2, 255])), FileFormatError,
        "255"),
    bad("H26 a folder", lambda w: read_idx(w.folder), FileFormatError,
        "expected an IDX file, got a directory"),
    bad("H26 a pipe", lambda w: read_idx(pipe(w)), FileFormatError, "got a pipe or device"),
    bad("H26 no file", lambda w: read_idx(w.folder / "missing"), FileNotFoundError, "missing"),
    bad("H26 None", lambda w: read_idx(None), TypeError, "None"),
]  # fmt: skip

"""IDX files: what is read, written again, has the bytes of the file."""

import gzip
import math
import struct
from random import Random

import numpy as np

from fastnn.errors import FileFormatError
from fastnn.vision import read_idx
from fuzz import scratch
from fuzz.mutate import INTEGERS

ALLOWED = (FileFormatError,)
BLUNT = 0.3
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
_SIZES = {code: int(name[1]) for name, code in CODES.items()}
_FITTED = 1 << 12  # bytes of values at most that are made for a header


def read(content: bytes) -> np.ndarray:
    return read_idx(scratch.put(content))


def verify(content: bytes, array: np.ndarray) -> str:
    assert array.flags.writeable
    assert array.dtype.isnative
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    assert written(array) == plain, "other values than the file's"
    return f"{array.dtype} {min(array.ndim, 4)} {array.size > 0}"


def written(array: np.ndarray) -> bytes:
    """The IDX file of an array."""
    code = CODES[array.dtype.str[1:]]
    return header(code, array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()


def header(code: int, shape: tuple[int, ...]) -> bytes:
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def change(content: bytes, chance: Random) -> bytes:
    """Another type, number of dimensions or size; half the time with as many values as it says."""
    if len(content) < 4:
        return written(np.arange(chance.randrange(9), dtype="f4"))
    code, sizes = content[2], [*content[4 : 4 + 4 * min(content[3], 70)]]
    shape = [int.from_bytes(bytes(sizes[i : i + 4])) for i in range(0, len(sizes), 4)]
    data = content[4 + len(sizes) :]
    what = chance.randrange(4)
    if what == 0:
        code = chance.choice((*_SIZES, chance.randrange(256)))
    elif what == 1:
        shape.insert(chance.randrange(len(shape) + 1), chance.choice((0, 1, 2, 3)))
    elif what == 2 and shape:
        del shape[chance.randrange(len(shape))]
    elif shape:
        near = chance.choice(shape) + chance.choice((-1, 1))
        shape[chance.randrange(len(shape))] = chance.choice((*INTEGERS, near)) % 2**32
    need = math.prod(shape) * _SIZES.get(code, 1)
    if chance.random() < 0.5 and need <= _FITTED:
        data = (data + bytes(need))[:need]
    return header(code, tuple(shape[:255])) + data


def seeds() -> dict[str, bytes]:
    rows = np.arange(6).reshape(2, 3)
    good = {f"good-{name}": written(rows.astype(name)) for name in CODES}
    odd = np.array([np.nan, -0.0, np.inf, 5e-324], "f8")
    odd[0:1].view(np.uint64)[0] |= 12345  # a NaN with something in it
    return good | {
        "good-odd-floats": written(odd),
        "good-no-rows": written(np.zeros((0, 28), "u1")),
        "good-64-dimensions": written(np.zeros((1,) * 64, "u1")),
        "bad-65-dimensions": header(8, (1,) * 65) + b"x",
        "bad-no-dimensions": header(8, ()) + b"x",
        "bad-type": header(0x0A, (1,)) + b"x",
        "bad-product-wraps": header(0x0C, (1 << 31, 1 << 31, 4, 1)) + b"1234",
        "bad-huge-but-for-a-zero": header(8, (0, *[0xFFFFFFFF] * 3)),
        "bad-truncated": written(rows.astype("i4"))[:-1],
        "bad-trailing": written(rows.astype("u1")) + b"x",
        "bad-empty": b"",
    }

"""A model file with anything in it changed is refused: no other model is ever loaded from it."""

import random
import tempfile
from pathlib import Path

import fastnn
from fastnn import FileFormatError, nn

TIMES, SHORT = 5000, 100
_PAGE = 4096


def prove(times: int) -> dict[str, object]:
    """Every bit of a small file, and so many flips, cuts and swaps of pages of one of 1 MB."""
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        fastnn.save_model(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), path)
        small = path.read_bytes()
        bits = range(8 * len(small)) if times == TIMES else chance.sample(range(8 * len(small)), 99)
        for bit in bits:
            _refused(path, _flipped(small, bit))
        fastnn.save_model(nn.Linear(512, 512), path)
        large = path.read_bytes()
        for number in range(times):
            _refused(path, (_flip, _cut, _swap)[number % 3](large, chance))
    return {"bits of a small file": len(bits), "its bytes": len(small),
            "changes of a large file": times, "its size": len(large), "undetected": 0}  # fmt: skip


def _refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        fastnn.load_model(path)
    except FileFormatError:
        return
    raise AssertionError("a damaged file was loaded")


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _flip(content: bytes, chance: random.Random) -> bytes:
    return _flipped(content, chance.randrange(8 * len(content)))


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _swap(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    a, b = chance.sample(range(len(content) // _PAGE), 2)
    first, second = slice(a * _PAGE, (a + 1) * _PAGE), slice(b * _PAGE, (b + 1) * _PAGE)
    changed[first], changed[second] = changed[second], changed[first]
    return bytes(changed)

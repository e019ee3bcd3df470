"""Changes of bytes and of JSON, from which the targets make theirs."""

import copy
from collections.abc import Callable
from random import Random
from typing import Any

MOST = 1 << 12  # bytes of a file that is made; larger ones say no more and take longer

# Where sizes, signs and types end.
INTEGERS = (0, 1, 2, 3, 4, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31,
            2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *INTEGERS, -1, -(2**31), -(2**63), 2**64, 10**400, None, True, False, 0.0, -0.0, 0.5, 1.5,
    1e-300, 1e308, float("inf"), float("nan"), "", "a", "x" * 300, "\0", "\ud800", "weight", "bias",
    "F32", "F64", "BF16", "BOOL", "U8", "I64", "nn.Linear", "nn.Sequential", "nn.ModuleList",
    "nn.ModuleDict", "nn.Identity", [], {}, [[]], [0], [1, 1], {"same": ""}, {"own": "weight"},
    {"dtype": "float64"}, {"float": "nan"}, {"tuple": []}, {"dict": []}, {"dict": [["a", 1]]},
    {"tensor": "weight"}, {"class": "nn.ReLU"}, {"module": "0"},
)  # fmt: skip


# --- bytes ---


def _flip(data: bytearray, chance: Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(data: bytearray, chance: Random) -> None:
    data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x2C, 0x0A))


def _number(data: bytearray, chance: Random) -> None:
    size = chance.choice((1, 2, 4, 8))
    at = chance.randrange(min(len(data), 128))  # headers are in front
    order = chance.choice(("little", "big"))
    value = chance.choice(INTEGERS) % (1 << 8 * size)
    data[at : at + size] = value.to_bytes(size, order)  # type: ignore[arg-type]


def _cut(data: bytearray, chance: Random) -> None:
    del data[chance.randrange(len(data)) :]


def _drop(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, 16)]


def _double(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.randint(1, 64)] * chance.choice((1, 1, 2, 30))


def _insert(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.randint(1, 8))


def _swap(data: bytearray, chance: Random) -> None:
    size = chance.randint(1, 1 + len(data) // 4)
    a, b = sorted((chance.randrange(len(data)), chance.randrange(len(data))))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


CHANGES: tuple[Callable[[bytearray, Random], None], ...] = (
    _flip, _flip, _set, _number, _number, _cut, _drop, _double, _insert, _swap,
)  # fmt: skip


def change_bytes(content: bytes, chance: Random) -> bytes:
    """Some bytes changed, whatever they mean."""
    data = bytearray(content or b"\0")
    chance.choice(CHANGES)(data, chance)
    return bytes(data[:MOST])


def splice(content: bytes, other: bytes, chance: Random) -> bytes:
    """The beginning of one file and the end of another."""
    head = content[: chance.randrange(len(content) + 1)]
    return (head + other[chance.randrange(len(other) + 1) :])[:MOST]


# --- JSON ---


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each list or dict in a value, with each of its keys."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            found.append((node, key))
            if isinstance(node[key], dict | list):
                stack.append(node[key])
    return found


def change_json(value: Any, chance: Random) -> Any:
    """A value with one place in it replaced, removed, renamed, or taken from another place."""
    try:
        value = copy.deepcopy(value)
    except RecursionError:  # wrapped too often; changes start anew from something flat
        value = None
    found = places(value) if isinstance(value, dict | list) else []
    if not found:
        return copy.deepcopy(chance.choice(VALUES))
    (node, key), (other, its) = chance.choice(found), chance.choice(found)
    what = chance.randrange(12)
    if what == 0:
        del node[key]
    elif what == 1 and isinstance(node, dict):
        node[str(its)] = node.pop(key)
    elif what == 2 and isinstance(node, list):
        node.insert(key, copy.deepcopy(node[key]))
    elif what <= 3:
        node[key] = copy.deepcopy(other[its])
    elif what == 4:
        for _ in range(chance.choice((1, 1, 3, 120))):
            node[key] = [node[key]]
    elif what == 5:
        node[key] = copy.deepcopy(chance.choice(VALUES))
    else:
        node[key] = _alike(node[key], chance)
    return value


def _alike(value: Any, chance: Random) -> Any:
    """Another value of the kind, which more readers take."""
    if type(value) is int and chance.random() < 0.5:
        return value + chance.choice((-1, 1, 8, -8))
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        chance.shuffle(keys)
        return {k: value[k] for k in keys} if isinstance(value, dict) else [value[k] for k in keys]
    return copy.deepcopy(chance.choice([v for v in VALUES if type(v) is type(value)]))

"""The safetensors container, taken apart and put together, right or wrong, and read by its rules.

https://huggingface.co/docs/safetensors: the length of a header as 8 bytes, little-endian; the
header, JSON; the tensors' bytes.
"""

import io
import json
import math
from random import Random
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

import fastnn
from fastnn import serialization
from fastnn.tensor import as_array
from fuzz.mutate import change_bytes, change_json

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
         "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}  # fmt: skip
_LARGEST = 1 << 12  # bytes of a tensor that is made for a changed entry
_META, _OURS = "__metadata__", "fastnn."


def split(content: bytes) -> tuple[Any, bytes]:
    """Header and data; None for a header that is no JSON."""
    end = 8 + int.from_bytes(content[:8], "little")
    try:
        return json.loads(content[8:end]), content[end:]
    except (ValueError, RecursionError):
        return None, content[end:]


def join(header: Any, data: bytes) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode(errors="replace")
    return len(text).to_bytes(8, "little") + text + data


def file(obj: Any) -> bytes:
    """What `fastnn.save` writes."""
    out = io.BytesIO()
    fastnn.save(obj, out)
    return out.getvalue()


def sealed(content: bytes) -> bytes:
    """The file with right checksums, so that what lies behind their check is reached."""
    header, data = split(content)
    texts = header.get(_META) if isinstance(header, dict) else None
    if not isinstance(texts, dict) or not all(isinstance(t, str) for t in texts.values()):
        return content
    try:
        arrays = {n: serialization._array(entry) for n, entry in deserialize(content)}
    except (SafetensorError, KeyError, ValueError, OverflowError):
        return content
    texts[_OURS + "checksums"] = json.dumps(serialization._checksums(arrays))
    ours = {k: t for k, t in texts.items() if k.startswith(_OURS) and k != _OURS + "checksum"}
    texts[_OURS + "checksum"] = serialization._checksum(ours)
    return join(header, data)


def change(content: bytes, chance: Random, inside: float = 0.5) -> bytes:
    """An entry of ours, a tensor or the header changed; then mostly put right all around it.

    Args:
        content: The file.
        chance: Decides.
        inside: The share of changes to entries of ours, which safetensors does not look at.
    """
    header, data = split(content)
    if not isinstance(header, dict):
        return change_bytes(content, chance)
    texts = header.get(_META)
    if chance.random() < inside and isinstance(texts, dict) and texts:
        plain_ones = [k for k in texts if not k.endswith(("checksum", "checksums", "version"))]
        key = chance.choice(list(texts) if chance.random() < 0.1 else plain_ones or list(texts))
        texts[key] = _changed_text(texts[key], chance)
    elif chance.random() < 0.6:
        _change_tensor(header, chance)
        if chance.random() < 0.5:
            data = refit(header, data)
    else:
        header = change_json(header, chance)
    if chance.random() < 0.05:
        return _with_wrong_length(join(header, data), chance)
    changed = join(header, data)
    return sealed(changed) if chance.random() < 0.9 else changed


def _changed_text(text: Any, chance: Random) -> Any:
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return chance.choice(("[]", "{}", "null", "1", "[" * 5000, '{"dict": []}'))
    for _ in range(chance.choice((1, 1, 2))):
        value = change_json(value, chance)
    return json.dumps(value)


def _change_tensor(header: dict[str, Any], chance: Random) -> None:
    names = [name for name in header if name != _META]
    if not names:
        header["a"] = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
        return
    name = chance.choice(names)
    entry = header[name]
    what = chance.randrange(5)
    if what == 0 and isinstance(entry, dict):
        entry["dtype"] = chance.choice((*SIZES, "F8_E4M3", "F4", "C64", "f32"))
    elif what == 1:
        header[chance.choice(("", "a", "0.weight", "weight", name + "x"))] = header.pop(name)
    elif what == 2 and isinstance(entry, dict) and isinstance(entry.get("shape"), list):
        shape = entry["shape"]
        shape.insert(chance.randrange(len(shape) + 1), chance.choice((0, 1, 1, 2)))
    elif what == 3:
        del header[name]
    else:
        header[name] = change_json(entry, chance)


def refit(header: dict[str, Any], data: bytes) -> bytes:
    """Data as long as the tensors' shapes say, with offsets that fit, where they can."""
    parts, offset = [], 0
    for name, entry in header.items():
        if name == _META or not isinstance(entry, dict):
            continue
        shape, offsets = entry.get("shape"), entry.get("data_offsets")
        if not _sizes(shape) or not _sizes(offsets) or len(offsets) != 2:
            continue
        size = math.prod(shape) * SIZES.get(str(entry.get("dtype")), 1)
        if size <= _LARGEST:
            part = data[offsets[0] : min(offsets[1], offsets[0] + size)]
            parts.append(part + bytes(size - len(part)))
            entry["data_offsets"] = [offset, offset + size]
            offset += size
    return b"".join(parts)


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _with_wrong_length(content: bytes, chance: Random) -> bytes:
    length = int.from_bytes(content[:8], "little") + chance.choice((-8, -1, 1, 8, 2**31, 2**63))
    return (length % 2**64).to_bytes(8, "little") + content[8:]


# --- what must hold of a file that was read ---


def read_by_the_rules(content: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Type, shape and bytes of each tensor, read as the format is described, with no library."""
    header, data = split(content)
    return {
        name: (entry["dtype"], tuple(entry["shape"]), data[slice(*entry["data_offsets"])])
        for name, entry in header.items()
        if name != _META
    }


def must_be_read(content: bytes) -> bool:
    """Whether safetensors accepts a file of another program that NumPy can hold."""
    try:
        deserialize(content)
    except SafetensorError:
        return False
    header, _ = split(content)
    if any(key.startswith(_OURS) for key in header.get(_META) or {}):
        return False
    return all(
        entry["dtype"] in SIZES
        and len(entry["shape"]) <= 64
        and math.prod(max(n, 1) for n in entry["shape"]) * 8 < 2**63
        for name, entry in header.items()
        if name != _META
    )


def outline(value: Any, depth: int = 3) -> str:
    """Kinds of the values in a value, for telling ways to end apart."""
    if isinstance(value, dict | list | tuple) and depth:
        inner = value.values() if isinstance(value, dict) else value
        return f"{type(value).__name__}{sorted({outline(item, depth - 1) for item in inner})}"
    if isinstance(value, fastnn.Tensor):
        return f"{value.dtype} {min(len(value.shape), 3)}"
    return type(value).__name__


def plain(value: Any) -> Any:
    """Nested values as what can be compared: kinds, orders and all bits."""
    if isinstance(value, dict):
        return [(type(key).__name__, repr(key), plain(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [plain(item) for item in value]
    if isinstance(value, fastnn.Tensor | np.ndarray):
        array = as_array(value)
        return array.dtype.str, array.shape, array.tobytes()
    return type(value).__name__, repr(value)

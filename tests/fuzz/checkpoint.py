"""`fastnn.load`: what is read is saved and read again with the same bits, as safetensors has it."""

import io
import json
from typing import Any

import numpy as np
import safetensors.numpy

import fastnn
from fastnn import FileFormatError
from fuzz import container
from fuzz.container import change

__all__ = ["ALLOWED", "BLUNT", "change", "read", "seeds", "verify"]

ALLOWED = (FileFormatError,)
BLUNT = 0.05


def read(content: bytes) -> Any:
    try:
        return fastnn.load(io.BytesIO(content))
    except FileFormatError:
        assert not container.must_be_read(content), "safetensors reads it"
        raise


def verify(content: bytes, value: Any) -> str:
    _check_bits(content)
    again = fastnn.load(io.BytesIO(container.file(value)))
    assert container.plain(again) == container.plain(value), "another value after a save"
    return container.outline(value)


def _check_bits(content: bytes) -> None:
    """The arrays are those that the format's rules and safetensors find."""
    read = fastnn.serialization._Content(io.BytesIO(content))
    expected = container.read_by_the_rules(content)
    assert read.arrays.keys() == expected.keys()
    dtypes = {dtype for dtype, _, _ in expected.values()}
    theirs = {} if "BF16" in dtypes else safetensors.numpy.load(content)
    for name, (dtype, shape, data) in expected.items():
        array = read.arrays[name]
        assert array.shape == shape, name
        if dtype not in ("F16", "BF16"):  # which come as float32
            assert array.tobytes() == data, name
        if theirs:
            assert np.array_equal(array, theirs[name], equal_nan=array.dtype.kind == "f"), name


def _foreign(dtype: str, shape: list[int], size: int, **more: object) -> bytes:
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}
    return container.join({**more, "a": entry}, bytes(range(size)))


def seeds() -> dict[str, bytes]:
    nan = np.array([0x7FC12345, 0x80000000, 1], np.uint32).view(np.float32)
    state = container.file({"w": np.arange(6.0).reshape(2, 3), "steps": np.array(7), "odd": nan})
    nested = container.file({"epoch": 3, 4: [None, (True, float("nan"))], "m": {"w": np.ones(2)}})
    other = {"__metadata__": {"format": "pt"}}
    return {
        "good-state": state,
        "good-nested": nested,
        "good-scalar": container.file(1.5),
        "good-no-tensors": container.join({}, b""),
        "good-rank-0": _foreign("F32", [], 4),
        "good-no-elements": _foreign("I64", [3, 0], 0),
        "good-signs": container.join(
            {"a": {"dtype": "I16", "shape": [2], "data_offsets": [0, 4]}}, b"\xff\xff\x01\x80"
        ),
        "good-other-program": _foreign("F32", [2], 8, **other),
        "good-bf16": _foreign("BF16", [2, 2], 8),
        "good-f16": _foreign("F16", [4], 8),
        "good-bool": _foreign("BOOL", [2], 2),
        "bad-empty": b"",
        "bad-header-length": (2**63).to_bytes(8, "little") + state[8:],
        "bad-type": _foreign("F8_E4M3", [2], 2),
        "bad-65-dimensions": _foreign("U8", [1] * 65, 1),
        "bad-huge-but-for-a-zero": _foreign("U8", [0, 2**62, 2], 0),
        "bad-product-wraps": _foreign("U8", [2**32, 2**32, 4], 4),
        "bad-trailing": state + b"x",
        "bad-truncated": state[:-1],
        "bad-checksum": state.replace(b"fastnn.version", b"fastnn.versiom"),
        "bad-version": container.sealed(_with_entry(state, "version", "2")),
        "bad-structure": container.sealed(_with_entry(state, "structure", {"tensor": "v"})),
        "bad-key": container.sealed(_with_entry(state, "structure", {"dict": [[float("nan"), 1]]})),
        "bad-deep": container.sealed(_with_entry(state, "structure", [[]] * 3 + [_deep()])),
        "bad-pickle": b"\x80\x02}q\x00.",
    }


def _with_entry(content: bytes, key: str, value: object) -> bytes:
    header, data = container.split(content)
    header["__metadata__"]["fastnn." + key] = json.dumps(value)
    return container.join(header, data)


def _deep() -> list:
    value: list = []
    for _ in range(120):
        value = [value]
    return value

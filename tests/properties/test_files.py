"""Files: what was saved comes back with all its bits, whatever they are."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz.container import file, plain
from hypothesis import given
from hypothesis import strategies as st
from property_support import SEEDS, networks
from support import bits, state_bits

import fastnn
from fastnn import nn
from fastnn.tabular.cells import numbers
from fastnn.tabular.reading import read_csv

DTYPES = st.sampled_from(("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"))
SHAPES = st.lists(st.integers(0, 5), max_size=4)


def any_bits(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    """NaNs with payloads, both zeros, denormals: any pattern at all."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)
    if dtype == "?":
        raw %= 2
    return raw.view(dtype).reshape(shape)


ARRAYS = st.builds(any_bits, SHAPES.map(tuple), DTYPES, SEEDS)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
)
NAMES = st.text(st.characters(codec="utf-8"), max_size=8)
KEYS = st.integers() | NAMES
NESTED = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(NESTED)
def test_checkpoints(value: Any) -> None:
    """P6 for `save` and `load`; the same value gives the same file."""
    content = file(value)
    again = fastnn.load(io.BytesIO(content))
    assert plain(again) == plain(value)
    assert file(again) == content


@given(networks(), SEEDS)
def test_models(model: nn.Module, seed: int) -> None:
    """P6 for `save_model` and `load_model`, with any bits for weights."""
    for i, tensor in enumerate(model.state_dict().values()):
        if tensor.dtype.kind == "f":
            array = any_bits(tensor.shape, tensor.dtype.str[1:], seed + i)
            tensor._array.view(np.uint32)[...] = array.view(np.uint32)
    out = io.BytesIO()
    fastnn.save_model(model, out, {"seed": seed})
    other = fastnn.load_model(io.BytesIO(out.getvalue()))
    assert state_bits(other) == state_bits(model)
    assert repr(other) == repr(model)
    assert [m.training for m in other.modules()] == [m.training for m in model.modules()]


@given(networks(), st.randoms(use_true_random=False))
def test_order_of_names(model: nn.Module, chance: Any) -> None:
    """P10."""
    items = list(model.state_dict().items())
    items = [(name, t.numpy() + 1) for name, t in items]
    expected = bits(*(array for _, array in items))
    chance.shuffle(items)
    model.load_state_dict(dict(items))
    assert state_bits(model) == expected


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "data.csv"


@given(st.lists(st.floats(width=32), min_size=1), st.sampled_from((repr, str, "{:.9g}".format)))
def test_numbers_in_csv(path: Path, given_values: list[float], write: Any) -> None:
    """P15: each float32 is read as itself; NaN is a cell that says nothing."""
    column = np.array(given_values, np.float32)
    path.write_text("a,b\n" + "".join(f"{write(float(v))},x\n" for v in column))
    read = numbers(read_csv(path).columns["a"])
    assert not read.text.any()
    assert (read.missing == np.isnan(column)).all()
    there = ~read.missing
    assert bits(read.values[there].astype(np.float32)) == bits(column[there])

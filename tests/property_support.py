"""What the properties draw: sizes at which kernels change, arrays in all layouts, models."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy, composite
from layouts import frozen, misaligned

import fastnn
from fastnn import Trainer, nn, optim

Layout = Callable[[np.ndarray], np.ndarray]

SIZES = st.sampled_from((1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65))
FLOATS = ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8")
INTEGERS = ("i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8", ">i2", ">i4", ">i8", ">u4", "?")
ODD = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-40, -1e-45, 2.0**-126, 2.0**60, -(2.0**-60), 3.0)


def values(shape: tuple[int, ...], dtype: Any, seed: int, odd: bool = True) -> np.ndarray:
    """Numbers of a type; a sixth of them zeros, powers and denormals."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        return rng.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)
    array = rng.standard_normal(shape)
    if odd:
        chosen = rng.random(shape) < 1 / 6
        array[chosen] = rng.choice(ODD, int(chosen.sum()))
    with np.errstate(over="ignore", under="ignore"):
        array = array.astype(dtype)
    array[~np.isfinite(array)] = 1
    return array


# --- layouts: each makes an array of the same values that lies otherwise in memory ---


def _strided(array: np.ndarray, *steps: int) -> np.ndarray:
    """Every `steps`-th element of a larger array, backwards where negative."""
    shape = [n * abs(s) for n, s in zip(array.shape, steps, strict=True)]
    large = np.full(shape, 77, array.dtype)
    view = large[tuple(slice(None, None, s) for s in steps)]
    view[...] = array
    return view


def _mapped(array: np.ndarray) -> np.ndarray:
    """As a memory-mapped file has them: a subclass of arrays that cannot be written."""
    return frozen(array).view(np.memmap)


@composite
def layouts(draw: DrawFn) -> Layout:
    """A function that lays (N, F) values out anew; a broadcast one has fewer of them."""
    step = st.sampled_from((-3, -2, -1, 1, 2, 3))
    rows, columns, offset = draw(step), draw(step), draw(st.integers(1, 7))
    return draw(
        st.sampled_from(
            (
                lambda array: _strided(array, rows, columns),
                lambda array: np.asfortranarray(array),
                lambda array: _strided(array.T, columns, rows).T,
                lambda array: misaligned(array, offset),
                lambda array: np.broadcast_to(array[:1], array.shape),
                lambda array: np.broadcast_to(array[:, :1], array.shape),
                frozen,
                _mapped,
                lambda array: misaligned(array[::-1].T, offset).T[::-1],
            )
        )
    )


# --- models ---

ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.ELU, nn.Softplus)


@composite
def networks(draw: DrawFn, inputs: int | None = None) -> nn.Sequential:
    """A small network in eval mode, with norms and dropout here and there."""
    fastnn.manual_seed(draw(st.integers(0, 2**20)))
    width = draw(SIZES) if inputs is None else inputs
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 3))):
        size = draw(SIZES)
        layers.append(nn.Linear(width, size, bias=draw(st.booleans())))
        layers += draw(st.sampled_from(([], [nn.LayerNorm(size)], [nn.BatchNorm1d(size)])))
        layers.append(draw(st.sampled_from(ACTIVATIONS))())
        layers += draw(st.sampled_from(([], [], [nn.Dropout(0.5)])))
        width = size
    layers.append(nn.Linear(width, draw(st.integers(1, 5))))
    return nn.Sequential(*layers).eval()


def width_of(model: nn.Module) -> int:
    """How many features a network takes."""
    return int(model[0].in_features)  # type: ignore[index]


def trainer_of(model: nn.Module, compile: bool) -> Trainer:
    """What predicts with a model, by its compiled form or its own."""
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return Trainer(model, nn.MSELoss(), optimizer, compile=compile)


SEEDS: SearchStrategy[int] = st.integers(0, 2**32 - 1)

"""Predictions: the same bits for the same rows, however they lie, come, and are kept."""

import copy
import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from property_support import (
    FLOATS,
    INTEGERS,
    SEEDS,
    SIZES,
    Layout,
    layouts,
    networks,
    trainer_of,
    values,
    width_of,
)
from support import bits, force_threads

import fastnn
from fastnn import nn

ROWS = st.sampled_from((1, 2, 3, 7, 16, 33, 64, 130))


@given(networks(), layouts(), ROWS, st.sampled_from(FLOATS + INTEGERS), SEEDS, st.booleans())
def test_layouts(
    model: nn.Module, layout: Layout, rows: int, dtype: str, seed: int, compile: bool
) -> None:
    """P1, and P11: the caller's array is not changed."""
    view = layout(values((rows, width_of(model)), dtype, seed))
    plain = np.array(view, order="C")
    trainer = trainer_of(model, compile)
    with np.errstate(over="ignore"):
        assert bits(trainer.predict(view)) == bits(trainer.predict(plain))
    assert bits(view) == bits(plain)


@given(networks(), layouts(), ROWS, SEEDS)
def test_layouts_of_a_call(model: nn.Module, layout: Layout, rows: int, seed: int) -> None:
    """P1 for the eager forward and the gradient of what came in."""
    view = layout(values((rows, width_of(model)), "f4", seed))
    plain = np.array(view, order="C")
    results = []
    for array in (view, plain):
        x = fastnn.tensor(array, requires_grad=True)
        model.zero_grad()
        out = model(x)
        out.sum().backward()
        results.append(bits(model(array), out, x.grad, *(p.grad for p in model.parameters())))
    assert results[0] == results[1]
    assert bits(view) == bits(plain)


@given(networks(), st.integers(1, 700), SEEDS, st.booleans(), st.integers(1, 4), st.data())
def test_splits(
    model: nn.Module, rows: int, seed: int, compile: bool, threads: int, data: DataObject
) -> None:
    """P2."""
    force_threads(threads)
    x = values((rows, width_of(model)), "f4", seed)
    places = sorted(data.draw(st.lists(st.integers(1, rows), max_size=6, unique=True)))
    trainer = trainer_of(model, compile)
    parts = [trainer.predict(part) for part in np.split(x, places) if len(part)]
    assert bits(np.concatenate(parts)) == bits(trainer.predict(x))


@given(networks(), st.integers(1, 300), SEEDS, st.booleans(), st.integers(1, 1100))
def test_orders(model: nn.Module, rows: int, seed: int, compile: bool, batch_size: int) -> None:
    """P3, with batches of another size at that."""
    x = values((rows, width_of(model)), "f4", seed)
    order = np.random.default_rng(seed).permutation(rows)
    trainer = trainer_of(model, compile)
    assert bits(trainer.predict(x[order], batch_size)) == bits(trainer.predict(x)[order])


@given(SIZES, SIZES, SIZES, ROWS, SEEDS)
def test_features_without_weight(inputs: int, more: int, out: int, rows: int, seed: int) -> None:
    """P4, in whole numbers, whose sums have no rounding to depend on their order."""
    rng = np.random.default_rng(seed)
    small, large = nn.Linear(inputs, out), nn.Linear(inputs + more, out)
    weight = rng.integers(-4, 5, (out, inputs)).astype(np.float32)
    bias = rng.integers(-4, 5, out).astype(np.float32)
    padded = np.pad(weight, ((0, 0), (0, more)))
    small.load_state_dict({"weight": weight, "bias": bias})
    large.load_state_dict({"weight": padded, "bias": bias})
    x = rng.integers(-4, 5, (rows, inputs + more)).astype(np.float32)
    expected = x[:, :inputs] @ weight.T + bias
    assert bits(small(np.ascontiguousarray(x[:, :inputs]))) == bits(expected + 0.0)
    assert bits(large(x)) == bits(expected + 0.0)


@given(SIZES, SIZES, ROWS, SEEDS, st.integers(-20, 20), st.booleans())
def test_powers_of_two(
    inputs: int, hidden: int, rows: int, seed: int, power: int, compile: bool
) -> None:
    """P5."""
    fastnn.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(inputs, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, 3, bias=False)
    )
    x = values((rows, inputs), "f4", seed, odd=False)
    factor = np.float32(2.0**power)
    trainer = trainer_of(model, compile)
    assert bits(trainer.predict(x * factor)) == bits(trainer.predict(x) * factor)


@given(networks(), ROWS, SEEDS, st.booleans())
def test_again(model: nn.Module, rows: int, seed: int, compile: bool) -> None:
    """P9: dropout is off, norms learn nothing; `predict` does so for a model in training, too."""
    x = values((rows, width_of(model)), "f4", seed)
    once = bits(model(x))
    trainer = trainer_of(model.train(), compile)
    assert bits(trainer.predict(x)) == bits(trainer.predict(x))
    assert bits(model.eval()(x)) == once


@given(networks(), ROWS, SEEDS, st.sampled_from((copy.deepcopy, pickle)))
def test_copies(model: nn.Module, rows: int, seed: int, way: object) -> None:
    """P14."""
    x = values((rows, width_of(model)), "f4", seed)
    other = pickle.loads(pickle.dumps(model)) if way is pickle else copy.deepcopy(model)
    assert bits(trainer_of(other, True).predict(x)) == bits(trainer_of(model, True).predict(x))
    assert bits(other(x)) == bits(model(x))

"""Standardize and MinMaxScale: formulas, awkward columns, and their place in a model."""

import copy
import functools
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import bits, gradient_error, mlp, numerical_gradient

import fastnn
from fastnn import nn
from fastnn.data import MinMaxScale, Standardize, scaling
from fastnn.tensor import Tensor

KINDS = [Standardize, MinMaxScale, functools.partial(MinMaxScale, feature_range=(-2.0, 3.0))]
IDS = ["Standardize", "MinMaxScale", "range"]
TRAIN = np.random.Generator(np.random.Philox(0)).normal(3, [0.1, 10, 1000], (50, 3))
TEST = np.random.Generator(np.random.Philox(1)).normal(3, [0.1, 10, 1000], (7, 3))
both = pytest.mark.parametrize("make", KINDS, ids=IDS)


def expected(scaler, x, train=TRAIN):
    """The definition, column by column."""
    if isinstance(scaler, Standardize):
        mean = train.sum(0) / len(train)
        return (x - mean) / np.sqrt(((train - mean) ** 2).sum(0) / len(train))
    low, high = scaler.feature_range
    smallest, largest = train.min(0), train.max(0)
    return (x - smallest) / (largest - smallest) * (high - low) + low


# --- values


@both
def test_the_definition(make):
    scaler = make()
    assert scaler.fit(TRAIN) is scaler
    for x in TRAIN, TEST:
        np.testing.assert_allclose(scaler.transform(x), expected(scaler, x), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(scaler.fit_transform(TRAIN), scaler.transform(TRAIN))


def test_the_training_part_comes_out_as_promised():
    z = Standardize().fit_transform(TRAIN)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-14)
    np.testing.assert_allclose(z.std(0), 1, rtol=1e-14)
    z = MinMaxScale().fit_transform(TRAIN)
    np.testing.assert_array_equal([z.min(0), z.max(0)], [[0] * 3, [1] * 3])


@both
def test_inverse(make):
    scaler = make().fit(TRAIN)
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(TEST)), TEST, rtol=1e-12)


@both
@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e300, 1e-310, 16777217.0])
def test_a_constant_column_becomes_zero_and_stays_finite(make, value):
    scaler = make()
    train = np.column_stack([np.full(1001, value), np.arange(1001)])
    z = scaler.fit_transform(train)[:, 0]
    low = getattr(scaler, "feature_range", (0.0,))[0]
    np.testing.assert_array_equal(z, low)
    assert np.isfinite(scaler.transform(train + 1)).all()
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(train)), train, rtol=1e-12)


def test_one_row():
    assert Standardize().fit_transform([[5.0, 6.0]]).tolist() == [[0.0, 0.0]]


@both
@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e150])
def test_neither_small_nor_large_columns_lose_their_spread(make, scale):
    z = make().fit_transform(TRAIN * scale)
    np.testing.assert_allclose(z, make().fit_transform(TRAIN), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("offset", [1e8, 1e12, 2.0**50])
def test_a_small_spread_on_a_large_offset(offset):
    steps = np.arange(1000) % 7
    std = Standardize().fit(offset + steps).std.item()
    np.testing.assert_allclose(std, steps.std(), rtol=1e-14)


@both
def test_tables_larger_than_a_block(make, monkeypatch):
    scaler = make().fit(TRAIN)
    monkeypatch.setattr(scaling, "_BLOCK", 12)
    blocked = make().fit(TRAIN)
    np.testing.assert_allclose(blocked.transform(TEST), scaler.transform(TEST), rtol=1e-12)
    with pytest.raises(ValueError, match="column 1, row 41"):
        make().fit(nan_at(41, 1))


# --- kinds of input


@both
@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda x: x.astype(">f8"),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        pd.DataFrame,
        pl.DataFrame,
        lambda x: x.tolist(),
        lambda x: Tensor.of(x),
    ],
    ids=["F", "big-endian", "strided", "pandas", "polars", "list", "Tensor"],
)
def test_every_kind_of_table_gives_the_same(make, convert):
    table = convert(TRAIN)
    scaler = make().fit(table)
    z = scaler.transform(table)
    assert isinstance(z, Tensor if isinstance(table, Tensor) else np.ndarray)
    assert bits(z) == bits(make().fit_transform(TRAIN))
    assert type(scaler.inverse_transform(table)) is type(z)


@both
@pytest.mark.parametrize(
    ("dtype", "result"),
    [
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.int64, np.float32),
        (np.uint8, np.float32),
        (np.bool_, np.float32),
    ],
)
def test_types(make, dtype, result):
    x = np.array([[0, 3], [1, 9], [1, 60]]).astype(dtype)
    z = make().fit_transform(x)
    assert z.dtype == result
    np.testing.assert_array_equal(z, make().fit_transform(x.astype(np.float64)).astype(result))


@both
def test_a_target_is_one_column(make):
    y = TRAIN[:, 1]
    scaler = make().fit(y)
    z = scaler.transform(y)
    assert z.shape == y.shape
    np.testing.assert_array_equal(z, make().fit_transform(y[:, None])[:, 0])
    np.testing.assert_allclose(scaler.inverse_transform(z), y, rtol=1e-12)
    assert scaler.inverse_transform(z[:, None]).shape == (50, 1)
    assert scaler.num_features == 1


@both
def test_the_input_is_left_alone(make):
    x = TRAIN.copy()
    make().fit_transform(x)
    np.testing.assert_array_equal(x, TRAIN)
    x.flags.writeable = False
    make().fit_transform(x)


# --- errors


def nan_at(row, column, value=np.nan):
    table = TRAIN.copy()
    table[row, column] = value
    return table


@both
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (nan_at(3, 2), ValueError, "got nan in column 2, row 3"),
        (nan_at(0, 1, np.inf), ValueError, "got inf in column 1, row 0"),
        (pd.DataFrame(nan_at(5, 1), columns=list("abc")), ValueError, "nan in column 'b', row 5"),
        (pl.DataFrame(nan_at(5, 0), schema=list("abc")), ValueError, "nan in column 'a', row 5"),
        (np.zeros((0, 3)), ValueError, r"N and F > 0, got \(0, 3\)"),
        (np.zeros((3, 0)), ValueError, r"got \(3, 0\)"),
        (np.zeros((2, 3, 4)), ValueError, r"got \(2, 3, 4\)"),
        (1.0, ValueError, r"got \(\)"),
        ([["a"]], TypeError, "real numbers"),
    ],
)
def test_fit_errors_leave_the_scaler_as_it_was(make, x, error, message):
    scaler = make().fit(TRAIN)
    before = bits(*scaler.state_dict().values())
    for method in scaler.fit, scaler.fit_transform, scaler.transform, scaler.inverse_transform:
        with pytest.raises(error, match=message if method == scaler.fit else None):
            method(x)
    assert bits(*scaler.state_dict().values()) == before


def test_sums_beyond_float64_are_an_error():
    with pytest.raises(ValueError, match=r"Standardize: .*too large"):
        Standardize().fit([1.7e308, 1.7e308, 1e308])


@both
def test_use_before_fit(make):
    scaler = make()
    for method in scaler.transform, scaler.inverse_transform, scaler:
        with pytest.raises(RuntimeError, match="not fitted yet; call fit"):
            method(TRAIN)


@both
@pytest.mark.parametrize("shape", [(5, 2), (5, 4), (3, 1), (2,), (3, 2)])
def test_another_number_of_columns(make, shape):
    scaler = make().fit(TRAIN)
    message = rf"num_features=3\): expected input of shape \(N, 3\), got \({shape[0]}, ?"
    for method in scaler, scaler.forward:
        with pytest.raises(ValueError, match=message):
            method(np.zeros(shape))
    for method in scaler.transform, scaler.inverse_transform:
        with pytest.raises(ValueError, match="num_features=3"):
            method(np.zeros(shape))
    with pytest.raises(ValueError, match="expected 3 columns"):
        scaler.fit(np.zeros(shape))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Standardize(0), ValueError, "Standardize: expected num_features >= 1"),
        (lambda: Standardize(2.0), TypeError, r"integer num_features, got 2\.0"),
        (lambda: MinMaxScale(True), TypeError, "MinMaxScale: .*got True"),
        (lambda: MinMaxScale(feature_range=(1, 1)), ValueError, r"low < high, got \(1, 1\)"),
        (lambda: MinMaxScale(feature_range=(0, np.nan)), ValueError, "low < high"),
        (lambda: MinMaxScale(feature_range=(0, 1, 2)), ValueError, "feature_range"),
        (lambda: Standardize(dtype=np.int64), TypeError, "dtype float32 or float64, got int64"),
        (lambda: MinMaxScale(dtype="float16"), TypeError, "MinMaxScale: .*got float16"),
    ],
)
def test_constructor_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


# --- as a layer


@both
def test_gradients_flow_through(make):
    scaler = make(dtype=np.float64).fit(TRAIN)
    x = Tensor.of(TEST.copy(), requires_grad=True)
    weights = Tensor.of(np.arange(21.0).reshape(7, 3))
    for function in scaler.forward, scaler.transform, scaler.inverse_transform:
        x.grad = None
        (function(x) * weights).sum().backward()

        def f(function=function):
            return (function(Tensor.of(x.numpy())) * weights).sum().item()

        x.requires_grad = False
        numerical = numerical_gradient(f, x.numpy())
        assert gradient_error(x.grad.numpy(), numerical) < 1e-7
        x.requires_grad = True


@both
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.uint8, ">f8"])
def test_a_layer_gives_the_type_of_the_layers_behind_it(make, dtype):
    x = np.array([[0, 3], [1, 9], [1, 60]]).astype(dtype)
    scaler = make().fit(x)
    exact = make().fit_transform(x.astype(np.float64))
    for given in (np.float32, np.float64, np.float32):
        out = scaler.to(given)(x).numpy()
        assert out.dtype == given
        np.testing.assert_array_equal(out, exact.astype(given))
    assert make(dtype=np.float64).fit(x)(x).dtype == np.float64


@both
def test_a_models_type_does_not_round_the_statistics(make):
    model = nn.Sequential(make().fit(1e8 + TRAIN), nn.Linear(3, 2))
    before = bits(*model[0].state_dict().values())
    model.float().double().float()
    assert bits(*model[0].state_dict().values()) == before
    assert model(1e8 + TRAIN).dtype == np.float32


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_model_keeps_its_type(make, dtype, tmp_path):
    model = nn.Sequential(make().fit(TRAIN), nn.Linear(3, 2)).to(dtype)
    fastnn.save_model(model, tmp_path / "m.safetensors")
    again = fastnn.load_model(tmp_path / "m.safetensors")
    assert bits(again(TEST)) == bits(model(TEST))
    assert again(TEST).dtype == dtype


@both
def test_the_gradient_is_of_the_inputs_type(make):
    """And is not rounded to that of the output on the way."""
    gradients = []
    for dtype in (np.float32, np.float64):
        x = Tensor.of(TEST.copy(), requires_grad=True)
        make(dtype=dtype).fit(TRAIN)(x).sum().backward()
        gradients.append(bits(x.grad))
    assert gradients[0] == gradients[1]


def test_forward_lets_nan_through():
    scaler = Standardize().fit(TRAIN)
    out = scaler(Tensor.of(nan_at(3, 2))).numpy()
    assert np.argwhere(np.isnan(out)).tolist() == [[3, 2]]


@both
def test_leading_dimensions(make):
    scaler = make(dtype=np.float64).fit(TRAIN)
    stacked = scaler(TRAIN.reshape(5, 10, 3))
    np.testing.assert_array_equal(stacked.numpy().reshape(50, 3), scaler.transform(TRAIN))
    assert scaler(TRAIN[0]).tolist() == scaler.transform(TRAIN)[0].tolist()


@both
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies(make, duplicate):
    scaler = make().fit(TRAIN)
    np.testing.assert_array_equal(duplicate(scaler).transform(TEST), scaler.transform(TEST))
    assert repr(duplicate(scaler)) == repr(scaler)


@both
def test_the_state_is_the_scaler(make, tmp_path):
    scaler = make().fit(TRAIN)
    assert scaler.num_features == 3
    fastnn.save(scaler.state_dict(), tmp_path / "s.safetensors")
    options = {"num_features": 3}
    if isinstance(scaler, MinMaxScale):
        options["feature_range"] = list(scaler.feature_range)
    rebuilt = type(scaler)(**options)
    with pytest.raises(RuntimeError, match="not fitted"):
        rebuilt(TEST)
    rebuilt.load_state_dict(fastnn.load(tmp_path / "s.safetensors"))
    assert bits(rebuilt.transform(TEST)) == bits(scaler.transform(TEST))
    assert all(getattr(rebuilt, k) == getattr(scaler, k) for k in ("num_features", "_name"))


def test_first_layer_of_a_model():
    labels = (TRAIN[:, 0] > 3).astype(np.int64)
    scaler = Standardize().fit(TRAIN)
    model = nn.Sequential(scaler, *mlp(3, 16, 2))
    optimizer = fastnn.optim.Adam(model.parameters(), lr=0.01)
    trainer = fastnn.Trainer(model, nn.CrossEntropyLoss(), optimizer)
    before = bits(*scaler.state_dict().values())
    trainer.fit((TRAIN, labels), epochs=60, batch_size=10, verbose=0)
    assert trainer.evaluate((TRAIN, labels))["accuracy"] == 1.0
    assert bits(*scaler.state_dict().values()) == before
    assert {"0.mean", "0.std", "0.count"} <= model.state_dict().keys()
    model.double()
    assert model(TRAIN).dtype == np.float64
    assert model.float()(TRAIN.astype(np.float32)).dtype == np.float32


def test_repr():
    assert repr(Standardize()) == "Standardize(num_features=None)"
    scaler = MinMaxScale(feature_range=[-1, 1]).fit(TRAIN)
    assert repr(scaler) == "MinMaxScale(num_features=3, feature_range=(-1.0, 1.0))"

"""Batch norm and layer norm: the kernels in float64's eyes, and the running statistics."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import Array
from support import TEAMS, awkward_sizes, bits, empty, place, state_bits

import fastnn
from fastnn import Tensor, _core, nn
from fastnn.nn import functional as F

SHAPES = [(2, 1), (9, 5), (300, 3), (700, 33), (2, 3, 1), (5, 3, 2), (4, 2, 17), (3, 5, 64),
          (300, 2, 3), (6, 2, 3, 5)]  # fmt: skip


def draws(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def axes_of(x: Array) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def spread(values: Array, x: Array) -> Array:
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def run_train(
    x: Array, w: Any = None, b: Any = None, running: Any = (None, None), eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    y, mean, variance = empty(x.shape, x.dtype, 1), *(empty(x.shape[1], x.dtype) for _ in range(2))
    _core.batch_norm_train(y, mean, variance, *running, x, w, b, eps, 0.1)
    return y, mean, variance


def run_backward(x: Array, dy: Array, stats: Any, w: Any = None, batch: bool = True) -> Any:
    dx = empty(x.shape, x.dtype, 1)
    dw, db = empty(x.shape[1], x.dtype), empty(x.shape[1], x.dtype)
    _core.batch_norm_backward(dx, dw, db, dy, x, *stats, w, 1e-5, batch)
    return dx, dw, db


def run_layer(x: Array, w: Any, b: Any) -> tuple[Array, Array, Array]:
    y, mean, inverse = empty(x.shape, x.dtype, 1), *(empty(len(x), x.dtype) for _ in range(2))
    _core.layer_norm_forward(y, mean, inverse, x, w, b, 1e-5)
    return y, mean, inverse


def run_layer_backward(x: Array, dy: Array, stats: Any, w: Any) -> Any:
    dx = empty(x.shape, x.dtype, 1)
    dw, db = empty(x.shape[1], x.dtype), empty(x.shape[1], x.dtype)
    _core.layer_norm_backward(dx, dw, db, dy, x, *stats, w)
    return dx, dw, db


def near(got: Array, exact: Array, times: float, size: Any = 1.0) -> None:
    bound = times * np.finfo(got.dtype).eps * np.maximum(np.abs(exact), size)
    assert (np.abs(got.astype(np.longdouble) - exact) <= bound).all()


# --- the kernels ---


@pytest.mark.parametrize("team", TEAMS)
def test_batch_norm(isa: str, threads: Callable[[int], None], dtype: Any, team: int) -> None:
    threads(team)
    for shape in SHAPES:
        for offset in (0, 1, 3):
            x, dy = place(draws(shape, dtype), offset), place(draws(shape, dtype, 1), offset)
            w, b = draws(shape[1:2], dtype, 2), draws(shape[1:2], dtype, 3)
            X, DY, W, B = (a.astype(np.float64) for a in (x, dy, w, b))
            axes, count = axes_of(x), x.size // shape[1]
            mean, variance = X.mean(axis=axes), X.var(axis=axes)
            inverse = 1 / np.sqrt(variance + 1e-5)
            Z = (X - spread(mean, X)) * spread(inverse, X)
            y, m, v = run_train(x, w, b)
            worst = inverse.max() + 1  # two values of a channel may lie close together
            near(m, mean, 8)
            near(v, variance, 16, 1.0)
            near(y, Z * spread(W, X) + spread(B, X), 64 * worst**2, 4.0)
            db, dw = DY.sum(axis=axes), (DY * Z).sum(axis=axes)
            dx = spread(W * inverse, X) * (DY - spread(db, X) / count - Z * spread(dw, X) / count)
            got = run_backward(x, dy, (m, v), w)
            near(got[0], dx, 64 * worst**3, 4.0)
            near(got[1], dw, 64 * worst**2, np.sqrt(count))
            near(got[2], db, 64, np.sqrt(count))

            fixed = draws(shape[1:2], dtype, 4), draws(shape[1:2], dtype, 5) ** 2
            m64, inverse = fixed[0].astype(np.float64), 1 / np.sqrt(fixed[1].astype(float) + 1e-5)
            Z = (X - spread(m64, X)) * spread(inverse, X)
            y = empty(shape, dtype, offset)
            _core.batch_norm_forward(y, x, *fixed, w, b, 1e-5)
            near(y, Z * spread(W, X) + spread(B, X), 16, 4 * inverse.max())
            dx, dw, db = run_backward(x, dy, fixed, w, batch=False)
            near(dx, spread(W * inverse, X) * DY, 16)
            near(dw, (DY * Z).sum(axis=axes), 64, inverse.max() * count**0.5)
            near(db, DY.sum(axis=axes), 64, np.sqrt(count))


@pytest.mark.parametrize("team", TEAMS)
def test_layer_norm(isa: str, threads: Callable[[int], None], dtype: Any, team: int) -> None:
    threads(team)
    for cols in [n for n in awkward_sizes(dtype, large=False) if n > 1]:
        for offset in (0, 1, 3):
            x, dy = (place(draws((7, cols), dtype, seed), offset) for seed in (0, 1))
            w, b = draws((cols,), dtype, 2), draws((cols,), dtype, 3)
            X, DY, W, B = (a.astype(np.float64) for a in (x, dy, w, b))
            mean, variance = X.mean(axis=1, keepdims=True), X.var(axis=1, keepdims=True)
            inverse = 1 / np.sqrt(variance + 1e-5)
            Z, G = (X - mean) * inverse, DY * W
            worst = inverse.max() + 1
            y, m, r = run_layer(x, w, b)
            near(m, mean[:, 0], 8)
            near(r, inverse[:, 0], 64 * worst**2)
            near(y, Z * W + B, 64 * worst**2, 4.0)
            dx = inverse * (G - G.mean(axis=1, keepdims=True) - Z * (G * Z).mean(1, keepdims=True))
            got = run_layer_backward(x, dy, (m, r), w)
            near(got[0], dx, 64 * worst**3, 4.0)
            near(got[1], (DY * Z).sum(axis=0), 64 * worst**2, 8.0)
            near(got[2], DY.sum(axis=0), 64, 8.0)


@pytest.mark.parametrize("shape", [(1000, 5), (64, 3, 50), (100_000, 2)])
@pytest.mark.parametrize("first", [0.0, -5.0])
def test_variance_keeps_its_digits(
    isa: str, dtype: Any, shape: tuple[int, ...], first: float
) -> None:
    """Mean 1e4 and deviation 1, which E[x^2] - E[x]^2 loses in float32; any first value."""
    x = (draws(shape, np.float64) + 1e4).astype(dtype)
    x[0] += dtype(first)
    X, axes = x.astype(np.longdouble), axes_of(x)  # NumPy in float64 loses more than the kernel
    y, mean, variance = run_train(x)
    near(mean, X.mean(axis=axes), 2)
    near(variance, X.var(axis=axes), 40)
    Z = (X - spread(X.mean(axis=axes), X)) / np.sqrt(spread(X.var(axis=axes), X) + 1e-5)
    assert abs(y - Z).max() <= 1e4 * np.finfo(dtype).eps  # half a unit in the mean's last place


def test_layer_norm_keeps_its_digits(isa: str, dtype: Any) -> None:
    x = (draws((20, 1001), np.float64) + 1e4).astype(dtype)
    X = x.astype(np.longdouble)
    _, mean, inverse = run_layer(x, None, None)
    near(mean, X.mean(axis=1), 2)
    near(inverse, 1 / np.sqrt(X.var(axis=1) + 1e-5), 40)


def test_a_constant_channel_gives_the_bias(isa: str, dtype: Any) -> None:
    for value in (0.0, 1e-30, 0.1, 1e4 + 0.3, -3e30):
        x = np.full((37, 3), value, dtype)
        y, mean, variance = run_train(x, None, np.full(3, 2, dtype))
        assert (y == 2).all()
        assert (mean == dtype(value)).all()
        assert (variance == 0).all()
        assert (run_layer(x, None, None)[0] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_shows_in_its_channel_alone(isa: str, dtype: Any, bad: float) -> None:
    for shape in ((9, 19), (3, 5, 7)):
        for row in (0, shape[0] - 1):
            for channel in (0, shape[1] - 1):
                x = draws(shape, dtype)
                x[row, channel, ...] = bad
                y = run_train(x)[0]
                hit = np.zeros(shape[1], bool)
                hit[channel] = True
                assert (np.isnan(y).any(axis=axes_of(x)) == hit).all()
                rows = np.isnan(run_layer(x.reshape(shape[0], -1), None, None)[0]).all(axis=1)
                assert (rows == (np.arange(shape[0]) == row)).all()


def all_results(x: Array, dy: Array) -> bytes:
    w = draws(x.shape[1:2], x.dtype, 2)
    y, *stats = run_train(x, w, w)
    results = [y, *stats, *run_backward(x, dy, stats, w)]
    if x.ndim == 2:
        y, *stats = run_layer(x, w, w)
        results += [y, *stats, *run_layer_backward(x, dy, stats, w)]
    return bits(*results)


@pytest.mark.parametrize("shape", [(301, 67), (30, 11, 13)])
def test_bits_do_not_depend_on_threads(
    isa: str, threads: Callable[[int], None], dtype: Any, shape: tuple[int, ...]
) -> None:
    results = set()
    for team in (1, 2, 3, 7):
        threads(team)
        results.add(all_results(draws(shape, dtype), draws(shape, dtype, 1)))
    assert len(results) == 1


def test_channels_do_not_depend_on_their_place(isa: str, dtype: Any) -> None:
    """A part of the channels gives that part of the results; so does a part of the rows."""
    x, dy, w = draws((23, 40), dtype), draws((23, 40), dtype, 1), draws((40,), dtype, 2)
    y, *stats = run_train(x, w, w)
    grads = run_backward(x, dy, stats, w)
    layer, *layer_stats = run_layer(x, w, w)
    dx = run_layer_backward(x, dy, layer_stats, w)[0]
    for start in range(0, 39, 3):
        for stop in (start + 1, start + 5, 40):
            part = (slice(None), slice(start, stop))
            ours = [place(a[part], start % 4) for a in (x, dy)]
            got, *got_stats = run_train(ours[0], w[part[1]], w[part[1]])
            assert bits(got, *got_stats) == bits(y[part], *(s[part[1]] for s in stats))
            got = run_backward(*ours, got_stats, w[part[1]])
            assert bits(*got) == bits(grads[0][part], grads[1][part[1]], grads[2][part[1]])
    for row in range(22):
        ours = [place(a[row:], row % 4) for a in (x, dy)]
        got, *got_stats = run_layer(ours[0], w, w)
        assert bits(got) == bits(layer[row:])
        assert bits(run_layer_backward(*ours, got_stats, w)[0]) == bits(dx[row:])


def f32(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: run_train(f32(1, 3)), ValueError, "more than one value a channel"),
    (lambda: run_train(f32(0, 3)), ValueError, "more than one value a channel"),
    (lambda: run_train(f32(3, 2, 0)), ValueError, "more than one value a channel"),
    (lambda: _core.batch_norm_forward(f32(3), f32(3), f32(3), f32(3), None, None, 0.0),
     ValueError, r"x: expected shape \(n, channels, \.\.\.\), got \(3,\)"),
    (lambda: run_train(f32(2, 3), f32(2)), ValueError, r"weight: expected shape \(3,\)"),
    (lambda: run_train(f32(2, 3), None, f32(4)), ValueError, r"bias: expected shape \(3,\)"),
    (lambda: run_train(f32(2, 3), running=(f32(3), None)), ValueError, "both running stat"),
    (lambda: run_train(f32(2, 3), running=(f32(2), f32(3))), ValueError, r"running_mean: .*\(3,\)"),
    (lambda: run_train(f32(2, 3), running=(f32(3), np.zeros(3))), TypeError, "running_var: .*t32"),
    (lambda: run_train(f32(2, 3), running=(SHARED, SHARED)), ValueError, "running_mean: .*shares"),
    (lambda: _core.batch_norm_train(*[f32(2, 3)] * 3, None, None, f32(2, 3), None, None, 0, 0),
     ValueError, r"mean: expected shape \(3,\)"),
    (lambda: run_backward(f32(2, 3), f32(3, 2), (f32(3), f32(3))), ValueError, "dy: .*shape"),
    (lambda: run_backward(f32(2, 3), f32(2, 3), (f32(2), f32(3))), ValueError, "mean: .*shape"),
    (lambda: run_layer(f32(3, 0), None, None), ValueError, "at least one column"),
    (lambda: run_layer(f32(3, 2), f32(3), None), ValueError, r"weight: expected shape \(2,\)"),
    (lambda: run_layer_backward(f32(3, 2), f32(3, 2), (f32(2), f32(3)), None), ValueError, "mean"),
    (lambda: run_layer_backward(f32(3, 2), f32(2, 3), (f32(3), f32(3)), None), ValueError, "dy"),
]  # fmt: skip
SHARED = f32(3)


@pytest.mark.parametrize(("call", "error", "pattern"), BAD)
def test_kernels_refuse(call: Callable[[], Any], error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call()


# --- running statistics ---


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)])
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0, 0.7, None])
def test_running_statistics(shape: tuple[int, ...], momentum: float | None) -> None:
    norm = nn.BatchNorm1d(3, momentum=momentum).double()
    mean, var = np.zeros(3), np.ones(3)
    assert (norm.running_mean.tolist(), norm.running_var.tolist()) == ([0] * 3, [1] * 3)
    for step in range(1, 6):
        x = draws(shape, np.float64, step) * step
        norm(x)
        share = 1 / step if momentum is None else momentum
        mean = (1 - share) * mean + share * x.mean(axis=axes_of(x))
        var = (1 - share) * var + share * x.var(axis=axes_of(x), ddof=1)
        np.testing.assert_allclose(norm.running_mean.numpy(), mean, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(norm.running_var.numpy(), var, rtol=1e-12)
        assert norm.num_batches_tracked.item() == step
        before = state_bits(norm)
        norm.eval()(x)
        F.batch_norm(x, None, None, norm.weight, norm.bias, training=True)
        assert state_bits(norm.train()) == before
    norm.reset_running_stats()
    assert state_bits(norm) == state_bits(nn.BatchNorm1d(3).double())


def test_statistics_of_a_long_batch_divide_by_one_less() -> None:
    x = draws((2, 1), np.float64)
    norm = nn.BatchNorm1d(1, momentum=1.0).double()
    norm(x)
    assert abs(norm.running_var.item() - (x[0, 0] - x[1, 0]) ** 2 / 2) < 1e-14


def test_state_dict_of_batch_norm() -> None:
    state = nn.BatchNorm1d(2).state_dict()
    assert [(name, t.shape, str(t.dtype)) for name, t in state.items()] == [
        ("weight", (2,), "float32"), ("bias", (2,), "float32"),
        ("running_mean", (2,), "float32"), ("running_var", (2,), "float32"),
        ("num_batches_tracked", (), "int64"),
    ]  # fmt: skip
    bare = nn.BatchNorm1d(2, affine=False, track_running_stats=False)
    assert bare.state_dict() == {}
    assert bare.running_mean is bare.num_batches_tracked is bare.weight is None


def trained(steps: int = 3) -> nn.BatchNorm1d:
    norm = nn.BatchNorm1d(4)
    for step in range(steps):
        norm(draws((5, 4), np.float32, step))
    return norm


@pytest.mark.parametrize(
    "twin",
    [
        copy.deepcopy,
        lambda m: pickle.loads(pickle.dumps(m)),
        lambda m: copy.deepcopy(m).double().float(),
        lambda m: copy.deepcopy(m).to("cpu"),
    ],
    ids=["deepcopy", "pickle", "double", "cpu"],
)
def test_statistics_go_with_copies(twin: Callable[[nn.Module], nn.BatchNorm1d]) -> None:
    norm = trained()
    other = twin(norm)
    assert state_bits(other) == state_bits(norm)
    assert other.num_batches_tracked.dtype == np.int64
    assert other.num_batches_tracked.shape == ()
    other(draws((5, 4), np.float32))
    assert (other.num_batches_tracked.item(), norm.num_batches_tracked.item()) == (4, 3)
    assert state_bits(norm) == state_bits(trained())


def test_statistics_go_with_files(tmp_path: Any) -> None:
    norm, other = trained(), nn.BatchNorm1d(4)
    fastnn.save(norm.state_dict(), tmp_path / "norm.safetensors")
    other.load_state_dict(fastnn.load(tmp_path / "norm.safetensors"))
    assert state_bits(other) == state_bits(norm)
    assert other.num_batches_tracked.dtype == np.int64


def test_named_buffers() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert [name for name, _ in model.named_buffers()] == [
        "1.running_mean", "1.running_var", "1.num_batches_tracked"]  # fmt: skip
    assert len(list(model.buffers())) == 3
    assert len(list(model.parameters())) == 4


# --- gradients that the table does not see ---


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    for layer in (nn.BatchNorm1d(3), nn.LayerNorm(3)):
        x = fastnn.randn(5, 3)
        layer(x).sum().backward()
        assert x.grad is None
        assert layer.weight.grad is not None
        layer.zero_grad()
        layer.weight.requires_grad = False
        x.requires_grad = True
        layer(x).sum().backward()
        assert layer.weight.grad is None
        assert layer.bias.grad.tolist() == [5] * 3
        assert x.grad is not None


def test_statistics_changed_before_the_backward_are_an_error() -> None:
    """Of eval mode, whose gradient reads them."""
    norm = nn.BatchNorm1d(3).eval()
    x = Tensor.of(draws((5, 3), np.float32), requires_grad=True)
    y = norm(x).sum()
    norm.train()(x)
    with pytest.raises(RuntimeError, match=r"batch_norm needs a tensor .* changed in place"):
        y.backward()


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ((np.zeros((2, 3)), None, None), "running_mean and running_var where training=False"),
        ((np.zeros((2, 3)), fastnn.zeros(3).double(), None), "both running_mean and running_var"),
        ((np.zeros((2, 3)), None, None, fastnn.zeros(3, 1).double()), r"weight of shape \(3,\)"),
        ((np.zeros(3), None, None), r"expected input of shape \(N, C\) or"),
    ],
)
def test_functional_batch_norm_refuses(arguments: tuple[Any, ...], pattern: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        F.batch_norm(*arguments)


def test_empty_batches_in_eval_mode() -> None:
    assert nn.BatchNorm1d(3).eval()(fastnn.zeros(0, 3)).shape == (0, 3)
    assert nn.BatchNorm1d(3).eval()(fastnn.zeros(2, 3, 0)).shape == (2, 3, 0)
    assert nn.BatchNorm1d(0)(fastnn.zeros(2, 0)).shape == (2, 0)
    assert nn.LayerNorm(3)(fastnn.zeros(0, 3)).shape == (0, 3)
    x = fastnn.zeros(0, 3, requires_grad=True)
    for layer in (nn.LayerNorm(3), nn.BatchNorm1d(3).eval(), nn.Dropout()):
        layer(x).sum().backward()

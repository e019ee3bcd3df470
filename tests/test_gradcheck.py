"""Gradient checking: right gradients pass, each kind of wrong one fails and is named."""

import copy
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import bits, mlp, state_bits

import fastnn
from fastnn import GradcheckError, Tensor, gradcheck, nn, numerical_gradient
from fastnn.random import default_generator
from fastnn.tensor import as_tensor, record

RNG = np.random.default_rng(0)
X, W, LABELS = RNG.standard_normal((5, 4)), RNG.standard_normal((3, 4)), np.array([0, 2, 1, 0, 2])


# --- what passes ---


RIGHT: dict[str, tuple[Any, Any]] = {
    "exp": (lambda x: x.exp(), X),
    "scalar": (lambda x: (x * x).sum(), X),
    "0-d": (lambda x: x * x * x, np.array(1.5)),
    "empty": (lambda x: x * 2, np.zeros((0, 3))),
    "two-inputs": (lambda x, w: x @ w.T, (X, W)),
    "three-outputs": (lambda x: (x.exp(), x.tanh(), x.mean()), X),
    "constant": (lambda x: (x * 0).sum() + 7, X),
    "cancels": (lambda x: (x - x.mean(1, keepdim=True)).sum(), X),
    "huge": (lambda x: x * x, 1e6 * X),
    "tiny": (lambda x: x * x, 1e-9 * X),
    "steep": (lambda x: (30 * x).tanh(), X),
    "float32": (nn.Linear(4, 3), X.astype(np.float32)),
    "transposed": (lambda x: x.exp(), np.asfortranarray(X)),
    "loss": (nn.CrossEntropyLoss(), (X, LABELS % 4)),
    "large-loss": (nn.CrossEntropyLoss(reduction="sum"), (200 * X, LABELS)),
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("f", "inputs"), RIGHT.values(), ids=RIGHT.keys())
def test_right_gradients_pass(f: Any, inputs: Any, fast: bool) -> None:
    report = gradcheck(f, inputs, rtol=1e-7, fast=fast)
    assert report
    assert report.passed
    assert sum(t.kinks for t in report.tensors) == 0


def test_a_model_with_its_loss() -> None:
    report = gradcheck(mlp(4, 6, 3), (X, LABELS), loss=nn.CrossEntropyLoss())
    assert [(t.name, t.shape, t.checked) for t in report.tensors] == [
        ("input 0", (5, 4), 20), ("0.weight", (6, 4), 24), ("0.bias", (6,), 6),
        ("2.weight", (3, 6), 18), ("2.bias", (3,), 3)]  # fmt: skip
    assert report.max_error <= 1e-6


def test_a_large_model_is_checked_in_seconds() -> None:
    x, y = RNG.random((8, 784)), RNG.integers(0, 10, 8)
    model, loss = mlp(784, 512, 512, 10), nn.CrossEntropyLoss()
    report = gradcheck(model, (x, y), loss=loss, fast=True)
    assert report.passed
    assert all(t.checked == 3 for t in report.tensors)


def test_what_is_checked() -> None:
    def names(*inputs: Any, f: Any = lambda x, y: x * y) -> list[str]:
        return [t.name for t in gradcheck(f, inputs).tensors]

    asked = Tensor.of(X, requires_grad=True)
    assert names(X, X) == ["input 0", "input 1"]
    assert names(X, asked) == ["input 1"]
    assert names(X, np.arange(4)) == ["input 0"]
    assert names(X, Tensor.of(X), f=lambda input, target: input - target) == ["input 0"]
    assert names(X, asked, f=lambda input, target: target - input) == ["input 1"]
    frozen = mlp(4, 3)
    frozen[0].bias.requires_grad = False
    assert names(X, f=frozen) == ["input 0", "0.weight"]


# --- planted bugs ---


def wrong(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[..., Tensor]:
    """A function of tensors with a backward of its own, in NumPy."""

    def f(*inputs: Any) -> Tensor:
        tensors = tuple(as_tensor(x) for x in inputs)
        arrays = [t._array.copy() for t in tensors]

        def run(g: Any) -> tuple[Any, ...]:
            grads = backward(g, *arrays)
            return grads if isinstance(grads, tuple) else (grads,)

        return record(np.asarray(forward(*arrays)), "planted", tensors, run)

    return f


def one_element_off(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    dx = 2 * g * x
    dx[3, 1] *= 1 + 1e-4
    return dx


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def center(x: np.ndarray) -> np.ndarray:
    return np.asarray((x - x.mean(0)) ** 3)


PLANTED: dict[str, tuple[Callable[..., Tensor], tuple[Any, ...], str]] = {
    "right": (wrong(np.square, lambda g, x: 2 * g * x), (X,), ""),
    "sign": (wrong(np.square, lambda g, x: -2 * g * x), (X,), r"input 0\["),
    "factor-2": (wrong(np.square, lambda g, x: g * x), (X,), r"input 0\["),
    "one-element": (wrong(np.square, one_element_off), (X,), r"input 0\[3, 1\]"),
    "missing-1/N": (wrong(lambda x: (x**2).mean(), lambda g, x: 2 * g * x), (X,), r"input 0\["),
    "second-input": (
        wrong(lambda x, w: x @ w.T, lambda g, x, w: (g @ w, g.T @ x * 1.001)),
        (X, W), r"input 1\[",
    ),
    "transposed": (
        wrong(lambda x, w: x @ w, lambda g, x, w: (g @ w, x.T @ g)), (X, X[:4]), r"input 0\[",
    ),
    "missing-mean-term": (
        wrong(center, lambda g, x: 3 * g * (x - x.mean(0)) ** 2), (X,), r"input 0\[",
    ),
    "diagonal-softmax": (
        wrong(softmax, lambda g, z: g * softmax(z) * (1 - softmax(z))), (X,), r"input 0\[",
    ),
    "nothing": (wrong(np.square, lambda g, x: None), (X,), r"input 0\["),
    "nan": (wrong(np.square, lambda g, x: g * np.nan), (X,), r"input 0\["),
    "wrong-side-of-relu": (
        wrong(lambda x: np.maximum(x, 0), lambda g, x: g * (x < 0)), (X,), r"input 0\[",
    ),
    "relu-by-its-output-at-1e-7": (
        wrong(lambda x: np.maximum(x, 0), lambda g, x: g * (x > 2e-7)), (np.array([1e-7]),),
        r"input 0\[0\]",
    ),
    "relu-beyond-the-bounds-at-0": (
        wrong(lambda x: np.maximum(x, 0), lambda g, x: g * np.where(x == 0, 1.1, x > 0)),
        (np.array([1.0, 0.0]),), r"input 0\[1\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("f", "inputs", "place"), PLANTED.values(), ids=PLANTED.keys())
def test_planted_bugs_are_found(
    f: Callable[..., Tensor], inputs: tuple[Any, ...], place: str, fast: bool
) -> None:
    if not place:
        assert gradcheck(f, inputs, fast=fast)
        return
    with pytest.raises(GradcheckError, match=rf"^gradcheck of f: FAILED at {place}"):
        gradcheck(f, inputs, fast=fast)
    assert not gradcheck(f, inputs, fast=fast, raise_exception=False)


def test_a_backward_that_reads_what_another_forward_overwrote() -> None:
    memory = np.empty_like(X)

    def f(x: Any) -> Tensor:
        memory[...] = as_tensor(x)._array
        return record(memory**2, "stale", (as_tensor(x),), lambda g: (2 * g * memory,))

    with pytest.raises(GradcheckError, match="input 0: the second backward gave another gradient"):
        gradcheck(f, X)


def test_a_backward_that_adds_to_its_buffer() -> None:
    memory = np.zeros_like(X)

    def backward(g: Any, x: Any) -> Any:
        np.add(memory, 2 * g * x, out=memory)
        return memory

    with pytest.raises(GradcheckError, match="input 0: the second backward"):
        gradcheck(wrong(np.square, backward), X)


def test_the_worst_element_is_told_with_both_values() -> None:
    with pytest.raises(GradcheckError) as caught:
        gradcheck(wrong(lambda x: (x**2).sum(), lambda g, x: g * x), np.array([1.0, 3.0]))
    assert re.search(r"gradient \S+ that differences give, got \S+ \(relative error 5\.0e-01, "
                     r"rtol 1e-06\)", str(caught.value))  # fmt: skip
    report = gradcheck(wrong(lambda x: (x**2).sum(), lambda g, x: np.array([2.0, 3.0])),
                       np.array([1.0, 3.0]), raise_exception=False)  # fmt: skip
    worst = report.tensors[0]
    assert (worst.index, worst.analytic) == ((1,), 3.0)
    assert worst.numeric == pytest.approx(6.0, rel=1e-9)
    assert worst.error == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(3))
def test_fast_mode_finds_one_wrong_element_of_many(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, weights = rng.standard_normal((150, 200)), rng.standard_normal((150, 200))
    at = tuple(rng.integers(0, (150, 200)).tolist())

    def backward(g: Any, x: Any) -> Any:
        dx = g * weights * np.cos(x)
        dx[at] *= 1.05
        return dx

    f = wrong(lambda x: (weights * np.sin(x)).sum(), backward)
    with pytest.raises(GradcheckError, match=re.escape(f"FAILED at input 0[{at[0]}, {at[1]}]")):
        gradcheck(f, x, fast=True, seed=seed)


def test_fast_mode_finds_a_wrong_element_of_a_large_model() -> None:
    class Planted(nn.Linear):
        def forward(self, input: Any) -> Tensor:
            def off(g: Any) -> tuple[Any]:
                g = g.copy()
                g[7, 11] *= 2
                return (g,)

            w = record(self.weight._array, "planted", (self.weight,), off)
            return nn.functional.linear(input, w, self.bias)

    x, y = RNG.random((8, 784)), RNG.integers(0, 10, 8)
    model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), Planted(100, 10))
    with pytest.raises(GradcheckError, match=r"Sequential: FAILED at 2\.weight\[7, 11\]"):
        gradcheck(model, (x, y % 10), loss=nn.CrossEntropyLoss(), fast=True)


# --- kinks ---

NEAR = [0.0, -0.0, 1e-3, -1e-3, 5e-6, -5e-6, 1e-6, -3e-6, 1e-7, -1e-7, 1e-8, -1e-8, 1e-10, -1e-12,
        1e-300]  # fmt: skip


@pytest.mark.parametrize("f", [
    nn.ReLU(), lambda x: x.abs(), lambda x: (x * x * (x > 0)).sum() + x.exp().sum(),
    lambda x: nn.functional.relu(x) * 3 - x * 2, lambda x: -nn.functional.relu(x) + x.exp(),
    lambda x: nn.functional.relu(x * 40), lambda x: nn.functional.relu(x) * 1e-3 + x.tanh(),
], ids=["relu", "abs", "second-order", "tilted", "curved", "steep", "slight"])  # fmt: skip
def test_right_gradients_pass_near_kinks(f: Any) -> None:
    if not isinstance(f, nn.Module):
        inner, f = f, lambda x: inner(x)
    for value in NEAR:
        assert gradcheck(f, np.array([value, 1.0])), value


@pytest.mark.parametrize("error", [1e-2, 1e-4])
@pytest.mark.parametrize("value", NEAR)
def test_wrong_gradients_fail_near_kinks(value: float, error: float) -> None:
    """Off by a factor outside the bounds: steeper than the steeper side, or not 0."""
    f = wrong(lambda x: np.maximum(x, 0) + x, lambda g, x: g * (1 + (x > 0)) * (1 + error))
    steep = wrong(lambda x: np.maximum(x, 0) + x, lambda g, x: g * (1 + (x >= 0)) * (1 + error))
    for planted in (f, steep) if abs(value) > 2e-8 else (steep,) if value >= 0 else ():
        report = gradcheck(planted, np.array([value]), raise_exception=False)
        assert not report, report
        assert report.tensors[0].error > error / 3


def test_kinks_are_told() -> None:
    report = gradcheck(nn.ReLU(), np.array([0.0, 1.0, -1.0]))
    assert report.tensors[0].kinks == 1
    assert "1 near a kink" in str(report)


def test_noise_is_no_kink() -> None:
    """A function that computes in float32 has no differences to check a gradient with."""
    with pytest.raises(GradcheckError, match="coarser than float64: is a part computed in float32"):
        gradcheck(lambda x: x.float().exp().double(), X)


def test_values_outside_the_domain() -> None:
    f = wrong(np.log, lambda g, x: g / x)
    assert gradcheck(f, np.array([1e-3, 1.0]))
    with np.errstate(divide="ignore"):
        assert not gradcheck(f, np.array([0.0, 1.0]), raise_exception=False)

    def refuses(x: Any) -> Tensor:
        if (x.detach() < 0).any():
            raise ValueError("expected values of 0 or more")
        return as_tensor(x) * 2

    assert gradcheck(refuses, np.array([1e-3, 1.0]))


# --- the caller's state ---


class Noisy(nn.Module):
    """Random in training, with a running statistic, like dropout and batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(fastnn.ones(4))
        self.register_buffer("mean", fastnn.zeros(4))
        self.register_buffer("count", fastnn.tensor(0))

    def forward(self, x: Any) -> Tensor:
        shift = Tensor.of(self.mean._array + 1)
        if self.training:
            mask = default_generator.numpy.random(x.shape) < 0.5
            self.mean._array[...] = 0.9 * self.mean._array + x._array.mean(0)
            self.count = self.count + 1
            x = x * Tensor.of(mask.astype(np.float64))
        return x * self.scale * shift


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_of_the_callers_changes(dtype: Any, training: bool, fast: bool) -> None:
    model = nn.Sequential(nn.Linear(4, 4), Noisy()).to(dtype).train(training)
    x = Tensor.of(X.astype(dtype), requires_grad=True)
    model(x).sum().backward()
    grads = [p.grad for p in (x, *model.parameters())]
    before = state_bits(model), bits(x, *grads)
    fastnn.manual_seed(3)
    expected = fastnn.rand(5).numpy()
    fastnn.manual_seed(3)
    assert gradcheck(model, x, fast=fast).passed
    assert bits(fastnn.rand(5)) == bits(expected)
    assert (state_bits(model), bits(x, *grads)) == before
    assert all(p.grad is g for p, g in zip((x, *model.parameters()), grads, strict=True))
    assert all(m.training == training for m in model.modules())
    assert {p.dtype for p in model.parameters()} == {np.dtype(dtype)}


def test_a_function_may_read_the_callers_parameters() -> None:
    layer = nn.Linear(4, 3).double()
    layer(X).sum().backward()
    grads, values = [p.grad for p in layer.parameters()], [bits(p.grad) for p in layer.parameters()]
    gradcheck(lambda x: layer(x), X)
    assert all(p.grad is g for p, g in zip(layer.parameters(), grads, strict=True))
    assert [bits(p.grad) for p in layer.parameters()] == values


def test_the_same_seed_gives_the_same_report() -> None:
    model, data = mlp(4, 6, 3), (X, LABELS)
    reports = [str(gradcheck(model, data, loss=nn.CrossEntropyLoss(), fast=True, seed=seed))
               for seed in (1, 1, 2)]  # fmt: skip
    assert reports[0] == reports[1] != reports[2]


def test_a_layer_that_model_and_loss_share() -> None:
    layer = nn.Linear(4, 4)

    class Penalty(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, input: Any, target: Any) -> Tensor:
            return ((input - target) ** 2).mean() + (self.layer.weight**2).sum()

    report = gradcheck(layer, (X, X), loss=Penalty())
    assert "loss.layer.weight" in [t.name for t in report.tensors]


# --- what is refused ---


def draws(x: Any) -> Tensor:
    return as_tensor(x) * float(RNG.random())


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((3, X), TypeError, "expected a function or module as target, got int"),
    ((nn.ReLU(), "text"), TypeError, "expected an array of real numbers"),
    ((lambda x: x.detach().numpy(), X), TypeError, "of floating-point numbers, got ndarray"),
    ((lambda x: x.argmax(), X), TypeError, "got a tensor of int64"),
    ((lambda x: x * 1.0, np.arange(3)), ValueError, "expected a floating-point input"),
    ((draws, X), ValueError, "draws gave two values for the same inputs"),
])  # fmt: skip
def test_what_cannot_be_checked(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gradcheck(*arguments)


def test_errors_of_the_target_come_through() -> None:
    with pytest.raises(ValueError, match=r"Linear\(4 -> 3\)"):
        gradcheck(nn.Linear(4, 3), X[:, :2])


# --- the report ---


def test_the_report_reads_well() -> None:
    fastnn.manual_seed(0)
    lines = str(gradcheck(mlp(4, 3), (X, LABELS), loss=nn.CrossEntropyLoss())).splitlines()
    assert lines[0].startswith("gradcheck of Sequential: passed, largest relative error ")
    assert lines[1].split() == ["tensor", "shape", "checked", "error", "worst", "at", "analytic",
                                "numeric"]  # fmt: skip
    assert [line.split()[0] for line in lines[2:]] == ["input", "0.weight", "0.bias"]
    assert len({line.index(" (") for line in lines[2:]}) == 1


def test_a_step_of_ones_own() -> None:
    calls: list[float] = []

    def f(x: Tensor) -> Tensor:
        calls.append(float(x.detach().numpy()[0]))
        return x * 1.0

    gradcheck(f, np.array([2.0]), eps=0.25)
    assert {1.75, 2.25} <= set(calls)


# --- numerical_gradient ---


def test_numerical_gradient_of_a_function_of_its_argument() -> None:
    gradient = numerical_gradient(lambda x: (x**3).sum(), X)
    np.testing.assert_allclose(gradient, 3 * X**2, rtol=1e-6, atol=1e-7)
    assert gradient.shape == X.shape
    assert numerical_gradient(lambda x: x * x, np.array(3.0)).tolist() == pytest.approx(6)
    assert numerical_gradient(lambda x: 0.0, np.zeros((0, 2))).shape == (0, 2)


def test_numerical_gradient_of_a_closure() -> None:
    layer, loss = nn.Linear(4, 3).double(), nn.CrossEntropyLoss()
    loss(layer(X), LABELS).backward()
    for p in layer.parameters():
        before = bits(p)
        gradient = numerical_gradient(lambda _: loss(layer(X), LABELS), p)
        assert bits(p) == before
        np.testing.assert_allclose(gradient, p.grad.numpy(), rtol=1e-6, atol=1e-8)


def test_numerical_gradient_is_the_textbooks() -> None:
    calls = []
    numerical_gradient(lambda x: calls.append(x[0]) or 0.0, np.array([1.0]), h=0.25)
    assert calls == [1.25, 0.75]
    [slope] = numerical_gradient(lambda x: x[0] ** 3, np.array([1.0]), h=0.25)
    assert slope == 3 + 0.25**2


def test_numerical_gradient_puts_x_back_bit_for_bit() -> None:
    x = np.array([0.1, -0.0, 1e-310, 1e300])
    before = bits(x)
    numerical_gradient(lambda x: x[0], x[:3])
    assert bits(x) == before

    def fails(x: np.ndarray) -> float:
        x[0] = 7.0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        numerical_gradient(fails, x[:3])
    assert bits(x) == before


def test_numerical_gradient_of_a_part_of_an_array() -> None:
    x = np.arange(12.0).reshape(3, 4)
    gradient = numerical_gradient(lambda _: (x**2).sum(), x.T[1:3])
    np.testing.assert_allclose(gradient, 2 * x.T[1:3], atol=1e-7)


def test_numerical_gradient_of_float32_warns() -> None:
    with pytest.warns(UserWarning, match="float32 values keep about 3 digits") as caught:
        gradient = numerical_gradient(lambda x: (x**2).sum(), np.ones(2, np.float32))
    assert caught[0].filename == __file__
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, 2, rtol=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="does not change"):
            numerical_gradient(lambda x: x.sum(), np.full(1, 1e6, np.float32))


@pytest.mark.parametrize(("f", "x", "h", "error", "message"), [
    (lambda x: 0.0, [1.0], 1e-4, TypeError, "expected x as a float64 array or tensor, got list"),
    (lambda x: 0.0, np.arange(3), 1e-4, TypeError, "got int64"),
    (lambda x: x * 2, np.ones(3), 1e-4, ValueError, r"f to give one number, got shape \(3,\)"),
    (lambda x: 0.0, np.ones(3), 0.0, ValueError, "expected a finite step h > 0, got 0.0"),
    (lambda x: 0.0, np.broadcast_to(1.0, 3), 1e-4, ValueError, "x is read-only"),
])  # fmt: skip
def test_numerical_gradient_refuses(
    f: Any, x: Any, h: float, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        numerical_gradient(f, x, h)


# --- the generator's state ---


def test_the_generators_state_covers_all_of_it() -> None:
    for draws in (0, 3):
        generator = fastnn.Generator(5)
        generator.draws = 17  # type: ignore[attr-defined]
        for _ in range(draws):
            generator.next_seed()
        state = copy.deepcopy(generator.get_state())
        expected = [generator.next_seed() for _ in range(3)]
        generator.draws = 18  # type: ignore[attr-defined]
        other = fastnn.Generator(6)
        for g in (generator, other):
            g.set_state(state)
            assert g.draws == 17  # type: ignore[attr-defined]
            assert g.initial_seed() == 5
            assert [g.next_seed() for _ in range(3)] == expected
    with pytest.raises(TypeError, match=r"expected what get_state\(\) returned, got 3"):
        generator.set_state(3)  # type: ignore[arg-type]

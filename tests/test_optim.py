"""Optimizers: their formulas, where their memory lies, and that they find minima."""

import copy
from typing import Any

import numpy as np
import pytest
from cases import OPTIMIZERS, RuleCase
from support import bits, mlp, relative_error, state_bits

import fastnn
from fastnn import Tensor, nn, optim
from fastnn.nn import functional as F

every_rule = pytest.mark.parametrize("case", OPTIMIZERS, ids=lambda case: case.id)


def leaves(*shapes: tuple[int, ...], dtype: Any = np.float64) -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [Tensor(rng.standard_normal(shape).astype(dtype), True) for shape in shapes]


def give_gradients(params: list[Tensor], rng: np.random.Generator) -> list[np.ndarray]:
    """Random gradients, set as a user would."""
    grads = [rng.standard_normal(p.shape) for p in params]
    for p, grad in zip(params, grads, strict=True):
        p.grad = Tensor(grad.astype(p.dtype))
    return grads


# --- formulas ---


@every_rule
def test_a_hundred_steps_follow_the_formula(case: RuleCase, isa: str) -> None:
    params = leaves((7, 5), (5,), (1, 33))
    expected = [p._array.copy() for p in params]
    states: list[dict[str, np.ndarray]] = [{} for _ in params]
    optimizer, rng = case.make(params), np.random.default_rng(1)
    for step in range(1, 101):
        grads = give_gradients(params, rng)
        optimizer.step()
        expected = [
            case.rule(w, g, state, step)
            for w, g, state in zip(expected, grads, states, strict=True)
        ]
    for p, w in zip(params, expected, strict=True):
        assert relative_error(p._array, w) <= 1e-12


@every_rule
def test_float32_follows_float64(case: RuleCase) -> None:
    single, double = leaves((40,), dtype=np.float32), leaves((40,))
    double[0].data = single[0]._array.astype(np.float64)
    one, two = case.make(single), case.make(double)
    for step in range(20):
        give_gradients(single, np.random.default_rng(step))
        double[0].grad = Tensor(single[0].grad.numpy().astype(np.float64))
        one.step()
        two.step()
    assert relative_error(single[0]._array, double[0]._array) <= 2e-6


@every_rule
def test_parameters_without_gradient_stay(case: RuleCase) -> None:
    """And their own steps are counted: a late one starts as if it were alone."""
    a, b, c = params = leaves((3,), (4,), (5,))
    expected_b, state = b._array.copy(), {}
    optimizer, rng = case.make(params), np.random.default_rng(0)
    step_b = 0
    for step in range(10):
        before = [p._array.copy() for p in params]
        given = [a, c] if step in (0, 1, 5) else params
        for p in params:
            p.grad = None
        grads = give_gradients(given, rng)
        optimizer.step()
        if b in [p for p in given if p is b]:
            step_b += 1
            expected_b = case.rule(expected_b, grads[1], state, step_b)
        for p, w in zip(params, before, strict=True):
            assert (bits(p) == bits(w)) == all(p is not q for q in given)
    assert relative_error(b._array, expected_b) <= 1e-12


@every_rule
def test_groups_have_options_of_their_own(case: RuleCase) -> None:
    rates = (0.01, 0.2)
    params, alone = leaves((3,), (4,)), leaves((3,), (4,))
    optimizer = case.make([{"params": [p], "lr": lr} for p, lr in zip(params, rates, strict=True)])
    separate = [case.make([p], lr=lr) for p, lr in zip(alone, rates, strict=True)]
    for step in range(20):
        give_gradients(params, np.random.default_rng(step))
        give_gradients(alone, np.random.default_rng(step))
        optimizer.step()
        for each in separate:
            each.step()
    assert bits(*params) == bits(*alone)
    assert [group["lr"] for group in optimizer.param_groups] == list(rates)


@every_rule
def test_changed_learning_rate_counts(case: RuleCase) -> None:
    (p,) = leaves((3,))
    optimizer = case.make([p])
    optimizer.param_groups[0]["lr"] = 0.0
    before = bits(p)
    give_gradients([p], np.random.default_rng(0))
    optimizer.step()
    assert bits(p) == before


@every_rule
def test_zero_gradients_forgotten_and_zeroed(case: RuleCase) -> None:
    params = leaves((3,), (4,))
    optimizer = case.make(params)
    give_gradients(params, np.random.default_rng(0))
    optimizer.zero_grad(set_to_none=False)
    assert [p.grad.tolist() for p in params] == [[0] * 3, [0] * 4]
    optimizer.zero_grad()
    assert [p.grad for p in params] == [None, None]


@every_rule
def test_closure(case: RuleCase) -> None:
    (p,) = leaves((3,))
    optimizer = case.make([p])

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with fastnn.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() > (p._array**2).sum()


# --- memory ---


def assert_flat(optimizer: optim.Optimizer, params: list[Tensor]) -> None:
    """The parameters, and their gradients, are views of one aligned block each."""
    values, grads = optimizer._block.values, optimizer._block.grads
    assert values.ctypes.data % 64 == 0
    assert grads.ctypes.data % 64 == 0
    assert values.size == grads.size == sum(p.numel() for p in params)
    start = 0
    for p in params:
        for array, block in (
            (p._array, values),
            (None if p.grad is None else p.grad._array, grads),
        ):
            if array is not None:
                address = block.ctypes.data + start * block.itemsize
                assert array.ctypes.data == address or array.size == 0
                assert array.flags.c_contiguous
        start += p.numel()


def train_step(model: nn.Module, optimizer: optim.Optimizer) -> None:
    optimizer.zero_grad()
    dtype = next(model.parameters()).dtype
    x = np.random.default_rng(0).standard_normal((6, 3)).astype(dtype)
    F.cross_entropy(model(x), [0, 1] * 3).backward()
    optimizer.step()


@every_rule
def test_parameters_lie_in_one_block(case: RuleCase) -> None:
    model = mlp(3, 5, 2)
    before = state_bits(model)
    optimizer = case.make(model.parameters())
    assert state_bits(model) == before
    params = list(model.parameters())
    assert_flat(optimizer, params)
    for _ in range(3):
        train_step(model, optimizer)
        assert_flat(optimizer, params)
    assert state_bits(model) != before


def rebind_load(model: nn.Module, optimizer: optim.Optimizer) -> None:
    model.load_state_dict({name: t.numpy() + 1 for name, t in model.state_dict().items()})


def rebind_double(model: nn.Module, optimizer: optim.Optimizer) -> None:
    model.double()


def rebind_second(model: nn.Module, optimizer: optim.Optimizer) -> None:
    optim.SGD(model[2].parameters(), lr=0.1)


def rebind_data(model: nn.Module, optimizer: optim.Optimizer) -> None:
    model[0].weight.data = model[0].weight._array * 2


def rebind_memory(model: nn.Module, optimizer: optim.Optimizer) -> None:
    model[0].weight._array = model[0].weight._array * 2


REBINDINGS = [rebind_load, rebind_double, rebind_second, rebind_data, rebind_memory]


@every_rule
@pytest.mark.parametrize("rebind", REBINDINGS, ids=lambda f: f.__name__.removeprefix("rebind_"))
def test_rebinding_keeps_the_block_and_the_state(case: RuleCase, rebind: Any) -> None:
    """After it, training goes on as it does for an optimizer that works on plain arrays."""
    model = mlp(3, 5, 2)
    params = list(model.parameters())
    optimizer = case.make(params)
    states: list[dict[str, np.ndarray]] = [{} for _ in params]
    expected = [p._array.astype(np.float64) for p in params]
    for step in range(1, 7):
        if step == 4:
            rebind(model, optimizer)
            expected = [p._array.astype(np.float64) for p in params]
        train_step(model, optimizer)
        grads = [p.grad._array.astype(np.float64) for p in params]
        expected = [
            case.rule(w, g, state, step)
            for w, g, state in zip(expected, grads, states, strict=True)
        ]
        assert_flat(optimizer, params)
    for p, w in zip(params, expected, strict=True):
        assert relative_error(p._array, w) <= 2e-6


def test_two_optimizers_in_turn() -> None:
    model, twin = mlp(3, 5, 2), mlp(3, 5, 2)
    one, two = (cls(model.parameters(), lr=0.01) for cls in (optim.Adam, optim.SGD))
    for each in (one, two, one, one, two):
        train_step(model, each)
        assert_flat(each, list(model.parameters()))
    assert state_bits(model) != state_bits(twin)
    assert one._steps == [3] * 4
    assert two._steps == [2] * 4


@every_rule
def test_copy_of_model_and_optimizer_goes_its_own_way(case: RuleCase) -> None:
    model = mlp(3, 5, 2)
    optimizer = case.make(model.parameters())
    train_step(model, optimizer)
    other_model, other = copy.deepcopy((model, optimizer))
    before = state_bits(model)
    train_step(other_model, other)
    assert state_bits(model) == before
    assert_flat(other, list(other_model.parameters()))
    train_step(model, optimizer)
    assert state_bits(model) == state_bits(other_model)


@every_rule
def test_add_param_group(case: RuleCase) -> None:
    (a, b), alone = leaves((3,), (4,)), leaves((3,), (4,))
    optimizer, first = case.make([a]), case.make([alone[0]])
    for step in range(3):
        give_gradients([a], np.random.default_rng(step))
        give_gradients(alone[:1], np.random.default_rng(step))
        optimizer.step()
        first.step()
    optimizer.add_param_group({"params": b, "lr": 0.3})
    second = case.make([alone[1]], lr=0.3)
    for step in range(3):
        give_gradients([a, b], np.random.default_rng(step))
        give_gradients(alone, np.random.default_rng(step))
        for each in (optimizer, first, second):
            each.step()
    assert_flat(optimizer, [a, b])
    assert bits(a, b) == bits(*alone)


def test_momentum_in_a_later_group_alone() -> None:
    (a, b), alone = leaves((3,), (4,)), leaves((3,), (4,))
    optimizer = optim.SGD([a], lr=0.1)
    optimizer.add_param_group({"params": [b], "momentum": 0.9})
    separate = optim.SGD(alone[:1], lr=0.1), optim.SGD(alone[1:], lr=0.1, momentum=0.9)
    for step in range(4):
        give_gradients([a, b], np.random.default_rng(step))
        give_gradients(alone, np.random.default_rng(step))
        for each in (optimizer, *separate):
            each.step()
    assert bits(a, b) == bits(*alone)


def test_momentum_set_after_construction_counts() -> None:
    one, two = leaves((3,)), leaves((3,))
    late, early = optim.SGD(one, lr=0.1), optim.SGD(two, lr=0.1, momentum=0.9)
    late.param_groups[0]["momentum"] = 0.9
    for step in range(4):
        give_gradients(one, np.random.default_rng(step))
        give_gradients(two, np.random.default_rng(step))
        late.step()
        early.step()
    assert bits(*one) == bits(*two)


def test_gradients_are_written_into_the_block() -> None:
    model = mlp(3, 5, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    F.cross_entropy(model(fastnn.ones(2, 3)), [0, 1]).backward()
    for p, place in zip(model.parameters(), optimizer._block.slices, strict=True):
        assert p.grad._array.base is not None
        assert np.shares_memory(p.grad._array, optimizer._block.grads[place])


# --- minima ---


@every_rule
def test_finds_the_bottom_of_a_bowl(case: RuleCase) -> None:
    """f = sum(c (w - 3)^2) / 2 with curvatures 1 to 10, in 600 steps."""
    w = Tensor(np.zeros(5), True)
    curvature = np.array([1, 2, 3, 5, 10.0])
    optimizer = case.make([w])
    losses = []
    for _ in range(600):
        optimizer.zero_grad()
        loss = (curvature * (w - 3) ** 2).sum() / 2
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]
    if case.rosenbrock:  # no weight decay, which moves the minimum, nor a rule that never settles
        assert abs(w._array - 3).max() < 0.06


@pytest.mark.parametrize("case", [c for c in OPTIMIZERS if c.rosenbrock], ids=lambda c: c.id)
def test_follows_rosenbrocks_valley(case: RuleCase) -> None:
    w = Tensor(np.array([-1.2, 1.0]), True)
    optimizer = case.make([w], lr=case.lr)
    for _ in range(case.rosenbrock):
        x, y = w._array
        w.grad = Tensor(np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]))
        optimizer.step()
    assert abs(w._array - 1).max() < 0.01


@every_rule
def test_learns_a_classification(case: RuleCase) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 2)).astype(np.float32)
    labels = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    model = mlp(2, 16, 2, seed=1)
    optimizer = case.make(model.parameters())
    first = None
    for _ in range(300):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        first = first or loss.item()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.9 * first


# --- errors ---


def bad_options() -> list[Any]:
    return [
        pytest.param(case, *row, id=f"{case.id}-{'-'.join(row[0])}-{i}")
        for case in OPTIMIZERS
        for i, row in enumerate(case.bad_options)
    ]


@pytest.mark.parametrize(("case", "options", "error", "pattern"), bad_options())
def test_bad_options(
    case: RuleCase, options: dict[str, Any], error: type[Exception], pattern: str
) -> None:
    params = leaves((3,))
    before, memory = bits(*params), params[0]._array
    with pytest.raises(error, match=pattern):
        case.make(params, **options)
    assert bits(*params) == before
    assert params[0]._array is memory


@pytest.mark.parametrize(("case", "options", "error", "pattern"), bad_options())
def test_bad_options_of_a_group(
    case: RuleCase, options: dict[str, Any], error: type[Exception], pattern: str
) -> None:
    a, b = leaves((3,), (4,))
    optimizer = case.make([a])
    with pytest.raises(error, match=pattern):
        optimizer.add_param_group({"params": [b], **options})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(error, match=pattern):
        case.make([{"params": [b], **options}])


@pytest.mark.parametrize("option", [np.float32(0.1), np.float64(0.1), np.int64(0), 0, 1])
def test_any_real_number_is_an_option(option: Any) -> None:
    for make in (optim.SGD, optim.Adam):
        params = leaves((3,))
        optimizer = make(params, lr=option)
        give_gradients(params, np.random.default_rng(0))
        optimizer.step()


def test_bad_parameters() -> None:
    p = leaves((3,))[0]
    for make in (optim.SGD, optim.Adam):
        who = make.__name__
        with pytest.raises(ValueError, match=rf"{who}: expected parameters to optimize, got none"):
            make([])
        with pytest.raises(ValueError, match=rf"{who}: .*shape \(3,\) was given twice"):
            make([p, p])
        with pytest.raises(TypeError, match=rf"{who}: expected leaf tensors"):
            make([p * 2])
        with pytest.raises(TypeError, match=rf"{who}: expected leaf tensors"):
            make([np.zeros(3)])
        with pytest.raises(TypeError, match=rf"{who}: expected leaf tensors"):
            make([fastnn.zeros(3, dtype=fastnn.int64)])
        with pytest.raises(TypeError, match="one dtype, got"):
            make([p, fastnn.zeros(3)])
        optimizer = make([p])
        with pytest.raises(ValueError, match="given twice"):
            optimizer.add_param_group({"params": [p]})
        assert len(optimizer.param_groups) == 1


def test_gradient_of_another_shape_is_an_error() -> None:
    p = leaves((3,))[0]
    optimizer = optim.SGD([p], lr=0.1)
    before = bits(p)
    p.grad = Tensor(np.ones(1))
    with pytest.raises(ValueError, match=r"gradient of shape \(3,\), got \(1,\)"):
        optimizer.step()
    assert bits(p) == before


def test_repr_shows_the_options() -> None:
    text = repr(optim.SGD(leaves((3,)), lr=0.5, momentum=0.25))
    assert text.startswith("SGD (\nParameter Group 0\n")
    assert "    lr: 0.5\n" in text
    assert "    momentum: 0.25\n" in text


def test_every_optimizer_has_a_row() -> None:
    classes = {type(case.make(leaves((1,)))).__name__ for case in OPTIMIZERS}
    assert classes == set(optim.__all__) - {"Optimizer"}
    assert len({case.id for case in OPTIMIZERS}) == len(OPTIMIZERS)

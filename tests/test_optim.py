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

CLASSES = [optim.SGD, optim.Adagrad, optim.RMSprop, optim.Adam, optim.AdamW]
every_rule = pytest.mark.parametrize("case", OPTIMIZERS, ids=lambda case: case.id)


def leaves(*shapes: tuple[int, ...], dtype: Any = np.float64) -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [Tensor.of(rng.standard_normal(shape).astype(dtype), True) for shape in shapes]


def give_gradients(params: list[Tensor], rng: np.random.Generator) -> list[np.ndarray]:
    """Random gradients, set as a user would."""
    grads = [rng.standard_normal(p.shape) for p in params]
    for p, grad in zip(params, grads, strict=True):
        p.grad = Tensor.of(grad.astype(p.dtype))
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
        double[0].grad = Tensor.of(single[0].grad.numpy().astype(np.float64))
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
    assert (loss.item() < (p._array**2).sum()) == case.maximize


@every_rule
def test_up_is_down_on_the_negative(case: RuleCase) -> None:
    up, down = leaves((40,)), leaves((40,))
    one, two = case.make(up, maximize=True), case.make(down, maximize=False)
    for step in range(5):
        give_gradients(up, np.random.default_rng(step))
        down[0].grad = Tensor.of(-up[0].grad.numpy())
        one.step()
        two.step()
    assert bits(*up) == bits(*down)


def test_a_largest_average_that_turned_nan_stays_nan() -> None:
    (p,) = leaves((3,))
    optimizer = optim.Adam([p], amsgrad=True)
    for value in (1.0, np.nan, 1.0):
        p.grad = Tensor.of(np.array([1.0, value, 1.0]))
        optimizer.step()
    assert np.isnan(p._array).tolist() == [False, True, False]
    assert np.isnan(optimizer.state[p]["max_exp_avg_sq"]._array).tolist() == [False, True, False]


def test_rounding_does_not_make_a_variance_negative() -> None:
    """With constant gradients the variance goes to 0; PyTorch takes the root of -1e-17."""
    (p,) = leaves((50,))
    optimizer = optim.RMSprop([p], alpha=0.5, centered=True, eps=1.0)
    gradient = np.random.default_rng(0).standard_normal(50)
    for _ in range(300):
        p.grad = Tensor.of(gradient)
        optimizer.step()
    assert np.isfinite(p._array).all()


def test_decoupled_decay_is_not_lost_in_float32() -> None:
    """lr weight_decay = 1e-7, where 1 - 1e-7 in float32 is 19 % off."""
    p = fastnn.Tensor.of(np.linspace(1, 2, 10_000, dtype=np.float32), True)
    before = p._array.astype(np.float64)
    optimizer = optim.AdamW([p], lr=1e-5, weight_decay=1e-2)
    p.grad = fastnn.zeros(10_000)
    optimizer.step()
    assert (before - p._array).sum() == pytest.approx(1e-7 * before.sum(), rel=0.05)


def test_options_that_only_choose_an_implementation() -> None:
    results = set()
    for hints in (
        {}, {"foreach": True}, {"fused": True}, {"foreach": False, "fused": False},
        {"capturable": True}, {"differentiable": False},
    ):  # fmt: skip
        params = leaves((3,))
        optimizer = optim.Adam(params, **hints)
        give_gradients(params, np.random.default_rng(0))
        optimizer.step()
        results.add(bits(*params))
    assert len(results) == 1


# --- state dicts ---


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_state_dict_goes_on_with_the_same_bits(case: RuleCase, dtype: Any) -> None:
    """Saved in mid-training, one parameter behind the others, and loaded into a new optimizer."""

    def new() -> tuple[list[Tensor], optim.Optimizer]:
        params = leaves((3,), (2, 2), (5,), dtype=dtype)
        groups = [{"params": params[:2]}, {"params": params[2:], "lr": 0.02}]
        return params, case.make(groups)

    def run(params: list[Tensor], optimizer: optim.Optimizer, steps: range) -> None:
        for step in steps:
            give_gradients(params, np.random.default_rng(step))
            if step < 3:
                params[1].grad = None
            optimizer.step()

    params, optimizer = new()
    run(params, optimizer, range(5))
    optimizer.param_groups[0]["lr"] = 0.01
    saved, values = optimizer.state_dict(), [p._array.copy() for p in params]
    run(params, optimizer, range(5, 10))

    again, other = new()
    run(again, other, range(20, 24))  # what is loaded replaces whatever was there
    for p, value in zip(again, values, strict=True):
        p.data = value
    other.load_state_dict(saved)
    assert [g["lr"] for g in other.param_groups] == [0.01, 0.02]
    run(again, other, range(5, 10))
    assert bits(*params) == bits(*again)
    assert other.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


@every_rule
def test_state_dict_before_any_step(case: RuleCase) -> None:
    one, two = leaves((3,)), leaves((3,))
    fresh, used = case.make(one), case.make(two)
    give_gradients(two, np.random.default_rng(9))
    used.step()
    two[0].data = one[0]._array
    used.load_state_dict(fresh.state_dict())
    for params, optimizer in ((one, fresh), (two, used)):
        give_gradients(params, np.random.default_rng(0))
        optimizer.step()
    assert bits(*one) == bits(*two)


def test_state_dict_has_pytorchs_names() -> None:
    expected = {
        "SGD": {"momentum_buffer"},
        "Adagrad": {"step", "sum"},
        "RMSprop": {"step", "square_avg", "momentum_buffer", "grad_avg"},
        "Adam": {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
        "AdamW": {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    }
    for case in OPTIMIZERS:
        if case.id.endswith("everything"):
            params = leaves((3,), (2, 2))
            optimizer = case.make(params)
            give_gradients(params, np.random.default_rng(0))
            optimizer.step()
            saved = optimizer.state_dict()
            assert set(saved) == {"state", "param_groups"}
            assert list(saved["state"]) == [0, 1]
            assert set(saved["state"][1]) == expected.pop(type(optimizer).__name__)
            assert all(
                t.shape == (() if name == "step" else (2, 2))
                for name, t in saved["state"][1].items()
            )
            assert saved["param_groups"][0]["params"] == [0, 1]
    assert not expected


def test_state_dict_is_a_copy() -> None:
    params = leaves((3,))
    optimizer = optim.Adam(params)
    give_gradients(params, np.random.default_rng(0))
    optimizer.step()
    saved = optimizer.state_dict()
    before = bits(saved["state"][0]["exp_avg"])
    live = optimizer.state[params[0]]["exp_avg"]
    optimizer.step()
    assert bits(saved["state"][0]["exp_avg"]) == before != bits(live)


def test_loading_after_the_parameters_moved() -> None:
    model = mlp(3, 5, 2)
    optimizer = optim.Adam(model.parameters())
    train_step(model, optimizer)
    saved = optimizer.state_dict()
    model.double()
    optimizer.load_state_dict(saved)
    assert optimizer.state[model[0].weight]["exp_avg"].dtype == np.float64
    assert_flat(optimizer, list(model.parameters()))
    train_step(model, optimizer)


def test_adamw_stays_decoupled_whatever_is_loaded() -> None:
    params = leaves((3,))
    adam, adamw = optim.Adam(params), optim.AdamW(leaves((3,)))
    adamw.load_state_dict(adam.state_dict())
    assert adamw.param_groups[0]["decoupled_weight_decay"] is True


def test_loading_what_does_not_fit_changes_nothing() -> None:
    params = leaves((3,), (2,))
    optimizer = optim.Adam(params, lr=0.5)
    give_gradients(params, np.random.default_rng(0))
    optimizer.step()
    before = optimizer.state_dict()

    def changed(entry: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        saved = optimizer.state_dict()
        saved["param_groups"][0].update(options)
        saved["state"][1].update(entry or {})
        return saved

    without = changed()
    del without["state"][1]["exp_avg"]
    fewer = changed(params=[0])
    stray = changed()
    stray["state"][7] = stray["state"][0]
    two_groups = changed()
    two_groups["param_groups"] *= 2
    for saved, error, pattern in [
        ([], ValueError, "expected a dict with 'state' and 'param_groups'"),
        ({"state": {}}, ValueError, "expected a dict with 'state' and 'param_groups'"),
        ({"state": {}, "param_groups": [{}]}, ValueError, "expected groups with 'params'"),
        ({**changed(), "state": [1]}, TypeError, r"expected 'state' as a dict, got \[1\]"),
        ({**changed(), "state": {1: [2]}}, TypeError, r"1: expected its state as a dict, got \[2"),
        (fewer, ValueError, r"expected groups of \[2\] parameters, got \[1\]"),
        (two_groups, ValueError, r"expected groups of \[2\] parameters, got \[2, 2\]"),
        (changed(lr=-1), ValueError, "expected a finite lr >= 0, got -1"),
        (changed(amsgrad=True), ValueError, "parameter 0: expected a state of .*max_exp_avg_sq"),
        (without, ValueError, "parameter 1: expected a state of .*exp_avg"),
        (stray, ValueError, r"expected state for parameters \[0, 1\], got it for \[7\]"),
        (changed({"sum": np.ones(2)}), ValueError, "expected a state of .*got .*sum"),
        (changed({"exp_avg": np.ones(3)}), ValueError, r"exp_avg of shape \(2,\), got \(3,\)"),
        (changed({"exp_avg": np.ones(2, int)}), TypeError, "exp_avg as floating-point, got int"),
        (changed({"step": -1.0}), ValueError, r"step as a whole number >= 0, got -1\.0"),
        (changed({"step": 0.5}), ValueError, "step as a whole number"),
        (changed({"step": np.nan}), ValueError, "step as a whole number"),
        (changed({"step": np.inf}), ValueError, "step as a whole number"),
    ]:
        with pytest.raises(error, match=pattern):
            optimizer.load_state_dict(saved)
        after = optimizer.state_dict()
        assert after["param_groups"] == before["param_groups"]
        for i in (0, 1):
            assert bits(*after["state"][i].values()) == bits(*before["state"][i].values())


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
    one = optim.Adam(model.parameters(), lr=0.01)
    two = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
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
    w = Tensor.of(np.zeros(5), True)
    curvature = np.array([1, 2, 3, 5, 10.0])
    optimizer = case.make([w])
    losses = []
    for _ in range(600):
        optimizer.zero_grad()
        loss = (curvature * (w - 3) ** 2).sum() / 2
        losses.append(loss.item())
        (-loss if case.maximize else loss).backward()
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]
    if case.rosenbrock:  # no weight decay, which moves the minimum, nor a rule that never settles
        assert abs(w._array - 3).max() < 0.06


@pytest.mark.parametrize("case", [c for c in OPTIMIZERS if c.rosenbrock], ids=lambda c: c.id)
def test_follows_rosenbrocks_valley(case: RuleCase) -> None:
    w = Tensor.of(np.array([-1.2, 1.0]), True)
    optimizer = case.make([w], lr=case.lr)
    for _ in range(case.rosenbrock):
        x, y = w._array
        w.grad = Tensor.of(np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]))
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
        (-loss if case.maximize else loss).backward()
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
    for make in CLASSES:
        params = leaves((3,))
        optimizer = make(params, lr=option)
        give_gradients(params, np.random.default_rng(0))
        optimizer.step()


def test_bad_parameters() -> None:
    p = leaves((3,))[0]
    for make in CLASSES:
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
        for params in (set(), {p}, [{"params": {p}}]):
            with pytest.raises(TypeError, match=rf"{who}: expected parameters in an order"):
                make(params)
        for params in ([{"params": []}], [{"params": iter(())}]):
            with pytest.raises(ValueError, match=rf"{who}: expected parameters to optimize"):
                make(params)
        with pytest.raises(TypeError, match=rf"{who}: expected a group as a dict"):
            make([{"params": p}, p * 1])
        optimizer = make([p])
        with pytest.raises(ValueError, match="given twice"):
            optimizer.add_param_group({"params": [p]})
        with pytest.raises(TypeError, match="one dtype, got"):
            optimizer.add_param_group({"params": [fastnn.zeros(3)]})
        assert len(optimizer.param_groups) == 1
        optimizer.step()


def test_gradient_of_another_shape_is_an_error() -> None:
    p = leaves((3,))[0]
    optimizer = optim.SGD([p], lr=0.1)
    before = bits(p)
    p.grad = Tensor.of(np.ones(1))
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
    assert classes == set(optim.__all__) - {"Optimizer", "lr_scheduler"}
    assert len({case.id for case in OPTIMIZERS}) == len(OPTIMIZERS)

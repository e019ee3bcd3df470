"""Every module of cases.py: values, gradients, errors, state, copies; then what all modules do."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import MODULES, Labels, ModuleCase
from support import bits, gradient_error, mlp, numerical_gradient, state_bits

import fastnn
from fastnn import Tensor, nn
from fastnn.tensor import as_array

every_module = pytest.mark.parametrize("case", MODULES, ids=lambda case: case.id)


def parameters_of(module: nn.Module) -> dict[str, np.ndarray]:
    """State by name; a name that begins with a digit gets an underscore, dots become some."""
    named = {name.replace(".", "_"): t._array for name, t in module.state_dict().items()}
    return {f"_{name}" if name[0].isdigit() else name: array for name, array in named.items()}


def reference(case: ModuleCase, module: nn.Module, inputs: list[np.ndarray]) -> np.ndarray:
    return np.asarray(case.reference(*inputs, **parameters_of(module)))


# --- values and gradients ---


@every_module
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward(case: ModuleCase, dtype: Any, isa: str) -> None:
    module, inputs = case.make().to(dtype), case.draw()
    given = [x if x.dtype == np.int64 else x.astype(dtype) for x in inputs]
    wide = [x if x.dtype == np.int64 else x.astype(np.float64) for x in given]
    out = module(*given)
    exact = reference(case, module.double(), wide)
    assert out.dtype == dtype
    assert out.shape == exact.shape
    np.testing.assert_allclose(
        as_array(out), exact, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps
    )


@every_module
@pytest.mark.parametrize("seed", range(3))
def test_gradients(case: ModuleCase, seed: int) -> None:
    """Of a weighted sum of the output, with respect to each input and each parameter."""
    fastnn.manual_seed(seed)
    module, inputs = case.make().double(), case.draw(seed)
    given = [Tensor.of(x, requires_grad=x.dtype == np.float64) for x in inputs]
    out = module(*given)
    weights = np.random.default_rng(seed + 9).standard_normal(out.shape)
    if out.requires_grad:
        out.backward(weights)

    def f() -> float:
        return float((reference(case, module, inputs) * weights).sum())

    for tensor in (*given, *module.parameters()):
        if tensor.requires_grad:
            expected = numerical_gradient(f, tensor._array, case.smooth)
            assert tensor.grad is not None
            assert gradient_error(tensor.grad, expected) <= (1e-8 if case.smooth else 1e-6)


@every_module
def test_strided_inputs_give_the_bits_of_contiguous_ones(case: ModuleCase) -> None:
    module, inputs = case.make().double(), case.draw()
    expected = module(*inputs)
    strided = [np.repeat(x, 2, axis=-1)[..., ::2] for x in inputs]
    backwards = [np.ascontiguousarray(x[::-1])[::-1] for x in inputs]
    swapped = [x.astype(x.dtype.newbyteorder()) for x in inputs]
    for given in (strided, backwards, swapped):
        assert bits(module(*given)) == bits(expected)


@every_module
def test_inputs_stay_as_they_were(case: ModuleCase) -> None:
    module, inputs = case.make().double(), case.draw()
    given = [Tensor.of(x.copy(), requires_grad=x.dtype == np.float64) for x in inputs]
    out = module(*given).sum()
    if out.requires_grad:
        out.backward()
    assert bits(*given) == bits(*inputs)


@every_module
def test_read_only_inputs(case: ModuleCase) -> None:
    module, inputs = case.make().double(), case.draw()
    expected = module(*inputs)
    for x in inputs:
        x.flags.writeable = False
    assert bits(module(*inputs)) == bits(expected)


# --- errors ---


def error_rows() -> list[Any]:
    return [
        pytest.param(case, *row, id=f"{case.id}-{i}")
        for case in MODULES
        for i, row in enumerate(case.errors)
    ]


def argument_rows() -> list[Any]:
    return [
        pytest.param(*row, id=f"{case.id}-{i}")
        for case in MODULES
        for i, row in enumerate(case.bad_arguments)
    ]


@pytest.mark.parametrize(("case", "inputs", "error", "pattern"), error_rows())
def test_bad_inputs(
    case: ModuleCase, inputs: tuple[Any, ...], error: type[Exception], pattern: str
) -> None:
    module = case.make().double()
    before = state_bits(module)
    with pytest.raises(error, match=pattern):
        module(*inputs)
    assert state_bits(module) == before


@pytest.mark.parametrize(("make", "arguments", "error", "pattern"), argument_rows())
def test_bad_arguments(
    make: Any, arguments: tuple[Any, ...], error: type[Exception], pattern: str
) -> None:
    with pytest.raises(error, match=pattern):
        make(*arguments)


# --- state and copies ---


@every_module
def test_repr(case: ModuleCase) -> None:
    assert repr(case.make()) == case.repr


@every_module
def test_state_dict_round_trip(case: ModuleCase) -> None:
    module, other, inputs = case.make().double(), case.make().double(), case.draw()
    state = {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}
    named = (*module.named_parameters(), *module.named_buffers())
    assert sorted(state) == sorted(name for name, _ in named)
    other.load_state_dict(state)
    assert bits(other(*inputs)) == bits(module(*inputs))


@every_module
@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_a_copy_has_the_same_values_and_its_own_memory(
    case: ModuleCase, twin: Callable[[nn.Module], nn.Module]
) -> None:
    module, inputs = case.make().double().eval(), case.draw()
    expected = bits(module(*inputs))
    other = twin(module)
    assert type(other) is type(module)
    assert repr(other) == repr(module)
    assert not any(m.training for m in other.modules())
    assert bits(other(*inputs)) == expected
    for p, q in zip(module.parameters(), other.parameters(), strict=True):
        assert not np.shares_memory(p._array, q._array)
        assert q.requires_grad == p.requires_grad
        q.data = q._array + 1
    assert bits(module(*inputs)) == expected


@every_module
def test_train_and_eval(case: ModuleCase) -> None:
    module = case.make()
    assert all(m.training == case.training for m in module.modules())
    assert module.eval() is module
    assert not any(m.training for m in module.modules())
    assert module.train() is module
    assert all(m.training for m in module.modules())


@every_module
def test_double_and_float(case: ModuleCase) -> None:
    module = case.make()
    single = state_bits(module)
    assert module.double() is module
    assert {p.dtype for p in module.parameters()} <= {np.dtype(np.float64)}
    assert {b.dtype for b in module.buffers()} <= {np.dtype(np.float64), np.dtype(np.int64)}
    assert state_bits(module.float()) == single


@every_module
def test_the_same_seed_gives_the_same_weights(case: ModuleCase) -> None:
    states = []
    for seed in (1, 1, 2):
        fastnn.manual_seed(seed)
        states.append(state_bits(case.make()))
    assert states[0] == states[1]
    drawn = any(isinstance(m, nn.Linear) for m in case.make().modules())
    assert (states[0] != states[2]) == drawn


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({case.id for case in MODULES}) == len(MODULES)


def test_every_module_has_a_row() -> None:
    classes = {type(m) for case in MODULES for m in case.make().modules()}
    public = {getattr(nn, name) for name in nn.__all__}
    modules = {c for c in public if isinstance(c, type) and issubclass(c, nn.Module)}
    assert modules - {nn.Module} <= classes


# --- initial values ---


@pytest.mark.parametrize(("inputs", "outputs"), [(784, 128), (1, 20_000), (20_000, 1), (300, 300)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_starts_uniform(inputs: int, outputs: int, dtype: Any) -> None:
    """On (-b, b) with b = 1/sqrt(inputs): bounds, mean, variance and law, within 5 sigma."""
    layer = nn.Linear(inputs, outputs, dtype=dtype)
    bound = inputs**-0.5
    for values in (layer.weight, layer.bias):
        x = np.ravel(values._array).astype(np.float64) / bound
        n = x.size
        assert values.dtype == dtype
        assert abs(x).max() <= 1 + np.finfo(dtype).eps
        if n < 100:
            continue
        assert abs(x.mean()) < 5 * np.sqrt(1 / 3 / n)
        assert abs((x**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / n)
        law = abs(np.sort(x) / 2 + 0.5 - np.arange(n) / n).max()
        assert law < 2.3 / np.sqrt(n)  # Kolmogorov: 5e-5
        assert len(np.unique(x)) > 0.9 * n


def test_layers_start_differently() -> None:
    a, b = nn.Linear(50, 50), nn.Linear(50, 50)
    correlation = np.corrcoef(a.weight._array.ravel(), b.weight._array.ravel())[0, 1]
    assert abs(correlation) < 5 / 50


def test_linear_without_features() -> None:
    layer = nn.Linear(0, 3)
    assert layer(fastnn.zeros(2, 0)).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert nn.Linear(3, 0)(fastnn.zeros(2, 3)).shape == (2, 0)


def test_uniform_fills_the_interval() -> None:
    w = nn.init.uniform_(fastnn.zeros(10_000), 2, 6)._array
    assert (w >= 2).all()
    assert (w <= 6).all()
    assert abs(w.mean() - 4) < 5 * np.sqrt(16 / 12 / 10_000)


# --- what all modules do ---


class Net(nn.Module):
    """What a person writes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)
        self.scale = nn.Parameter(fastnn.ones(1))
        self.register_buffer("seen", fastnn.zeros(1))
        self.note = "text"

    def forward(self, x: Any) -> Tensor:
        return self.second(self.first(x).abs()) * self.scale


def test_names_of_parameters_and_modules() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [
        "scale", "first.weight", "first.bias", "second.weight", "second.bias"]  # fmt: skip
    assert [name for name, _ in net.named_modules()] == ["", "first", "second"]
    assert [name for name, _ in net.named_children()] == ["first", "second"]
    assert list(net.state_dict()) == ["scale", "seen", "first.weight", "first.bias",
                                      "second.weight", "second.bias"]  # fmt: skip


def test_load_state_dict_names_all_that_does_not_fit_and_changes_nothing() -> None:
    net = Net()
    state = {name: t.numpy() + 1 for name, t in net.state_dict().items()}
    del state["first.bias"]
    state["other"] = np.zeros(1)
    state["second.weight"] = np.zeros((3, 2))
    before = state_bits(net)
    with pytest.raises(ValueError, match="does not fit Net") as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    assert "missing: first.bias" in message
    assert "unexpected: other" in message
    assert "second.weight: expected shape (2, 4), got (3, 2)" in message
    assert state_bits(net) == before


def test_load_state_dict_of_wrong_kinds_changes_nothing() -> None:
    net = Net()
    before = state_bits(net)
    for bad in (np.zeros(2, complex), np.array(["a", "b"]), None):
        with pytest.raises(TypeError, match="real numbers"):
            net.load_state_dict({**net.state_dict(), "second.bias": bad})
        assert state_bits(net) == before


def test_load_state_dict_of_a_part() -> None:
    net, value = Net(), np.full(2, 7.0, np.float32)
    net.load_state_dict({"second.bias": value, "unknown": value}, strict=False)
    assert net.second.bias.tolist() == [7, 7]


def test_load_state_dict_converts_the_type() -> None:
    net = Net()
    net.load_state_dict({**net.state_dict(), "second.bias": np.array([1, 2])})
    assert net.second.bias.dtype == np.float32
    assert net.second.bias.tolist() == [1, 2]


def test_state_dict_shares_memory() -> None:
    net = Net()
    net.state_dict()["second.bias"].fill_(3)
    assert net.second.bias.tolist() == [3, 3]


def test_copies_keep_ties() -> None:
    net = Net()
    net.third = net.first
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin.third is twin.first
        assert twin.first is not net.first
        assert twin.note == "text"


def test_attributes() -> None:
    net = Net()
    with pytest.raises(AttributeError, match="Net has no attribute 'nothing'"):
        _ = net.nothing
    with pytest.raises(TypeError, match=r"Net\.first: expected a Module, got int"):
        net.first = 3
    with pytest.raises(TypeError, match=r"Net\.scale: expected a Parameter, got str"):
        net.scale = "x"
    net.first = None
    assert net.first is None
    assert "first.weight" not in net.state_dict()
    del net.second
    assert list(net.state_dict()) == ["scale", "seen"]


def test_subclass_that_forgets_super() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"Forgetful: call super\(\).__init__\(\) before"):
        Forgetful()


def test_module_without_forward() -> None:
    with pytest.raises(TypeError, match="Module has no forward"):
        nn.Module()(1)


def test_apply_zero_grad_and_requires_grad() -> None:
    net = Net()
    kinds = []
    net.apply(lambda m: kinds.append(type(m)))
    assert kinds == [nn.Linear, nn.Linear, Net]
    net(fastnn.ones(1, 3)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())


def test_sequential_is_a_list_of_modules() -> None:
    model = mlp(2, 3, 4)
    assert len(model) == 3
    assert model[-1] is list(model)[2]
    assert [type(m) for m in model[:2]] == [nn.Linear, nn.ReLU]
    assert model.append(nn.ReLU()) is model
    assert list(nn.Sequential({"a": nn.ReLU(), "b": nn.ReLU()})._modules) == ["a", "b"]
    with pytest.raises(IndexError):
        _ = model[9]


def test_a_thousand_layers() -> None:
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(1000)))
    x = fastnn.ones(1, 2, requires_grad=True)
    model(x).sum().backward()
    assert x.grad is not None
    assert len(list(model.parameters())) == 2000


def test_labels_row_draws_every_class() -> None:
    drawn = Labels(1000, 3).draw(np.random.default_rng(0))
    assert sorted(set(drawn.tolist())) == [0, 1, 2]


# --- names, buffers, lists ---


class Nested(nn.Module):
    """A shared layer, a frozen buffer, a parameter that is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", fastnn.zeros(2))
        self.register_buffer("scratch", fastnn.zeros(3), persistent=False)
        self.register_buffer("later", None)
        self.register_parameter("scale", None)
        self.shared = nn.Linear(2, 2)
        self.net = nn.Sequential(self.shared, nn.ReLU(), nn.Linear(2, 1))


def test_buffers_and_names() -> None:
    model = Nested()
    assert [n for n, _ in model.named_buffers()] == ["seen", "scratch"]
    assert [b.shape for b in model.buffers()] == [(2,), (3,)]
    assert (model.scale, model.later) == (None, None)
    assert list(model.state_dict()) == ["seen", "shared.weight", "shared.bias", "net.0.weight",
                                        "net.0.bias", "net.2.weight", "net.2.bias"]  # fmt: skip
    assert next(iter(model.state_dict(prefix="m."))) == "m.seen"
    assert model.state_dict(keep_vars=True)["shared.weight"] is model.shared.weight
    names = [n for n, _ in model.named_parameters(prefix="m")]
    assert names == ["m.shared.weight", "m.shared.bias", "m.net.2.weight", "m.net.2.bias"]
    assert list(model.parameters(recurse=False)) == []
    assert len(list(model.named_parameters(remove_duplicate=False))) == 6
    model.later = fastnn.ones(1)
    model.scale = nn.Parameter(fastnn.ones(1))
    assert {"later", "scale"} <= set(model.state_dict())
    assert {"shared", "scale", "seen", "net"} <= set(dir(model))
    assert [type(m) for m in model.children()] == [nn.Linear, nn.Sequential]


def test_things_by_dotted_name() -> None:
    model = Nested()
    assert model.get_submodule("net.2") is model.net[2]
    assert model.get_submodule("") is model
    assert model.get_parameter("net.2.bias") is model.net[2].bias
    assert model.get_buffer("seen") is model.seen
    for call, pattern in (
        (lambda: model.get_submodule("net.7"), "Sequential has no attribute '7'"),
        (lambda: model.get_parameter("net.2.wieght"), "Linear has no attribute .*did you mean"),
        (lambda: model.get_buffer("later"), "Nested has no attribute 'later'"),
    ):
        with pytest.raises(AttributeError, match=pattern):
            call()


@pytest.mark.parametrize(("call", "error", "pattern"), [
    (lambda m: m.register_buffer("x", 3), TypeError, "register_buffer: expected a tensor .*'x'"),
    (lambda m: m.register_parameter("x", fastnn.ones(1)), TypeError, "expected a Parameter"),
    (lambda m: m.add_module("x", 3), TypeError, "add_module: expected a Module, got int"),
    (lambda m: m.add_module("a.b", nn.ReLU()), KeyError, "name without a dot, got 'a.b'"),
    (lambda m: m.add_module("", nn.ReLU()), KeyError, "name without a dot"),
    (lambda m: m.add_module("forward", nn.ReLU()), KeyError, "has an attribute 'forward' already"),
    (lambda m: m.register_buffer("shared", fastnn.ones(1)), KeyError, "'shared' already"),
    (lambda m: m.add_module("me", m), ValueError, "cannot be a part of itself"),
    (lambda m: setattr(m.net, "me", m), ValueError, "cannot be a part of itself"),
    (lambda m: m.train("yes"), ValueError, "train: expected True or False, got 'yes'"),
    (lambda m: m.load_state_dict(None), TypeError, "load_state_dict: expected a mapping .*None"),
    (lambda m: m.load_state_dict({}, assign=True), ValueError, "assign=True is not here"),
    (lambda m: m.net.extend([nn.ReLU]), TypeError, "Sequential: expected modules, got type at 3"),
    (lambda m: nn.Sequential([nn.ReLU()]), TypeError, r"got list at 0; unpack a list: .*\*layers"),
])  # fmt: skip
def test_bad_parts(call: Any, error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call(Nested())


def test_load_state_dict_returns_what_did_not_match() -> None:
    net = Net()
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    result = net.load_state_dict({"scale": np.ones(1), "other": np.ones(1)}, strict=False)
    assert result.missing_keys == [n for n in net.state_dict() if n != "scale"]
    assert result.unexpected_keys == ["other"]


def test_apply_goes_from_below_upwards_in_order() -> None:
    seen: list[str] = []
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU(), nn.Flatten()))
    model.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "ReLU", "Flatten", "Sequential", "Sequential"]


def test_a_part_may_have_a_train_of_its_own() -> None:
    class Frozen(nn.Linear):
        def train(self, mode: bool = True) -> Any:
            return super().train(False)

    model = nn.Sequential(Frozen(1, 1), nn.ReLU()).train()
    assert [m.training for m in model.modules()] == [True, False, True]


def test_lists_of_modules() -> None:
    layers = nn.ModuleList([nn.Linear(i + 1, 1) for i in range(3)])
    layers.append(nn.ReLU()).insert(0, nn.Flatten())
    assert [type(m).__name__ for m in layers] == ["Flatten", "Linear", "Linear", "Linear", "ReLU"]
    assert isinstance(layers[1:3], nn.ModuleList)
    assert list(layers[1:3].state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    del layers[0]
    layers[-1] = nn.Linear(9, 1)
    assert [m.in_features for m in layers] == [1, 2, 3, 9]
    assert layers[3] in layers
    assert layers[-1] is layers[3]
    heads = nn.ModuleDict([("a", nn.ReLU())])
    heads["b"] = nn.Linear(1, 1)
    assert list(heads.items())[1][0] == "b"
    assert ("a" in heads, "c" in heads, len(heads)) == (True, False, 2)
    del heads["a"]
    assert list(heads.keys()) == ["b"]
    model = nn.Sequential({"first": nn.Linear(1, 2), "last": nn.ReLU()})
    assert list(model[:1].state_dict()) == ["first.weight", "first.bias"]
    assert model.extend([nn.Linear(2, 1)])[2] is model[-1]


def test_zero_grad_to_zeros() -> None:
    layer = nn.Linear(2, 1)
    layer(fastnn.ones(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert [p.grad.tolist() for p in layer.parameters()] == [[[0, 0]], [0]]

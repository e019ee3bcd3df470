"""Whole models in files: what is loaded is what was saved, and no file can do harm."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import MODULES, ModuleCase
from support import bits, mlp, state_bits

import fastnn
from fastnn import FileFormatError, Tensor, load_model, nn, save_model
from fastnn.serialization import read_metadata


def through_a_file(model: nn.Module, *classes: type[nn.Module]) -> Any:
    buffer = io.BytesIO()
    save_model(model, buffer)
    buffer.seek(0)
    return load_model(buffer, classes)


# --- what comes back ---


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", MODULES, ids=lambda case: case.id)
def test_every_module_comes_back(case: ModuleCase, training: bool, dtype: Any) -> None:
    module = case.make().to(dtype)
    inputs = [x if x.dtype == np.int64 else x.astype(dtype) for x in case.draw()]
    module(*inputs)  # running statistics move
    module.train(training)
    random = fastnn.random.default_generator
    before = random.get_state()
    own = {type(m) for m in module.modules() if not type(m).__module__.startswith("fastnn")}
    loaded = through_a_file(module, *own)
    assert repr(random.get_state()) == repr(before)
    assert repr(loaded) == repr(module)
    assert {n: type(m) for n, m in loaded.named_modules()} == {
        n: type(m) for n, m in module.named_modules()
    }
    assert state_bits(loaded) == state_bits(module)
    assert [m.training for m in loaded.modules()] == [training for _ in module.modules()]
    outputs = []
    for m in (module, loaded):
        fastnn.manual_seed(1)
        outputs.append(bits(m(*inputs)))
    assert outputs[0] == outputs[1]


class Block(nn.Module):
    """With a module, a class, a list and a flag as arguments, and a buffer."""

    def __init__(self, body: nn.Module, act: Any = nn.ReLU, sizes: Any = (1,), bias: bool = True):
        super().__init__()
        self.body, self.act, self.sizes = body, act, sizes
        self.bias = nn.Parameter(fastnn.zeros(3)) if bias else None
        self.activation = act()
        self.register_buffer("shift", fastnn.zeros(3))

    def forward(self, x: Any) -> Tensor:
        y = self.activation(self.body(x)) + self.shift
        return y if self.bias is None else y + self.bias


class Net(nn.Module):
    """As in a tutorial: sizes that are kept nowhere but in the layers."""

    def __init__(self, hidden: int = 4) -> None:
        super().__init__()
        self.first = nn.Linear(3, hidden)
        self.again = self.first
        self.last = nn.Linear(hidden, 3)

    def forward(self, x: Any) -> Tensor:
        return self.last(nn.functional.relu(self.first(x)))


@pytest.mark.parametrize("make", [
    lambda: Net(7), lambda: Block(nn.Linear(3, 3)),
    lambda: Block(Net(5), nn.Flatten, [1, "x", (2.5, None)], bias=False),
    lambda: nn.Sequential({"b": Net(), "a": nn.Linear(3, 2)}),
])  # fmt: skip
def test_classes_of_ones_own(make: Callable[[], nn.Module]) -> None:
    model = make()
    for p in model.parameters():
        p.data = np.random.default_rng(0).standard_normal(p.shape).astype(np.float32)
    loaded, x = through_a_file(model, Net, Block), fastnn.randn(5, 3)
    assert repr(loaded) == repr(model)
    assert bits(loaded(x)) == bits(model(x))
    if isinstance(model, Net):
        assert loaded.again is loaded.first
    if isinstance(model, Block):
        assert (loaded.act, loaded.sizes) == (model.act, model.sizes)


def test_modes_and_frozen_parameters_come_back() -> None:
    model = mlp(3, 4, 2)
    model[0].weight.requires_grad = False
    model[2].eval()
    loaded = through_a_file(model)
    assert [p.requires_grad for p in loaded.parameters()] == [False, True, True, True]
    assert [m.training for m in loaded.modules()] == [True, True, True, False]


def test_a_loaded_model_can_be_trained() -> None:
    loaded = through_a_file(mlp(3, 4, 2).eval())
    optimizer = fastnn.optim.SGD(loaded.parameters(), lr=0.1)
    before = state_bits(loaded)
    loaded(fastnn.ones(2, 3)).sum().backward()
    optimizer.step()
    assert state_bits(loaded) != before


def test_metadata_comes_back(tmp_path: Path) -> None:
    path, kept = tmp_path / "m", {"classes": ["a", "b"], "scale": (0.5, None), "n": {1: 2}}
    save_model(mlp(2, 1), path, metadata=kept)
    assert read_metadata(path) == kept
    save_model(mlp(2, 1), path)
    assert read_metadata(path) == {}
    fastnn.save({"w": np.ones(1)}, path)
    assert read_metadata(path) == {}


def test_its_tensors_are_a_state_dict(tmp_path: Path) -> None:
    model, other = mlp(3, 4, 2, seed=1), mlp(3, 4, 2, seed=2)
    save_model(model, tmp_path / "m")
    other.load_state_dict(fastnn.load(tmp_path / "m"))
    assert state_bits(other) == state_bits(model)


# --- what cannot be saved ---


class Forgets(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(size, size)


class Shapes(nn.Module):
    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(fastnn.zeros(size))


class Keeps(nn.Module):
    def __init__(self, what: Any = None) -> None:
        super().__init__()
        self.what = what


@pytest.mark.parametrize(("model", "message"), [
    (3, "expected a module, got int"),
    (mlp(2, 1).state_dict(), "expected a module, got dict"),
    (Forgets(3), r"Forgets does not keep its constructor's argument 'size'; set self\.size = size"),
    (Shapes(4), r"Shapes cannot be built again .*weight: expected float32 of shape \(3,\)"),
    (Keeps(print), "Keeps keeps its argument 'what' as a builtin_function_or_method"),
    (Keeps(fastnn.ones(2)), "Keeps keeps its argument 'what' as a Tensor"),
])  # fmt: skip
def test_what_cannot_be_saved(tmp_path: Path, model: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        save_model(model, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_modules_nested_too_deep(tmp_path: Path) -> None:
    model = nn.Sequential()
    for _ in range(1200):
        model = nn.Sequential(model)
    with pytest.raises(TypeError, match="nested too deep"):
        save_model(model, tmp_path / "file")


def test_metadata_that_cannot_be_saved(tmp_path: Path) -> None:
    for bad in ({"x": np.ones(2)}, {"x": object()}):
        with pytest.raises(TypeError, match=r"(without tensors|numbers, text).*, got"):
            save_model(mlp(2, 1), tmp_path / "file", metadata=bad)


# --- what cannot be loaded ---


def test_tensors_alone(tmp_path: Path) -> None:
    fastnn.save(mlp(2, 1).state_dict(), tmp_path / "w")
    with pytest.raises(FileFormatError, match=r"w: expected a model that save_model wrote"):
        load_model(tmp_path / "w")


def test_a_class_that_is_not_given() -> None:
    with pytest.raises(FileFormatError, match=r"class 'Net'.*classes=\[...\].*load_state_dict"):
        through_a_file(Net())
    for bad in (Net(), int, "Net"):
        with pytest.raises(TypeError, match="expected module classes"):
            through_a_file(Net(), bad)  # type: ignore[arg-type]
    other = type("Net", (nn.Module,), {})
    with pytest.raises(TypeError, match="two classes are named Net"):
        through_a_file(Net(), Net, other)


def test_damaged_models(tmp_path: Path) -> None:
    path = tmp_path / "m"
    save_model(mlp(3, 2), path)
    content = path.read_bytes()
    for position in range(0, len(content), 3):
        changed = bytearray(content)
        changed[position] ^= 4
        path.write_bytes(changed)
        with pytest.raises(FileFormatError, match="m: expected a safetensors file"):
            load_model(path)

"""State dicts go from PyTorch to fastnn and back, through files."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from support import bits, mlp
from torch_support import draw

import fastnn
from fastnn import FileFormatError


def their_mlp(*sizes: int) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def their_bits(model: torch.nn.Module) -> bytes:
    return b"".join(t.numpy().tobytes() for t in model.state_dict().values())


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_from_pytorch(tmp_path: Path, dtype: str) -> None:
    theirs, ours = getattr(their_mlp(5, 4, 3), dtype)(), getattr(mlp(5, 4, 3), dtype)()
    safetensors.torch.save_file(theirs.state_dict(), tmp_path / "m")
    state = fastnn.load(tmp_path / "m")
    ours.load_state_dict(state)
    assert bits(*ours.state_dict().values()) == their_bits(theirs)
    assert {t.dtype for t in state.values()} == {ours[0].weight.dtype}


@pytest.mark.parametrize("whole", [True, False])
def test_to_pytorch(tmp_path: Path, whole: bool) -> None:
    ours, theirs = mlp(5, 4, 3), their_mlp(5, 4, 3)
    if whole:
        fastnn.save_model(ours, tmp_path / "m")
    else:
        fastnn.save(ours.state_dict(), tmp_path / "m")
    theirs.load_state_dict(safetensors.torch.load_file(tmp_path / "m"))
    assert their_bits(theirs) == bits(*ours.state_dict().values())


@pytest.mark.parametrize("dtype", [
    torch.float64, torch.float32, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
    torch.bool,
])  # fmt: skip
def test_every_type(tmp_path: Path, dtype: torch.dtype) -> None:
    for tensor in (torch.arange(6).reshape(2, 3), torch.tensor(3), torch.zeros(0, 2)):
        theirs = {"x": tensor.to(dtype)}
        safetensors.torch.save_file(theirs, tmp_path / "a")
        fastnn.save(fastnn.load(tmp_path / "a"), tmp_path / "b")
        back = safetensors.torch.load_file(tmp_path / "b")["x"]
        assert back.dtype == dtype
        assert back.shape == tensor.shape
        assert torch.equal(back, theirs["x"])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(tmp_path: Path, dtype: torch.dtype) -> None:
    x = torch.tensor(draw(50)).to(dtype)
    safetensors.torch.save_file({"x": x}, tmp_path / "a")
    loaded = fastnn.load(tmp_path / "a")["x"]
    np.testing.assert_array_equal(loaded.numpy(), x.float().numpy())


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_are_refused(tmp_path: Path, zipped: bool) -> None:
    state = their_mlp(2, 1).state_dict()
    torch.save(state, tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(FileFormatError, match=r"m\.pt: .*safetensors\.torch\.save_file"):
        fastnn.load(tmp_path / "m.pt")

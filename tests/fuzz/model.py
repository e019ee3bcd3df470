"""`fastnn.load_model`: a model that is built is written and built again as the same."""

import io
import json
from random import Random
from typing import Any
from unittest.mock import patch

from support import bits

import fastnn
from fastnn import FileFormatError, architecture, nn
from fastnn.architecture import describe
from fastnn.serialization import read_metadata
from fuzz import container

ALLOWED = (FileFormatError,)
BLUNT = 0.05
_SLACK = 1 << 12  # elements beyond the file's: 4 million, as elsewhere, take 40 ms to draw


def read(content: bytes) -> tuple[nn.Module, Any]:
    with patch.object(architecture, "_SLACK", _SLACK):
        return fastnn.load_model(io.BytesIO(content)), read_metadata(io.BytesIO(content))


def verify(content: bytes, value: tuple[nn.Module, Any]) -> str:
    model, metadata = value
    again = _file(model, metadata)
    other = fastnn.load_model(io.BytesIO(again))
    assert repr(other) == repr(model), "another model after a save"
    assert describe(other) == describe(model), "other options after a save"
    assert _state(other) == _state(model), "other weights after a save"
    kept = read_metadata(io.BytesIO(again))
    assert container.plain(kept) == container.plain(metadata), "other metadata after a save"
    return repr([type(module).__name__ for module in model.modules()][:4])


def _state(model: nn.Module) -> list[tuple[str, bytes]]:
    return [(name, bits(t)) for name, t in model.state_dict().items()]


def _file(model: nn.Module, metadata: Any = None) -> bytes:
    out = io.BytesIO()
    fastnn.save_model(model, out, metadata)
    return out.getvalue()


def change(content: bytes, chance: Random) -> bytes:
    return container.change(content, chance, inside=0.9)


def seeds() -> dict[str, bytes]:
    shared = nn.Linear(2, 2)
    frozen = nn.Linear(2, 1).eval()
    frozen.weight.requires_grad = False
    small = _file(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), {"classes": ["a", "b"]})
    return {
        "good-small": small,
        "good-norms": _file(nn.Sequential(nn.BatchNorm1d(3), nn.LayerNorm(3), nn.Dropout(0.25))),
        "good-activations": _file(nn.Sequential(nn.LeakyReLU(0.1), nn.PReLU(), nn.Softmax(1))
                                  if hasattr(nn, "PReLU") else nn.LeakyReLU(0.1)),
        "good-list": _file(nn.ModuleList([nn.Linear(1, 1, bias=False), nn.Flatten()])),
        "good-shared": _file(nn.Sequential(shared, nn.Tanh(), shared)),
        "good-frozen": _file(frozen),
        "bad-tensors-alone": container.file({"weight": shared.weight}),
        "bad-class": container.sealed(_with(small, lambda t: t.update({"class": "os.system"}))),
        "bad-huge": container.sealed(_with(small, _huge)),
        "bad-same": container.sealed(_with(small, lambda t: t["children"].update(
            {"0": {"same": "1"}}))),
        "bad-truncated": small[: len(small) // 2],
    }  # fmt: skip


def _with(content: bytes, change_tree: Any) -> bytes:
    header, data = container.split(content)
    tree = json.loads(header["__metadata__"]["fastnn.architecture"])
    change_tree(tree)
    header["__metadata__"]["fastnn.architecture"] = json.dumps(tree)
    return container.join(header, data)


def _huge(tree: Any) -> None:
    tree["children"]["0"]["args"].update(in_features=10**9, out_features=10**9)

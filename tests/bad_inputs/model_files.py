"""G: files of tensors, checkpoints and models: lies in headers, damage, other formats."""

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import bits, mlp

import fastnn
from bad_inputs.case import Case, bad, fine
from bad_inputs.world import World, X, f32
from fastnn import FileFormatError, nn, serialization

# --- any file of tensors ---


def with_header(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(
    dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4), name: str = "x"
) -> dict[str, Any]:
    return {name: {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def raw(dtype: str = '"F32"', shape: str = "[1]", offsets: str = "[0,4]") -> bytes:
    """A header whose parts json.dumps would not write."""
    text = f'{{"x":{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}}}'
    return with_header(text.encode(), bytes(4))


ENTRY = json.dumps(entry())[1:-1]
TEXT = json.dumps(entry()).encode()

# the content of a file, and what is said of it beside "expected a safetensors file"
FILES: dict[str, tuple[bytes, str]] = {
    "G01 empty": (b"", ""),
    "G02 seven bytes": (b"1234567", ""),
    "G03 a header of length 0": (bytes(8), ""),
    "G04 a header beyond the file": ((10**6).to_bytes(8, "little") + b"{}", ""),
    "G05 a header of 2**63 bytes": ((2**63).to_bytes(8, "little") + b"{}", ""),
    "G06 a header of 2**64 - 1 bytes": (b"\xff" * 8 + b"{}", ""),
    "G07 a header of 100 MB and a byte": ((10**8 + 1).to_bytes(8, "little") + b"{}", ""),
    "G08 not UTF-8": (with_header(b'{"\xff": 1}'), ""),
    "G09 not JSON": (with_header(b"{nope"), ""),
    "G09 text": (b"this is not a tensor file, but it is long enough to look at", ""),
    "G10 a list": (with_header([1, 2]), ""),
    "G12 more behind the header": (with_header(TEXT + b"x", bytes(4)), ""),
    "G13 a tensor twice": (with_header(f"{{{ENTRY},{ENTRY}}}".encode(), bytes(4)),
                           "'x' is there twice"),
    "G14 metadata twice": (with_header(
        b'{"__metadata__":{"a":"1"},"__metadata__":{"a":"2"},' + ENTRY.encode() + b"}", bytes(4)),
        ""),
    "G15 metadata that is not text": (with_header({"__metadata__": {"a": 1}}), ""),
    "G16 an unknown type": (with_header(entry("F33"), bytes(4)), ""),
    "G17 a type in lower case": (with_header(entry("f32"), bytes(4)), ""),
    "G18 no shape": (with_header({"x": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4)), ""),
    "G19 a negative size": (with_header(entry(shape=[-1]), bytes(4)), ""),
    "G20 a size of 1.5": (with_header(entry(shape=[1.5]), bytes(4)), ""),
    "G20 a size of 1.0": (raw(shape="[1.0]"), ""),
    "G21 a size of 1e0": (raw(shape="[1e0]"), ""),
    "G22 sizes whose product wraps": (with_header(entry(shape=[2**33, 2**33]), bytes(4)), ""),
    "G22 sizes whose product wraps to 1": (
        with_header(entry(shape=[2**32 - 1, 2**32 + 1, 2**63 + 1]), bytes(4)), ""),
    "G23 10**5 dimensions of 2": (with_header(entry(shape=[2] * 10**5), bytes(4)), ""),
    "G23 65 dimensions of 1": (with_header(entry("U8", [1] * 65, [0, 1]), bytes(1)), ""),
    "G25 sizes whose product wraps, but for a zero": (
        with_header(entry("U8", [0, 2**62, 4], [0, 0])), ""),
    "G26 an end before the beginning": (with_header(entry(offsets=[4, 0]), bytes(4)), ""),
    "G27 a negative place": (with_header(entry(offsets=[-4, 0]), bytes(4)), ""),
    "G28 a place beyond the file": (
        with_header(entry(offsets=[0, 400], shape=[100]), bytes(4)), ""),
    "G29 tensors that overlap": (
        with_header({**entry(), **entry(offsets=(2, 6), name="y")}, bytes(6)), ""),
    "G30 a hole": (with_header({**entry(), **entry(offsets=(8, 12), name="y")}, bytes(12)), ""),
    "G31 a hole at the beginning": (with_header(entry(offsets=[4, 8]), bytes(8)), ""),
    "G32 a size that does not fit its place": (with_header(entry(shape=[2]), bytes(4)), ""),
    "G33 bytes left over": (with_header(entry(), bytes(9)), ""),
    "G34 cut off": (with_header(entry(), bytes(3)), ""),
    "G36 10**5 lists in one another": (with_header(b"[" * 10**5), ""),
    "G36 10**5 dicts in one another": (with_header(b'{"a":' * 10**5), ""),
    "G39 a size of 400 digits": (raw(shape=f"[{'9' * 400}]"), ""),
    "G40 a mark of UTF-8 first": (with_header(b"\xef\xbb\xbf" + TEXT, bytes(4)), ""),
    "G41 NaN as a size": (raw(shape="[NaN]"), ""),
    "G42 half a pair of surrogates": (with_header(b'{"\\ud800":' + TEXT[5:], bytes(4)), ""),
    "G57 a pickle": (pickle.dumps(os.system),
                     r"never read; .*save_file\(model\.state_dict\(\)"),
    "G58 a zip, as of PyTorch": (b"PK\x03\x04" + bytes(60),
                                 r"never read; .*save_file\(model\.state_dict\(\)"),
    "G58 HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(60), ""),
}  # fmt: skip

# --- files of `save`, with right checksums ---

ARRAYS = {"w": np.ones((2, 3), np.float32)}
NESTED: Any = []
for _ in range(300):
    NESTED = [NESTED]


def ours(structure: Any, version: Any = "1", **more: Any) -> bytes:
    """What `save` would write of another structure."""
    buffer = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization, "_VERSION", version)
        patch.setattr(serialization, "pack", lambda obj: (structure, ARRAYS))
        serialization._write(buffer, None, **more)
    return buffer.getvalue()


STRUCTURES = [
    {"tensor": "v"}, {"tensor": 1}, {"tensor": ["w"]}, {"tensor": "w", "float": "nan"}, {},
    {"float": "1"}, {"float": []}, {"tuple": "ab"}, {"dict": {"a": 1}}, {"dict": [1]},
    {"dict": [[[], 1]]}, {"dict": [["a"]]}, {"code": "x"}, NESTED, {"dict": [[{}, 1]]},
]  # fmt: skip

# --- files of `save_model`, with right checksums ---


def architecture(change: Callable[[Any], Any], arrays: Any = None) -> bytes:
    """A file of Linear(3, 2) and ReLU with a right checksum, its architecture changed."""
    model, buffer = mlp(3, 2), io.BytesIO()
    model.append(nn.ReLU())
    tree = json.loads(json.dumps(serialization.describe(model)))
    tree = change(tree) or tree
    state = arrays or dict(model.state_dict())
    serialization._write(buffer, state, architecture=tree)
    return buffer.getvalue()


def put(*path: Any) -> Callable[[Any], Any]:
    """Set what stands at a path to its last element."""
    *way, last, value = path

    def change(tree: Any) -> None:
        for key in way:
            tree = tree[key]
        tree[last] = value

    return change


LINEAR = ("children", "0")
DEEP: Any = {"class": "nn.Sequential", "args": {}, "training": True, "frozen": [], "children": {}}
for _ in range(50):
    DEEP = {**DEEP, "children": {"0": DEEP}}

ARCHITECTURES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no node": (lambda tree: [1], "expected a module"),
    "a number": (put(*LINEAR, 3), "0: expected a module, got 3"),
    "missing key": (lambda tree: tree["children"]["0"].pop("frozen"), "expected a module"),
    "more keys": (put(*LINEAR, "code", "x"), "expected a module"),
    "class number": (put(*LINEAR, "class", 3), "expected a module"),
    "class unknown": (put(*LINEAR, "class", "nn.Nothing"), "class 'nn.Nothing'"),
    "class os": (put(*LINEAR, "class", "os.system"), "class 'os.system'"),
    "class walk": (put(*LINEAR, "class", "nn.functional.np"), "class 'nn.functional.np'"),
    "class dunder": (put(*LINEAR, "class", "nn.__loader__"), "class 'nn.__loader__'"),
    "class function": (put(*LINEAR, "class", "nn.init"), "class 'nn.init'"),
    "class parameter": (put(*LINEAR, "class", "nn.Parameter"), "class 'nn.Parameter'"),
    "class base": (put(*LINEAR, "class", "nn.Module"), "Module has no arguments"),
    "args unknown": (put(*LINEAR, "args", "forward", 1), "Linear has no arguments"),
    "args missing": (put(*LINEAR, "args", {}), "Linear refused its arguments"),
    "args text": (put(*LINEAR, "args", "in_features", "3"), "Linear refused its arguments"),
    "args negative": (put(*LINEAR, "args", "in_features", -3), "Linear refused its arguments"),
    "args huge": (put(*LINEAR, "args", "in_features", 10**12), "larger than the file's tensors"),
    "args large": (put(*LINEAR, "args", "out_features", 10**7), "larger than the file's tensors"),
    "args 2 100": (put(*LINEAR, "args", "in_features", 2**100), "larger than the file's tensors"),
    "args other": (put(*LINEAR, "args", "in_features", 4), "do not fit its modules: 0.weight"),
    "args dtype": (put(*LINEAR, "args", "dtype", {"dtype": "O"}), "expected what save writes"),
    "args int64": (put(*LINEAR, "args", "dtype", {"dtype": "int64"}), "refused its arguments"),
    "args code": (put(*LINEAR, "args", "bias", {"code": "1"}), "expected what save writes"),
    "args tensor": (put(*LINEAR, "args", "bias", {"tensor": "0.bias"}), "expected what save"),
    "args own": (put(*LINEAR, "args", "bias", {"own": "../weight"}), "expected what save"),
    "args class": (put(*LINEAR, "args", "bias", {"class": "os"}), "class 'os'"),
    "args list": (put(*LINEAR, "args", []), "expected a module"),
    "no bias": (put(*LINEAR, "args", "bias", False), "unexpected: 0.bias"),
    "training text": (put(*LINEAR, "training", "yes"), "expected a module"),
    "frozen unknown": (put(*LINEAR, "frozen", ["forward"]), "expected a parameter, got 'forward'"),
    "frozen list": (put(*LINEAR, "frozen", [[]]), "expected a parameter"),
    "same self": (put(*LINEAR, {"same": "0"}), "expected a module that came before"),
    "same later": (put(*LINEAR, {"same": "1"}), "expected a module that came before"),
    "same list": (put(*LINEAR, {"same": []}), "expected a module that came before"),
    "same root": (put("children", "1", {"same": ""}), "expected a module that came before"),
    "child missing": (lambda tree: tree["children"].pop("0") and None, "unexpected: 0.weight"),
        "child of linear": (put(*LINEAR, "children", "weight", DEEP), "no sub-module 'weight'"),
    "child forward": (put(*LINEAR, "children", "forward", DEEP), "no sub-module 'forward'"),
    "deep": (lambda tree: DEEP, "unexpected: 0.weight"),
    "many": (lambda tree: put("children", {str(i): DEEP["children"]["0"] for i in range(210)})(
        tree), "more than 10000 modules"),
}  # fmt: skip


def load(content: bytes) -> Callable[[World], Any]:
    return lambda w: fastnn.load(w.write("bad.file", content))


def load_model(content: bytes) -> Callable[[World], Any]:
    return lambda w: fastnn.load_model(w.write("bad.file", content))


def values(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.tolist() for name, tensor in tensors.items()}


def loaded(content: bytes) -> Callable[[World], Any]:
    return lambda w: values(fastnn.load(w.write("file", content)))


def damaged(world: World) -> Any:
    path = world.folder / "file"
    fastnn.save({"a": np.zeros(100), "b": np.ones(100)}, path)
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    return fastnn.load(world.write("file", bytes(content)))


def without_checksum() -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization, "_checksums", lambda arrays: {})
        return ours({"tensor": "w"})


def pipe(world: World) -> Path:
    os.mkfifo(world.folder / "pipe")
    return world.folder / "pipe"


def loop(world: World) -> Path:
    (world.folder / "loop").symlink_to("loop")
    return world.folder / "loop"


def unreadable(world: World) -> None:
    """As a user other than root, who may read all."""
    path = world.write("secret", b"")
    path.chmod(0)
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        fastnn.load(path)
    finally:
        os.seteuid(user)


def onto_itself(world: World) -> bytes:
    """What was loaded from a file is saved to it."""
    path = world.folder / "file"
    fastnn.save({"a": X}, path)
    state = fastnn.load(path)
    fastnn.save({**state, "b": f32(10**5)}, path)
    return bits(state["a"], fastnn.load(path)["a"])


NAMES = ["../../x", "", "a\0b", "x" * 10**6, "__metadata__x", "\u00fc\n"]
MANY = {f"t{i}": np.zeros(1, np.float32) for i in range(3000)}
GOLDEN = Path(__file__).parent.parent / "golden" / "model-1.safetensors"

CASES: list[Case] = [
    *[bad(name, load(content), FileFormatError,
          rf"bad\.file: expected a safetensors file.*{says}")
      for name, (content, says) in FILES.items()],
    *[bad(f"G10 the structure {str(structure)[:20]}", load(ours(structure)), FileFormatError,
          r"bad\.file: expected a safetensors file: ") for structure in STRUCTURES],
    *[bad(f"G51 an architecture: {name}", load_model(architecture(change)), FileFormatError, says)
      for name, (change, says) in ARCHITECTURES.items()],
    fine("G11 a blank first", loaded(with_header(b" " + TEXT, bytes(4))), lambda w: {"x": [0.0]}),
    fine("G24 no dimension", loaded(with_header(entry(shape=[]), bytes(4))),
         lambda w: {"x": 0.0}),
    fine("G25 a size of 0", loaded(with_header(entry(shape=[3, 0], offsets=[0, 0]))),
         lambda w: {"x": [[], [], []]}),
    fine("G35 3,000 tensors", lambda w: (fastnn.save(MANY, w.folder / "f"),
         len(fastnn.load(w.folder / "f")))[1], lambda w: 3000),
    *[fine(f"G37 a tensor named {name[:9]!r}",
           lambda w, name=name: (fastnn.save({name: X}, w.folder / "f"),
                                 bits(fastnn.load(w.folder / "f")[name]),
                                 os.listdir(w.folder))[1:],
           lambda w: (bits(X), ["f"])) for name in NAMES],
    bad("G43 a folder", lambda w: fastnn.load(w.folder), FileFormatError,
        "call: .*got a directory"),
    bad("G44 a pipe", lambda w: fastnn.load(pipe(w)), FileFormatError, "pipe"),
    bad("G45 /dev/zero", lambda w: fastnn.load("/dev/zero"), FileFormatError, "/dev/zero"),
    bad("G46 a link to itself", lambda w: fastnn.load(loop(w)), OSError, "loop"),
    bad("G46 no file", lambda w: fastnn.load(w.folder / "missing"), FileNotFoundError, "missing"),
    bad("G47 no right to read it", unreadable, PermissionError, "secret"),
    fine("G48 saved onto the file it came from", onto_itself, lambda w: bits(X, X)),
    bad("G52 tensors missing", load_model(architecture(
        lambda tree: None, {"0.weight": np.zeros((2, 3), np.float32)})), FileFormatError,
        "missing: 0.bias"),
    bad("G52 a tensor of another shape", load_model(architecture(lambda tree: None, {
        "0.weight": np.zeros((3, 2), np.float32), "0.bias": np.zeros(2, np.float32)})),
        FileFormatError,
        r"0.weight: expected float32 of shape \(2, 3\), got float32 of shape \(3, 2\)"),
    bad("G52 a tensor of integers", load_model(architecture(lambda tree: None, {
        "0.weight": np.zeros((2, 3), np.int64), "0.bias": np.zeros(2)})), FileFormatError,
        "0.weight: .*got int64"),
    bad("G52 a tensor more", load_model(architecture(lambda tree: None, {
        "0.weight": np.zeros((2, 3)), "0.bias": np.zeros(2), "x": np.zeros(1)})),
        FileFormatError, "unexpected: x"),
    bad("G53 a later version", load(ours({"tensor": "w"}, version="2")), FileFormatError,
        r"version '2' of fastnn's format.*newer one"),
    fine("G54 a file of version 1", lambda w: fastnn.load_model(GOLDEN)(f32(1, 2) + 1).tolist(),
         lambda w: [[7.5, -0.75]]),
    bad("G55 a wrong checksum", damaged, FileFormatError, "checksum of tensor 'b' is wrong"),
    bad("G56 no checksum", load(without_checksum()), FileFormatError,
        "checksum of tensor 'w' is wrong"),
    bad("G61 the state of an optimizer of other parameters",
        lambda w: w.optimizer.load_state_dict({"state": {}, "param_groups": [
            {**w.optimizer.state_dict()["param_groups"][0], "params": [0]}]}), ValueError,
        "param"),
    bad("G62 a random state of text", lambda w: fastnn.Generator(1).set_state("seven"), TypeError,
        "set_state: expected what get_state"),
    *[fine(f"G60 {dtype}",
           loaded(with_header(entry(dtype, [2]), np.array(words, "<u2").tobytes())),
           lambda w: {"x": [1.5, -2.0]})
      for dtype, words in (("BF16", [0x3FC0, 0xC000]), ("F16", [0x3E00, 0xC000]))],
]  # fmt: skip

"""Files: what is saved comes back, no failure loses the old file, bad files are told."""

import builtins
import io
import json
import os
import resource
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import bits, mlp, run_python, state_bits

import fastnn
from fastnn import FileFormatError, Tensor, serialization
from fastnn.tensor import as_array

STATE = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1.5, np.nan])}


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_model_comes_back(tmp_path: Path) -> None:
    for dtype in (np.float32, np.float64):
        model, other = mlp(3, 5, 2, seed=1).to(dtype), mlp(3, 5, 2, seed=2).to(dtype)
        fastnn.save(model.state_dict(), tmp_path / "model.safetensors")
        loaded = fastnn.load(tmp_path / "model.safetensors")
        assert {t.dtype for t in loaded.values()} == {np.dtype(dtype)}
        other.load_state_dict(loaded)
        assert state_bits(other) == state_bits(model)
    assert names(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize("array", [
    np.zeros((0, 3), np.float32), np.array(2.5), np.array([True, False]), np.arange(5),
    np.arange(12, dtype=np.float32).reshape(3, 4).T, np.arange(9)[::-2],
    np.arange(3, dtype=">f4"), np.array([np.nan, np.inf, -0.0, 1e-310]),
    np.arange(3, dtype=np.uint8),
], ids=lambda a: f"{a.dtype.str}-{a.shape}")  # fmt: skip
def test_every_kind_of_array_comes_back(tmp_path: Path, array: np.ndarray) -> None:
    fastnn.save({"x": array}, tmp_path / "file")
    back = fastnn.load(tmp_path / "file")["x"].numpy()
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(back, array)


def test_any_name_comes_back(tmp_path: Path) -> None:
    state = {name: np.ones(1) for name in ("", "a/b", "../x", "é\n", "'\"\\", "x" * 5000)}
    fastnn.save(state, tmp_path / "file")
    assert sorted(fastnn.load(tmp_path / "file")) == sorted(state)
    assert names(tmp_path) == ["file"]


def test_other_programs_can_read_the_file(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    fastnn.save(STATE, tmp_path / "file")
    read = load_file(tmp_path / "file")
    assert bits(*(read[name] for name in STATE)) == bits(*STATE.values())


def test_the_same_values_give_the_same_file() -> None:
    files = {run_python(
        "import io, fastnn; f = io.BytesIO(); fastnn.save({'a': [fastnn.ones(3), 1]}, f);"
        "print(f.getvalue())").stdout for _ in range(3)}  # fmt: skip
    assert len(files) == 1
    assert "fastnn.checksum" in files.pop()


def test_loaded_tensors_can_be_written(tmp_path: Path) -> None:
    fastnn.save(STATE, tmp_path / "file")
    tensor = fastnn.load(tmp_path / "file")["b"]
    tensor += 1
    assert tensor.tolist()[0] == 2.5


def test_saving_replaces_and_keeps_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    fastnn.save(STATE, path)
    fastnn.save({"x": np.ones(2)}, str(path))
    assert list(fastnn.load(path)) == ["x"]
    assert names(tmp_path) == ["file"]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        fastnn.save(STATE, tmp_path / "file")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_saving_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fastnn.save(STATE, "file")
    assert sorted(fastnn.load("file")) == sorted(STATE)


# --- failures while saving ---


def fail(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_failure_keeps_the_old_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    fastnn.save(STATE, path)
    old = path.read_bytes()
    monkeypatch.setattr(builtins if step == "open" else os, step, fail)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'$"):
        fastnn.save({"x": np.zeros(100)}, path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("size", [1, 10, 9000])
def test_a_disk_without_room_keeps_the_old_file(size: int, tmp_path: Path) -> None:
    """A limit for files stands in for the disk's end: a part of the file is written."""
    path = tmp_path / "file"
    fastnn.save(STATE, path)
    old = path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(OSError, match=f"File too large: '{path}'$"):
            fastnn.save({"x": np.zeros(10000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == old
    assert names(tmp_path) == ["file"]


def test_two_writers_of_one_file_leave_one_of_both(tmp_path: Path) -> None:
    path, saves = tmp_path / "file", 20

    def write(number: int) -> None:
        for _ in range(saves):
            fastnn.save({"x": np.full(1000, number)}, path)

    write(0)
    threads = [threading.Thread(target=write, args=(i,)) for i in (1, 2, 3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert len(set(fastnn.load(path)["x"].tolist())) == 1
    assert fastnn.load(path)["x"][0].item() > 0
    assert names(tmp_path) == ["file"]


def test_a_name_as_long_as_can_be(tmp_path: Path) -> None:
    fastnn.save(STATE, tmp_path / ("x" * 255))
    fastnn.save(STATE, tmp_path / ("é" * 127))
    assert len(names(tmp_path)) == 2


def test_an_interrupt_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    fastnn.save(STATE, path)
    old = path.read_bytes()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fastnn.save({"x": np.zeros(100)}, path)
    assert path.read_bytes() == old
    assert names(tmp_path) == ["file"]


def test_the_file_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1]
        )
    fastnn.save(STATE, tmp_path / "file")
    assert calls == ["fsync", "replace", "fsync"]  # the content, the name, the folder


def test_places_where_nothing_can_be_saved(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        fastnn.save(STATE, tmp_path / "folder")
    with pytest.raises(FileNotFoundError):
        fastnn.save(STATE, tmp_path / "missing" / "file")
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == []


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(("obj", "error", "message"), [
    (object(), TypeError, "expected tensors, numbers, text, None, .*, got object$"),
    ({"x": {1, 2}}, TypeError, "got set at x"),
    ({"a": [1, b"bytes"]}, TypeError, r"got bytes at a\.1"),
    ({"x": np.array([1j])}, TypeError, "expected an array of real numbers"),
    ({"x": np.array(["a"])}, TypeError, "expected an array of real numbers"),
    ({(1, 2): 3}, TypeError, r"expected keys of text or numbers, got \(1, 2\)"),
    ({float("nan"): 3}, TypeError, "expected keys"),
    (CYCLE, ValueError, "nested deeper than 100 at 0.0.0.0...; does something contain itself"),
    (mlp(2, 1), TypeError, r"got the module Sequential; fastnn\.save_model.*state_dict\(\), path"),
    ({"model": mlp(2, 1)}, TypeError, "got the module Sequential at model"),
    ({"optimizer": fastnn.Trainer}, TypeError, "got type at optimizer"),
], ids=lambda v: None)  # fmt: skip
def test_what_cannot_be_saved(
    tmp_path: Path, obj: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fastnn.save(obj, tmp_path / "file")
    assert names(tmp_path) == []


# --- checkpoints ---


def same(a: Any, b: Any) -> bool:
    """Equal with equal types and bits, tensors for arrays."""
    if isinstance(b, Tensor | np.ndarray):
        return isinstance(a, Tensor) and a.dtype == as_array(b).dtype and bits(a) == bits(b)
    if type(a) is not type(b):
        return False
    if isinstance(b, dict):
        return [*map(repr, a)] == [*map(repr, b)] and all(map(same, a.values(), b.values()))
    if isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


CHECKPOINTS = {
    "tutorial": {
        "epoch": 3, "loss": 0.25, "model_state_dict": {"0.weight": np.ones((2, 3), np.float32)},
        "optimizer_state_dict": {
            "state": {0: {"step": np.array(5.0, np.float32), "exp_avg": np.zeros(2)}, 1: {}},
            "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "amsgrad": False,
                              "maximize": None, "params": [0, 1]}],
        },
    },
    "tensor": np.arange(3.0), "list": [np.ones(1), [np.zeros(2), "x"]], "nothing": None,
    "empty": {"a": {}, "b": [], "c": (), "d": ((),)},
    "numbers": [0, -1, 2**64, 1e-310, -0.0, float("inf"), float("-inf"), float("nan"), True, 0.1],
    "text": ["", "é", "\ud800", "\0", "__metadata__"],
    "keys": {1: 1, "1": 2, True is None: 3, 2.5: 4, None: 5, "": 6, "__metadata__": np.ones(1)},
    "alike": {"a": {"b": np.zeros(1)}, "a.b": np.ones(1), "a.b#2": np.ones(2), 1: np.ones(3),
              "1": np.ones(4), "\ud800": np.ones(5), "?": np.ones(6)},
}  # fmt: skip


@pytest.mark.parametrize("obj", CHECKPOINTS.values(), ids=CHECKPOINTS.keys())
def test_a_checkpoint_comes_back(tmp_path: Path, obj: Any) -> None:
    fastnn.save(obj, tmp_path / "file")
    back = fastnn.load(tmp_path / "file", map_location="cpu", weights_only=False)
    assert same(back, obj), back


def test_numpy_scalars_come_back_as_numbers(tmp_path: Path) -> None:
    fastnn.save({np.int64(1): [np.float32(0.5), np.bool_(True)]}, tmp_path / "file")
    assert same(fastnn.load(tmp_path / "file"), {1: [0.5, True]})


def test_the_order_of_names_comes_back(tmp_path: Path) -> None:
    model = mlp(3, 4, 2)
    fastnn.save(model.state_dict(), tmp_path / "file")
    assert list(fastnn.load(tmp_path / "file")) == list(model.state_dict())


def test_file_objects(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    fastnn.save(STATE, buffer)
    buffer.seek(0)
    assert same(fastnn.load(buffer), STATE)
    with (tmp_path / "file").open("wb") as file:
        fastnn.save(STATE, file)
    with (tmp_path / "file").open("rb") as file:
        assert same(fastnn.load(file), STATE)
    with (tmp_path / "file").open(errors="replace") as text, pytest.raises(TypeError, match="'rb'"):
        fastnn.load(text)
    with pytest.raises(FileFormatError, match="BytesIO: expected a safetensors file"):
        fastnn.load(io.BytesIO(b"nonsense"))


def test_only_the_cpu(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected map_location None or 'cpu', got 'cuda'"):
        fastnn.load(tmp_path / "file", map_location="cuda")


def test_a_generators_state_can_be_saved(tmp_path: Path) -> None:
    generator = fastnn.Generator(2**64 - 1)
    generator.next_seed()
    fastnn.save({"random": generator.get_state()}, tmp_path / "file")
    expected = [generator.next_seed() for _ in range(5)]
    generator.set_state(fastnn.load(tmp_path / "file")["random"])
    assert [generator.next_seed() for _ in range(5)] == expected


# --- bad files ---


def good() -> bytes:
    from safetensors.numpy import save

    return save(STATE)


def with_header(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


BAD_FILES = {
    "empty": b"",
    "seven-bytes": b"1234567",
    "text": b"this is not a tensor file, but it is long enough to look at",
    "pickle": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94.",
    "zip": b"PK\x03\x04" + bytes(60),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(60),
    "header-length-0": bytes(8),
    "header-beyond-file": (10**6).to_bytes(8, "little") + b"{}",
    "header-2-63": (2**63).to_bytes(8, "little") + b"{}",
    "header-2-64": b"\xff" * 8 + b"{}",
    "not-utf-8": with_header(b'{"\xff": 1}'),
    "not-json": with_header(b"{nope"),
    "json-list": with_header([1, 2]),
    "nested": with_header(b"[" * 10**5),
    "unknown-dtype": with_header(entry("F33"), bytes(4)),
    "negative-size": with_header(entry(shape=[-1]), bytes(4)),
    "fractional-size": with_header(entry(shape=[1.5]), bytes(4)),
    "sizes-that-overflow": with_header(entry(shape=[2**33, 2**33]), bytes(4)),
    "size-does-not-match": with_header(entry(shape=[2]), bytes(4)),
    "offsets-beyond-file": with_header(entry(offsets=[0, 400], shape=[100]), bytes(4)),
    "offsets-backwards": with_header(entry(offsets=[4, 0]), bytes(4)),
    "offsets-with-a-hole": with_header(entry(offsets=[4, 8]), bytes(8)),
    "bytes-left-over": with_header(entry(), bytes(9)),
    "missing-shape": with_header({"x": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4)),
    "65-dimensions": with_header(entry("U8", [1] * 65, [0, 1]), bytes(1)),
    "sizes-that-overflow-but-for-a-zero": with_header(entry("U8", [0, 2**62, 4], [0, 0])),
    "metadata-not-text": with_header({"__metadata__": {"a": 1}}),
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"bad\.safetensors: expected a safetensors file"):
        fastnn.load(path)


@pytest.mark.parametrize("kind", ["pickle", "zip"])
def test_pickles_are_not_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "m.pt").write_bytes(BAD_FILES[kind])
    with pytest.raises(FileFormatError, match=r"never read; .*save_file\(model\.state_dict\(\)"):
        fastnn.load(tmp_path / "m.pt")


def test_a_header_of_640_bytes_is_no_pickle(tmp_path: Path) -> None:
    """Its length begins with the bytes that a pickle begins with."""
    text = json.dumps(entry()).encode().ljust(640)
    (tmp_path / "file").write_bytes(with_header(text, bytes(4)))
    assert fastnn.load(tmp_path / "file")["x"].tolist() == [0.0]


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for dtype, raw in (("BF16", [0x3FC0, 0xC000]), ("F16", [0x3E00, 0xC000])):
        path.write_bytes(with_header(entry(dtype, [2]), np.array(raw, "<u2").tobytes()))
        loaded = fastnn.load(path)["x"]
        assert loaded.dtype == np.float32
        assert loaded.tolist() == [1.5, -2.0]


@pytest.mark.parametrize("bit", [0, 2, 5, 7])
def test_every_flipped_bit_is_found(tmp_path: Path, bit: int) -> None:
    path = tmp_path / "file"
    fastnn.save({"a": np.array([1.5], np.float32), "n": [3, "x"]}, path)
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << bit
        path.write_bytes(changed)
        with pytest.raises(FileFormatError):
            fastnn.load(path)


def test_the_damaged_tensor_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    fastnn.save({"a": {name: np.zeros(100) for name in "xyz"}}, path)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1  # of 3 times 800 bytes
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=f"{path}: .*checksum of tensor 'a.y' is wrong"):
        fastnn.load(path)


@pytest.mark.parametrize(("sums", "message"), [
    (None, "its entries"), ([], "its entries"), ({}, "tensor 'w'"), ({"w": "0"}, "tensor 'w'"),
    ({"w": serialization._checksums({"w": np.ones((2, 3), np.float32)})["w"], "v": "0"},
     "its list of tensors"),
])  # fmt: skip
def test_hostile_checksums(sums: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = serialization._checksums
    monkeypatch.setattr(serialization, "_checksums", lambda arrays: sums)
    content = ours({"tensor": "w"})
    monkeypatch.setattr(serialization, "_checksums", real)
    with pytest.raises(FileFormatError, match=f"the checksum of {message} is wrong"):
        fastnn.load(io.BytesIO(content))


def ours(structure: Any, version: Any = "1", **more: Any) -> bytes:
    """A file with right checksums."""
    buffer = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization, "_VERSION", version)
        patch.setattr(serialization, "pack", lambda obj: (structure, ARRAYS))
        serialization._write(buffer, None, **more)
    return buffer.getvalue()


ARRAYS = {"w": np.ones((2, 3), np.float32)}
DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]


@pytest.mark.parametrize("structure", [
    {"tensor": "v"}, {"tensor": 1}, {"tensor": ["w"]}, {"tensor": "w", "float": "nan"}, {},
    {"float": "1"}, {"float": []}, {"tuple": "ab"}, {"dict": {"a": 1}}, {"dict": [1]},
    {"dict": [[[], 1]]}, {"dict": [["a"]]}, {"code": "x"}, DEEP, {"dict": [[{}, 1]]},
], ids=lambda s: str(s)[:20])  # fmt: skip
def test_hostile_structures(structure: Any) -> None:
    with pytest.raises(FileFormatError, match="expected a safetensors file: "):
        fastnn.load(io.BytesIO(ours(structure)))


def test_a_file_of_a_later_version() -> None:
    with pytest.raises(FileFormatError, match=r"version '2' of fastnn's format.*newer one"):
        fastnn.load(io.BytesIO(ours({"tensor": "w"}, version="2")))


def test_every_truncation_is_found(tmp_path: Path) -> None:
    content, path = good(), tmp_path / "bad"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(FileFormatError):
            fastnn.load(path)


def test_no_flipped_bit_gives_another_outcome(tmp_path: Path) -> None:
    """A file with one wrong bit is refused or read; nothing else happens."""
    content, path = good(), tmp_path / "bad"
    refused = 0
    for position in range(len(content)):
        for bit in (0, 3, 7):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            try:
                fastnn.load(path)
            except FileFormatError:
                refused += 1
    assert refused > len(content)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        fastnn.load(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        fastnn.load(tmp_path)


def test_a_file_of_another_model(tmp_path: Path) -> None:
    model = mlp(3, 5, 2)
    before = state_bits(model)
    fastnn.save(mlp(3, 4, 2).state_dict(), tmp_path / "other")
    with pytest.raises(ValueError, match=r"0\.weight: expected shape \(5, 3\), got \(4, 3\)"):
        model.load_state_dict(fastnn.load(tmp_path / "other"))
    assert state_bits(model) == before

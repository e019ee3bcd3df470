"""Files: what is saved comes back, no failure loses the old file, bad files are told."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import bits, mlp, state_bits

import fastnn
from fastnn import FileFormatError

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


@pytest.mark.parametrize("step", ["write", "fsync", "chmod", "replace"])
def test_a_failure_keeps_the_old_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    fastnn.save(STATE, path)
    old = path.read_bytes()
    if step == "write":
        real = os.fdopen

        def full(*args: Any, **kwargs: Any) -> Any:
            file = real(*args, **kwargs)

            class Full:
                def __enter__(self) -> Any:
                    return self

                def __exit__(self, *_: object) -> None:
                    file.close()

                def write(self, content: bytes) -> None:
                    file.write(content[:10])
                    fail()

            return Full()

        monkeypatch.setattr(os, "fdopen", full)
    else:
        monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        fastnn.save({"x": np.zeros(100)}, path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert names(tmp_path) == ["file"]


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


@pytest.mark.parametrize(("state", "error"), [
    (np.ones(3), TypeError), ([np.ones(3)], TypeError), (None, TypeError),
    ({"x": "text"}, TypeError), ({"x": np.array([1j])}, TypeError), ({"x": None}, TypeError),
    ({"x": [[1, 2], [3]]}, ValueError),
])  # fmt: skip
def test_what_cannot_be_saved(tmp_path: Path, state: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="expected"):
        fastnn.save(state, tmp_path / "file")
    assert names(tmp_path) == []


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
    "metadata-not-text": with_header({"__metadata__": {"a": 1}}),
    "bfloat16": with_header(entry("BF16", [2]), bytes(4)),
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"bad\.safetensors: expected a safetensors file"):
        fastnn.load(path)


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

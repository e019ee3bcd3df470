"""Files: tensors as safetensors, written so that no moment of failure loses the old file."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from fastnn.architecture import build, describe
from fastnn.autograd import Array
from fastnn.errors import FileFormatError
from fastnn.files import regular_size
from fastnn.nn.module import Module
from fastnn.structure import pack, parse, unpack
from fastnn.tensor import as_array

__all__ = ["load", "load_model", "read_metadata", "save", "save_model"]

File: TypeAlias = str | os.PathLike[str] | IO[bytes]

_PREFIX, _VERSION = "fastnn.", "1"  # of our entries in a file's metadata
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def save(obj: Any, f: File) -> None:
    """Write tensors to a safetensors file, by name or nested as in a checkpoint.

    The file appears whole or not at all: it is written beside its place, synced, and renamed. It
    holds a checksum of each tensor and of everything else. Other programs read its tensors by
    name; a nested one is named by the way to it, as `model_state_dict.0.weight`.

    Args:
        obj: A state dict, or dicts, lists and tuples of tensors, arrays, numbers, text, and None.
            Arrays come back as tensors.
        f: The file; one that exists is replaced. Or a binary file object.

    Raises:
        TypeError: if there is something else in `obj`, such as a module.
        OSError: if the file cannot be written; an earlier one stays.

    >>> import fastnn, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "w.safetensors")
    >>> fastnn.save({"epoch": 3, "model_state_dict": {"w": fastnn.ones(2)}}, path)
    >>> fastnn.load(path)
    {'epoch': 3, 'model_state_dict': {'w': tensor([1., 1.])}}
    """
    _write(f, obj)


def load(f: File, map_location: Any = None, weights_only: bool = True) -> Any:
    """Read what `save` wrote, or the tensors of any safetensors file. No file can run code.

    Args:
        f: A file that `save`, or anything else that writes safetensors, has written; or a
            binary file object.
        map_location: Accepted for PyTorch's sake: None or "cpu".
        weights_only: Accepted for PyTorch's sake: nothing else than values is ever read.

    Returns:
        What was saved; a dict of tensors by name from other programs' files.

    Raises:
        FileFormatError: if it is not a whole safetensors file, or a checksum is wrong; it names
            the tensor.
        ValueError: for another `map_location`.
        OSError: if it cannot be read.
    """
    if map_location is not None and str(map_location) != "cpu":
        raise ValueError(f"load: expected map_location None or 'cpu', got {map_location!r:.60}")
    return _Content(f).value()


def save_model(model: Module, path: File, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a whole model, architecture and weights, for `load_model`.

    A module is written as its class, the arguments of its constructor (read from the attributes of
    the same names) and its sub-modules; then its state dict. Other attributes are not kept.

    Args:
        model: Made of fastnn's modules, or of classes that `load_model` will be given.
        path: The file; one that exists is replaced. Or a binary file object.
        metadata: Numbers, text, lists and dicts to keep with it, for `read_metadata`.

    Raises:
        TypeError: if the model cannot be built again from what the file would hold; it says why.

    >>> import fastnn, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "m.safetensors")
    >>> fastnn.save_model(fastnn.nn.Sequential(fastnn.nn.Linear(2, 1)), path, {"classes": ["a"]})
    >>> fastnn.load_model(path)
    Sequential(
      (0): Linear(in_features=2, out_features=1, bias=True)
    )
    """
    if not isinstance(model, Module):
        raise TypeError(f"save_model: expected a module, got {type(model).__name__}")
    kept, tensors = pack(dict(metadata or {}))
    if tensors:
        raise TypeError(f"save_model: expected metadata without tensors, got {next(iter(tensors))}")
    state = model.state_dict()
    tree = describe(model)
    kinds = [type(m) for m in model.modules()]
    try:
        build(tree, {name: t._array for name, t in state.items()}, kinds)
    except ValueError as error:
        raise TypeError(
            f"save_model: {type(model).__name__} cannot be built again from its constructor's "
            f"arguments: {error}; fastnn.save(model.state_dict(), path) keeps the weights"
        ) from None
    _write(path, dict(state), architecture=tree, metadata=kept)


def load_model(path: File, classes: Sequence[type[Module]] = ()) -> Any:
    """Build a model that `save_model` wrote: the same layers, weights, modes, and outputs.

    Only modules of fastnn are built, and those of `classes`; a file can name no other code.

    Args:
        path: The file, or a binary file object.
        classes: Your own module classes that are in the model.

    Raises:
        FileFormatError: if the file is damaged, holds no architecture, or one that does not fit
            its tensors, or a class that is neither fastnn's nor given.
    """
    content = _Content(path)
    tree = content.entry("architecture")
    if tree is None:
        raise FileFormatError(
            f"{content.name}: expected a model that save_model wrote, got tensors alone; build "
            "the model, then model.load_state_dict(fastnn.load(path))"
        )
    try:
        return build(tree, content.arrays, classes)
    except ValueError as error:
        raise FileFormatError(f"{content.name}: {error}") from None


def read_metadata(path: File) -> dict[str, Any]:
    """The metadata that `save_model` was given; {} in other files.

    Raises:
        FileFormatError: if it is not a whole safetensors file, or its checksum is wrong.
    """
    content = _Content(path)
    try:
        kept = unpack(content.entry("metadata") or {"dict": []}, {})
    except ValueError as error:
        raise FileFormatError(f"{content.name}: {error}") from None
    return kept if isinstance(kept, dict) else {}


# --- what is in a file ---


def _write(path: File, obj: Any, **entries: Any) -> None:
    from safetensors.numpy import save as to_bytes

    structure, arrays = pack(obj)
    texts = {_PREFIX + key: json.dumps(value) for key, value in
             (("version", _VERSION), ("structure", structure), *entries.items())}  # fmt: skip
    texts[_PREFIX + "checksums"] = json.dumps(_checksums(arrays))
    texts[_PREFIX + "checksum"] = _checksum(texts)
    content = _in_order(to_bytes(arrays, texts))
    if hasattr(path, "write"):
        path.write(b"".join(content))
    else:
        write_atomically(Path(path), *content)


def _in_order(raw: bytes) -> list[bytes | memoryview]:
    """The file with its metadata sorted: safetensors leaves them as its hash table has them."""
    end = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that tensors are aligned
    return [len(text).to_bytes(8, "little"), text, memoryview(raw)[end:]]


def _checksums(arrays: Mapping[str, Array]) -> dict[str, str]:
    """Of each tensor, with its name, type and shape."""
    import hashlib

    def digest(name: str, array: Array) -> str:
        found = hashlib.sha256(json.dumps([name, array.dtype.str, array.shape]).encode())
        found.update(array.reshape(-1).view(np.uint8).data)
        return found.hexdigest()

    return {name: digest(name, array) for name, array in sorted(arrays.items())}


def _checksum(texts: Mapping[str, str]) -> str:
    """Of all other entries, the tensors' checksums among them."""
    import hashlib

    return hashlib.sha256(json.dumps(sorted(texts.items())).encode()).hexdigest()


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; safetensors itself takes the last of two tensors of one name."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r:.60} is there twice")
        found[name] = value
    return found


class _Content:
    """A file as it was read: arrays by name, and our entries of its metadata."""

    def __init__(self, path: File) -> None:
        if hasattr(path, "read"):
            self.name, raw = str(getattr(path, "name", type(path).__name__)), path.read()
        else:
            regular_size(path, "a safetensors file")
            self.name, raw = os.fspath(path), Path(path).read_bytes()
        if not isinstance(raw, bytes):
            raise TypeError(f"load: expected a file opened as binary ('rb'), got {type(raw)}")
        self.arrays = self._arrays(raw)
        self._texts = self._our_texts(raw)  # none in files of other programs
        if self._texts:
            self._check()
        self.arrays = {name: as_array(array) for name, array in self.arrays.items()}

    def entry(self, key: str) -> Any:
        """One of our entries, parsed; None where there is none."""
        text = self._texts.get(_PREFIX + key)
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            raise self._broken(f"{key}: {error}") from None

    def value(self) -> Any:
        """What was saved."""
        structure: Any = {"dict": [[name, {"tensor": name}] for name in self.arrays]}
        if self._texts:
            structure = self.entry("structure")
        try:
            return unpack(structure, self.arrays)
        except ValueError as error:
            raise self._broken(str(error)) from None

    def _arrays(self, raw: bytes) -> dict[str, Array]:
        from safetensors import SafetensorError, deserialize

        try:
            entries = deserialize(raw)  # type: ignore[no-untyped-call]
            return {name: _array(entry) for name, entry in entries}
        except (SafetensorError, KeyError, ValueError, OverflowError) as error:  # NumPy's shapes
            if raw[:4] == b"PK\x03\x04" or (raw[:1] == b"\x80" and raw[1:2] <= b"\x05"):
                raise self._broken(
                    "it is a pickle as PyTorch writes it, which can run code and is never read; "
                    "convert it where PyTorch is: "
                    "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"
                ) from None
            raise self._broken(str(error)) from None

    def _our_texts(self, raw: bytes) -> dict[str, str]:
        length = int.from_bytes(raw[:8], "little")  # of a header that safetensors has accepted
        try:
            header = json.loads(raw[8 : 8 + length], object_pairs_hook=_without_doubles)
        except ValueError as error:
            raise self._broken(str(error)) from None
        texts = header.get("__metadata__") or {}
        return {key: text for key, text in texts.items() if key.startswith(_PREFIX)}

    def _check(self) -> None:
        texts = dict(self._texts)
        found = texts.pop(_PREFIX + "checksum", None)
        if found != _checksum(texts):
            raise self._damaged("its entries")
        expected, own = self.entry("checksums"), _checksums(self.arrays)
        if not isinstance(expected, dict):
            raise self._damaged("its entries")
        if expected != own:
            wrong = [name for name in own if expected.get(name) != own[name]]
            raise self._damaged(f"tensor {wrong[0]!r:.80}" if wrong else "its list of tensors")
        if self.entry("version") != _VERSION:
            raise self._broken(
                f"it has version {self.entry('version')!r:.20} of fastnn's format, and this fastnn "
                f"reads {_VERSION}; install a newer one"
            )

    def _damaged(self, what: str) -> FileFormatError:
        return self._broken(f"the checksum of {what} is wrong, so it is damaged; use another copy")

    def _broken(self, why: str) -> FileFormatError:
        return FileFormatError(f"{self.name}: expected a safetensors file: {why}")


def _array(entry: Mapping[str, Any]) -> Array:
    array = np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == "BF16":  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array


def write_atomically(path: Path, *content: bytes | memoryview) -> None:
    """Replace `path` by `content`: the old file stays until the new one is safely on disk.

    Raises:
        OSError: naming `path`, whichever call has failed; nothing is left beside it.
    """
    # at most 255 bytes, and no other writer's
    beside = path.with_name(f".{path.name[:40]}.{os.urandom(8).hex()}.tmp")
    try:
        with open(beside, "xb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError):  # which may name the file beside, or none
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise


def _sync_folder(folder: Path) -> None:
    """Make sure of the names in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

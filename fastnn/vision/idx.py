"""Reading IDX files, the format of MNIST and its relatives, from sources that are not trusted.

The layout (http://yann.lecun.com/exdb/mnist/): two zero bytes, a type code, the number of
dimensions d, then d sizes as big-endian uint32, then the values, big-endian, last axis fastest.

Nothing is allocated on the word of a header: memory grows with the bytes that have come, and
unpacking stops as soon as there is one byte more than the header promised.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from fastnn.errors import FileFormatError
from fastnn.files import regular_size

__all__ = ["read_idx"]

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMS = 64  # NumPy's own limit
_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_HEADER = 1 << 17  # room for a name, a comment and 64 KiB of extra field


def read_idx(
    path: str | os.PathLike[str], *, max_bytes: int = 1 << 30, sha256: str | None = None
) -> NDArray[Any]:
    """Read an IDX file, plain or packed with gzip (told by its content, not by its name).

    Args:
        path: The file.
        max_bytes: Refuse a file whose header promises more than this (1 GiB by default).
        sha256: Hexadecimal digest that the unpacked file must have, if given.

    Returns:
        A writable array in native byte order, of the shape and type that the header states.

    Raises:
        FileFormatError: if the file is not a well-formed IDX file, is corrupt, or is too large;
            the message names the file, what was expected, what came, and at which byte.
        OSError: if the file cannot be read.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    with _open(Path(path)) as source:
        header = _read_header(source)
        _check_size(source, header, max_bytes)
        data = source.read(header.nbytes, "values")
        source.expect_end()
    if sha256 is not None:
        _check_digest(source, (header.raw, data), sha256)
    array = np.frombuffer(data, header.dtype).reshape(header.shape)
    if header.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(header.dtype.newbyteorder("="))


class _Header(NamedTuple):
    raw: bytes
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class _Stream(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class _Source:
    """The unpacked bytes of one file, counted so that errors can say where they are."""

    def __init__(self, path: Path, stream: _Stream, *, size: int, packed: bool) -> None:
        self.path, self.stream, self.size, self.packed = path, stream, size, packed
        self.offset = 0

    def read(self, n: int, what: str) -> bytearray:
        """Return exactly `n` bytes; memory grows only as they come."""
        data = bytearray()
        while len(data) < n:
            chunk = self._some(min(_CHUNK, n - len(data)))
            if not chunk:
                raise self.error(f"{n} bytes of {what}", f"the end of the file after {len(data)}")
            data += chunk
            self.offset += len(chunk)
        return data

    def expect_end(self) -> None:
        """Check that nothing follows; for gzip this also checks length and CRC."""
        if self._some(1):
            raise self.error("the end of the data that the header describes", "more bytes")

    def error(self, expected: str, got: str, *, offset: int | None = None) -> FileFormatError:
        at = self.offset if offset is None else offset
        where = f"byte {at} of the unpacked data" if self.packed else f"byte {at}"
        return FileFormatError(f"{self.path}: expected {expected}, got {got}, at {where}")

    def _some(self, limit: int) -> bytes:
        """Return up to `limit` bytes, none only at the end of the file."""
        import gzip
        import zlib

        try:
            return self.stream.read1(limit)
        except EOFError:
            raise self.error("a complete gzip stream", "one that ends too early") from None
        except (gzip.BadGzipFile, zlib.error) as reason:
            raise self.error("an intact gzip stream", f"a damaged one ({reason})") from None


@contextmanager
def _open(path: Path) -> Iterator[_Source]:
    size = regular_size(path, "an IDX file")
    with path.open("rb") as file:
        packed = file.peek(2)[:2] == _GZIP_MAGIC
        stream = _unpacked(file) if packed else file
        yield _Source(path, stream, size=size, packed=packed)


def _unpacked(file: BinaryIO) -> _Stream:
    import gzip

    return cast(_Stream, gzip.GzipFile(fileobj=file))


def _read_header(source: _Source) -> _Header:
    magic = source.read(4, "an IDX magic number")
    zeros, code, ndim = bytes(magic[:2]), magic[2], magic[3]
    if zeros != b"\0\0":
        hint = " (packed with gzip twice?)" if zeros == _GZIP_MAGIC else ""
        expected = "an IDX magic number (00 00 type dimensions)"
        raise source.error(expected, magic.hex(" ") + hint, offset=0)
    if code not in _DTYPES:
        codes = ", ".join(f"0x{c:02X}" for c in _DTYPES)
        raise source.error(f"an IDX type code ({codes})", f"0x{code:02X}", offset=2)
    if not 1 <= ndim <= _MAX_DIMS:
        raise source.error(f"1 to {_MAX_DIMS} dimensions", str(ndim), offset=3)
    sizes = source.read(4 * ndim, "dimension sizes")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    return _Header(bytes(magic + sizes), np.dtype(_DTYPES[code]), shape)


def _check_size(source: _Source, header: _Header, max_bytes: int) -> None:
    """Refuse before reading what cannot be right or is more than the caller wants."""
    # Zero sizes count as one: NumPy's limit on a shape holds for empty arrays too.
    claimed = math.prod(max(n, 1) for n in header.shape) * header.dtype.itemsize
    if claimed > max_bytes:
        raise source.error(
            f"at most max_bytes = {max_bytes} bytes of values",
            f"a header of shape {header.shape} and type {header.dtype}: {claimed} bytes",
            offset=4,
        )
    total = len(header.raw) + header.nbytes
    if not source.packed and source.size != total:
        raise source.error(
            f"a file of {total} bytes (shape {header.shape}, type {header.dtype})",
            f"{source.size} bytes",
            offset=min(total, source.size),
        )
    # Packing adds at most 5 bytes per 16 KB block. A larger file is padded with bytes that the
    # gzip module would skip one by one.
    limit = total + total // 1000 + _GZIP_HEADER
    if source.packed and source.size > limit:
        raise source.error(f"at most {limit} packed bytes", f"a file of {source.size} bytes")


def _check_digest(source: _Source, parts: Iterable[bytes | bytearray], expected: str) -> None:
    import hashlib

    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    found = digest.hexdigest()
    if found != expected.lower():
        raise FileFormatError(
            f"{source.path}: expected unpacked content with SHA-256 {expected}, got {found}; "
            "the file is damaged or has been changed"
        )

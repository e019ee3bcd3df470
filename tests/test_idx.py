"""IDX files: every type reads, and every malformed file is one clear error at a small cost."""

import gzip
import os
import zlib

import numpy as np
import pytest
from bad_inputs.idx_files import CODES, MIB, PACKED, PLAIN, bomb, flipped, header, idx

from fastnn.errors import FileFormatError
from fastnn.vision import read_idx

GOOD = {
    "plain": PLAIN,
    "gzip": PACKED,
    "two gzip members": gzip.compress(PLAIN[:20]) + gzip.compress(PLAIN[20:]),
    "gzip padded with zeros": PACKED + bytes(512),
    "gzip stored": gzip.compress(PLAIN, 0),
}


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD.keys())
def test_content_and_not_the_name_tells_gzip(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    array = read_idx(path)
    np.testing.assert_array_equal(array, np.arange(24).reshape(2, 3, 4))
    assert array.flags.writeable
    assert read_idx(str(path)).shape == (2, 3, 4)


@pytest.mark.parametrize("dtype", CODES)
def test_all_types_come_in_native_byte_order(tmp_path, dtype):
    values = np.array([[0, 1, 100], [-1, -2, 7]]) if dtype != "u1" else np.array([[0, 1, 255]])
    (tmp_path / "f").write_bytes(idx(values, dtype))
    array = read_idx(tmp_path / "f")
    assert array.dtype == np.dtype(dtype).newbyteorder("=")
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("shape", [(0,), (0, 28, 28), (3, 0), (1,) * 64])
def test_unusual_shapes(tmp_path, shape):
    (tmp_path / "f").write_bytes(idx(np.zeros(shape)))
    assert read_idx(tmp_path / "f").shape == shape


def test_the_file_name_inside_gzip_is_ignored(tmp_path):
    with gzip.GzipFile("/../../secret", "wb", fileobj=(tmp_path / "f").open("wb")) as file:
        file.write(PLAIN)
        raw = file.fileobj
    raw.close()
    assert read_idx(tmp_path / "f").shape == (2, 3, 4)
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("content", [PLAIN, PACKED], ids=["plain", "gzip"])
def test_every_truncation_is_refused(tmp_path, content):
    path = tmp_path / "f"
    for n in range(len(content)):
        path.write_bytes(content[:n])
        with pytest.raises(FileFormatError):
            read_idx(path)


def test_a_damaged_byte_of_gzip_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "f"
    for position in range(len(PACKED)):
        path.write_bytes(flipped(PACKED, position))
        try:
            array = read_idx(path)
        except FileFormatError:
            continue
        assert 3 < position < 10  # time stamp and system name
        np.testing.assert_array_equal(array.ravel(), np.arange(24))


def test_the_bomb_is_one():
    packed = bomb(header(8, 3), 1200)
    unpacker = zlib.decompressobj(31)
    assert len(packed) < 2 * MIB
    assert unpacker.decompress(packed, 4 * MIB) == header(8, 3) + bytes(4 * MIB - 8)


def test_max_bytes(tmp_path):
    (tmp_path / "f").write_bytes(PACKED)
    assert read_idx(tmp_path / "f", max_bytes=24).size == 24
    with pytest.raises(FileFormatError, match=r"max_bytes = 23 .*24 bytes"):
        read_idx(tmp_path / "f", max_bytes=23)


def test_sha256(tmp_path):
    (tmp_path / "f").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 0]))
    digest = "03a99c7bd4f45e48d9ac1da7d05a4a8a4b4ab1dc1ff0ea0d60d7e3d4d1b7f0c8"
    with pytest.raises(FileFormatError, match=f"SHA-256 {digest}, got [0-9a-f]{{64}}"):
        read_idx(tmp_path / "f", sha256=digest)

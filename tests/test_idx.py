"""IDX files: every type reads, and every malformed file is one clear error at a small cost."""

import gzip
import os
import resource
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from fastnn.errors import FileFormatError
from fastnn.vision import read_idx

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}
MIB = 1 << 20


def header(code, *shape):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def idx(array, dtype="u1"):
    return header(CODES[dtype], *array.shape) + array.astype(dtype).tobytes()


PLAIN = idx(np.arange(24).reshape(2, 3, 4))
PACKED = gzip.compress(PLAIN, mtime=0)


def flipped(content, position):
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


def bomb(start, mebibytes):
    """Pack `start` and then so many MiB of zeros with gzip, into about 1 KB for each."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08" + bytes(7) + first + block * mebibytes + b"\x03\0" + bytes(8)


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


# name: content, what the message must say, with the byte it names
BAD = {
    "H01 empty": (b"", "4 bytes of an IDX magic number.*after 0, at byte 0"),
    "H02 three bytes": (PLAIN[:3], "magic number.*after 3, at byte 3"),
    "H03 wrong magic": (b"\x89PNG" + PLAIN, "magic number.*got 89 50 4e 47, at byte 0"),
    "H04 type code": (header(0x0A, 1) + b"x", "0x08, 0x09, 0x0B.*got 0x0A, at byte 2"),
    "H05 no dimensions": (header(8) + b"x", "1 to 64 dimensions, got 0, at byte 3"),
    "H06 255 dimensions": (header(8, *[1] * 255) + b"x", "1 to 64 dimensions, got 255"),
    "H06 65 dimensions": (header(8, *[1] * 65) + b"x", "1 to 64 dimensions, got 65"),
    "sizes cut off": (header(8, 2, 3)[:9], "8 bytes of dimension sizes.*after 5, at byte 9"),
    "H07 product wraps to 0": (header(8, *[1 << 16] * 4), "max_bytes.*18446744073709551616"),
    "H07 product wraps to 4": (header(0x0C, 1 << 31, 1 << 31, 4, 1) + b"1234", "max_bytes"),
    "H07 huge but for a zero": (header(8, 0, *[0xFFFFFFFF] * 3), "max_bytes"),
    "H08 more than the file": (header(8, 100) + b"x", "file of 108 bytes.*got 9 bytes, at byte 9"),
    "H09 high bit": (header(8, 1 << 31) + b"x", "2147483648"),
    "H11 truncated": (PLAIN[:-1], "file of 40 bytes.*got 39 bytes, at byte 39"),
    "H12 trailing": (PLAIN + b"x", "file of 40 bytes.*got 41 bytes, at byte 40"),
    "H16 not gzip": (b"hello, world", "magic number.*at byte 0"),
    "H17 gzip truncated": (PACKED[:-9], "complete gzip stream.*too early.*unpacked"),
    "H18 CRC": (flipped(PACKED, len(PACKED) - 8), "damaged.*CRC.*byte 40 of the unpacked"),
    "H19 ISIZE": (flipped(PACKED, len(PACKED) - 4), "damaged.*[Ll]ength.*byte 40"),
    "H20 trailing junk": (PACKED + b"junk", "damaged.*byte 40"),
    "H20 a member more": (PACKED * 2, "the end of the data.*more bytes, at byte 40"),
    "damaged deflate": (flipped(PACKED, 10), "damaged"),
    "gzip with too little": (gzip.compress(PLAIN[:30]), "24 bytes of values.*after 14.*byte 30"),
    "gzip with too much": (gzip.compress(PLAIN + b"x"), "more bytes, at byte 40 of the unpacked"),
    "H28 promises more than it holds": (
        gzip.compress(header(8, 1 << 30) + bytes(10)),
        "1073741824 bytes of values.*after 10",
    ),
    "H30 packed twice": (gzip.compress(PACKED), "magic number.*1f 8b.*twice"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("name", ["labels", "labels.gz"])
def test_malformed_files(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=f"(?s)expected .*{message}") as error:
        read_idx(path)
    assert str(error.value).startswith(f"{path}: expected ")
    assert "got " in str(error.value)
    assert "at byte " in str(error.value)


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


BOMBS = {
    "small header": (bomb(header(8, 3), 1200), "at most 131083 packed bytes"),
    "zeros as sizes": (bomb(header(8, 3)[:4], 1200), "at most 131080 packed bytes"),
    "larger header": (bomb(header(8, 3, MIB), 1200), "more bytes, at byte 3145740"),
    "H22 honest header": (bomb(header(8, 1200, MIB), 1200), "max_bytes = 1073741824"),
    "wrong magic": (bomb(b"bomb", 1200), "magic number"),
    "H28 empty promise": (gzip.compress(header(8, 1 << 30) + bytes(10)), "after 10"),
}


@pytest.mark.parametrize(("content", "message"), BOMBS.values(), ids=BOMBS.keys())
def test_bombs_cost_no_memory(tmp_path, content, message):
    path = tmp_path / "bomb"
    path.write_bytes(content)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=message):
            read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 32 * 1024  # KiB


def test_the_bomb_is_one():
    packed = bomb(header(8, 3), 1200)
    unpacker = zlib.decompressobj(31)
    assert len(packed) < 2 * MIB
    assert unpacker.decompress(packed, 4 * MIB) == header(8, 3) + bytes(4 * MIB - 8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header(8, 3), "file of 11 bytes.*got 1099511627776 bytes, at byte 11"),
        (header(8, 1 << 20, 1 << 20), "max_bytes"),
        (PACKED, "packed bytes.*got a file of 1099511627776 bytes"),
    ],
    ids=["small header", "honest header", "gzip padded with zeros"],
)
def test_sparse_files_of_a_terabyte(tmp_path, content, message):
    path = tmp_path / "sparse"
    path.write_bytes(content)
    os.truncate(path, 1 << 40)
    with pytest.raises(FileFormatError, match=message):
        read_idx(path)


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


def test_what_is_not_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileFormatError, match="expected an IDX file, got a directory"):
        read_idx(tmp_path)
    with pytest.raises(FileFormatError, match="got a pipe or device"):
        read_idx(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="missing"):
        read_idx(tmp_path / "missing")
    with pytest.raises(TypeError):
        read_idx(None)

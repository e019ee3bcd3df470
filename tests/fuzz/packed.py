"""IDX files packed with gzip: as `idx`, and what is damaged in the packing is refused."""

import gzip
import zlib
from random import Random

from fuzz import idx
from fuzz.idx import ALLOWED, read, verify
from fuzz.mutate import change_bytes

__all__ = ["ALLOWED", "BLUNT", "change", "read", "seeds", "verify"]

_LARGEST = 1 << 16
BLUNT = 0.2


def change(content: bytes, chance: Random) -> bytes:
    """The file within changed and packed again, in one way of many; or the gzip parts."""
    if chance.random() < 0.3:
        return _change_parts(content, chance)
    try:
        plain = zlib.decompressobj(31).decompress(content, _LARGEST)
    except zlib.error:
        plain = content
    plain = idx.change(plain, chance) if chance.random() < 0.7 else change_bytes(plain, chance)
    cut = chance.choice((0, 0, chance.randrange(len(plain) + 1)))
    members = [plain[:cut], plain[cut:]] if cut else [plain]
    return b"".join(_member(part, chance) for part in members)


def _member(plain: bytes, chance: Random) -> bytes:
    """One gzip member; its header says more than it must one time in four."""
    packer = zlib.compressobj(chance.choice((0, 1, 6, 9)), zlib.DEFLATED, -15, 1,
                              chance.choice((zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED)))  # fmt: skip
    body = packer.compress(plain) + packer.flush()
    flags = chance.choice((0, 0, 0, chance.randrange(32)))
    start = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6)
    if flags & 4:
        extra = chance.randrange(5)
        start += extra.to_bytes(2, "little") + bytes(extra)
    if flags & 8:
        start += b"/../name\0"
    if flags & 16:
        start += b"comment\0"
    if flags & 2:
        start += (zlib.crc32(start) & 0xFFFF).to_bytes(2, "little")
    sums = zlib.crc32(plain).to_bytes(4, "little") + len(plain).to_bytes(4, "little")
    return start + body + sums


def _change_parts(content: bytes, chance: Random) -> bytes:
    what = chance.randrange(4)
    if what == 0:  # the sums at the end
        return content[:-8] + change_bytes(content[-8:], chance)
    if what == 1:
        return content + chance.choice((bytes(9), b"\0junk", content[:20]))
    if what == 2:
        return gzip.compress(content, mtime=0)
    return change_bytes(content[:10], chance) + content[10:]


def seeds() -> dict[str, bytes]:
    plain = idx.seeds()
    rows = plain["good-i2"]
    packed = gzip.compress(rows, mtime=0)
    return {
        **{f"good-{name}": gzip.compress(plain[f"good-{name}"], mtime=0) for name in ("u1", "f8")},
        "good-stored": gzip.compress(rows, 0, mtime=0),
        "good-two-members": b"".join(gzip.compress(p, mtime=0) for p in (rows[:9], rows[9:])),
        "good-padded": packed + bytes(100),
        "bad-crc": packed[:-8] + b"\0\0\0\0" + packed[-4:],
        "bad-size": packed[:-4] + b"\0\0\0\0",
        "bad-truncated": packed[:-9],
        "bad-junk": packed + b"junk",
        "bad-twice": gzip.compress(packed, mtime=0),
        "bad-promise": gzip.compress(idx.header(8, (1 << 30,)) + bytes(10), mtime=0),
    }

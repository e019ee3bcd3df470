"""CSV files: what is read, written again, has the same cells; numbers are those Python reads."""

import csv
import io
import math
from random import Random

import numpy as np

from fastnn.tabular.cells import keys, numbers
from fastnn.tabular.kinds import choose_kinds
from fastnn.tabular.reading import read_table
from fastnn.tabular.table import Table
from fuzz import scratch
from fuzz.mutate import MOST

ALLOWED = (ValueError,)
BLUNT = 0.2
_WORDS = (
    b",", b";", b"\t", b"|", b'"', b'""', b"\n", b"\r", b"\r\n", b"\n\n", b" ", b"\0", b"1", b"-1",
    b"1.5", b"1e400", b"1e-400", b"0x1p3", b"1_000", b".5", b"1.", b"1e", b"+1", b"--1", b"nan",
    b"NA", b"inf", b"-Infinity", b"true", b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"\xc3\xa9", b"#",
    "\uff11".encode(), "\u2028".encode(), "\x85".encode(), "\u0130".encode(), b"1" * 400, b"a,b\n",
    b'"a\nb"', b"'", b"\\", b"\x1a", b"\x0c", b"PAR1", b"PK\x03\x04",
)  # fmt: skip


def read(content: bytes) -> Table:
    return read_table(scratch.put(content))


def verify(content: bytes, table: Table) -> str:
    if table.lines is not None:
        assert len(table.lines) == len(table)
        assert (np.diff(table.lines) > 0).all(), "rows without a line of their own"
    again = read_table(scratch.put(_written(table), "again"), separator=",")
    assert _cells(again) == _cells(table), "other cells when written again"
    return f"{min(len(table.columns), 4)} {min(len(table), 4)} {_understood(table)}"


def _cells(table: Table) -> dict[str, list[str]]:
    return {name: cells.tolist() for name, cells in table.columns.items()}


def _written(table: Table) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(table.columns)
    writer.writerows(zip(*_cells(table).values(), strict=True))
    return out.getvalue().encode()


def _understood(table: Table) -> str:
    """How many columns there are to learn from, once their numbers are found right."""
    for cells in table.columns.values():
        found = numbers(cells)
        for text, value, is_text in zip(cells.tolist(), found.values, found.text, strict=True):
            if is_text or math.isnan(value):
                assert math.isnan(value), text
            else:
                assert value == float(text), text
        assert len(keys(cells)) == len(cells)
    try:
        return str(len(choose_kinds(table, list(table.columns)[-1]).makers))
    except ValueError as error:  # nothing to learn from
        return error.args[0].partition("expected")[2][:20]


def change(content: bytes, chance: Random) -> bytes:
    """A cell, row or column changed; or something that has a meaning put anywhere."""
    if chance.random() < 0.5:
        at = chance.randrange(len(content) + 1)
        skipped = chance.choice((0, 0, 1, 3))
        return (content[:at] + chance.choice(_WORDS) + content[at + skipped :])[:MOST]
    separator = max(b",;\t|", key=content.count).to_bytes()
    rows = [line.split(separator) for line in content.splitlines()] or [[b"a"]]
    what, row = chance.randrange(5), chance.choice(rows)
    if what == 0:
        row[chance.randrange(len(row))] = chance.choice(_WORDS)
    elif what == 1:
        rows.insert(chance.randrange(len(rows) + 1), list(row))
    elif what == 2:
        at, word = chance.randrange(len(row) + 1), chance.choice(_WORDS)
        for each in rows if chance.random() < 0.5 else [row]:
            each.insert(at, word)
    elif what == 3:
        rows.remove(row)
    else:
        separator = chance.choice((b",", b";", b"\t", b"|"))
    end = chance.choice((b"\n", b"\n", b"\r\n", b"\r"))
    return (end.join(map(separator.join, rows)) + chance.choice((end, b"")))[:MOST]


def seeds() -> dict[str, bytes]:
    return {
        "good-plain": b"a,b,kind\n1,2.5,x\n3,-4e2,y\n5,6,x\n",
        "good-no-final-newline": b"a,b\n1,2",
        "good-crlf": b"a;b\r\n1;2\r\n",
        "good-cr": b"a\tb\r1\t2\r",
        "good-quotes": b'"a","b"\n"x, ""y""","line\nline"\n',
        "good-bom": b"\xef\xbb\xbfa,b\n1,2\n",
        "good-utf-16": "a,b\n1,\u00e9\n".encode("utf-16"),
        "good-missing": b"a,b\n,NA\nnan,?\n",
        "good-odd-numbers": b"a,b\n1e400,-inf\n1_000,0x1p3\n.5,1.\n",
        "good-odd-digits": "a,b\n\uff11,\u0661\n".encode(),
        "good-odd-blanks": "a,b\n\u20281\u2028,\x85\n".encode(),
        "good-blank-lines": b"\n\na,b\n\n1,2\n\n",
        "bad-empty": b"",
        "bad-header-only": b"a,b\n",
        "bad-no-header": b"1,2\n3,4\n",
        "bad-short-row": b"a,b\n1\n",
        "bad-long-row": b"a,b\n1,2,3\n",
        "bad-quote": b'a,b\n1,"2\n',
        "bad-after-quote": b'a,b\n1,"2"3\n',
        "bad-nul": b"a,b\n1\x002,3\n",
        "bad-latin-1": b"a,b\n\xe9,1\n",
        "bad-twice": b"a,a\n1,2\n",
        "bad-parquet": b"PAR1" + bytes(40) + b"PAR1",
        "bad-workbook": b"PK\x03\x04" + bytes(40),
        "bad-field-without-end": b'a,b\n1,"' + b"x" * 140_000,
        "bad-header-without-end": b'"' + b"x" * 140_000 + b"\n1\n",
    }

"""Files: what is read is what stands there, and what is broken is named with its line."""

import csv
import datetime
import gzip
import io
import random
import re
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from fastnn.tabular import Table, read_table
from fastnn.tabular.cells import is_missing
from fastnn.tabular.reading import parquet, separated


def read(folder: Path, content: bytes, **options: Any) -> Table:
    path = folder / "data.csv"
    path.write_bytes(content)
    return read_table(path, **options)


def shown(table: Table) -> dict[str, list[str]]:
    return {name: cells.tolist() for name, cells in table.columns.items()}


AB = {"a": ["1", "3"], "b": ["2", "4"]}
# name: bytes, what is read, the line of each row
GOOD = {
    "plain": (b"a,b\n1,2\n3,4\n", AB, [2, 3]),
    "no final newline": (b"a,b\n1,2\n3,4", AB, [2, 3]),
    "CRLF": (b"a,b\r\n1,2\r\n3,4\r\n", AB, [2, 3]),
    "CR": (b"a,b\r1,2\r3,4\r", AB, [2, 3]),
    "mixed ends": (b"a,b\r\n1,2\n3,4\r", AB, [2, 3]),
    "blank lines": (b"\n\na,b\n1,2\n\n  \n3,4\n\n", AB, [4, 7]),
    "UTF-8 mark": (b"\xef\xbb\xbfa,b\n1,2\n3,4\n", AB, [2, 3]),
    "UTF-16": ("a,b\n1,2\n3,4\n".encode("utf-16"), AB, [2, 3]),
    "UTF-16 big": (b"\xfe\xff" + "a,b\n1,2\n3,4\n".encode("utf-16-be"), AB, [2, 3]),
    "semicolons": (b"a;b\n1;2\n3;4\n", AB, [2, 3]),
    "tabs": (b"a\tb\n1\t2\n3\t4\n", AB, [2, 3]),
    "bars": (b"a|b\n1|2\n3|4\n", AB, [2, 3]),
    "blanks around": (b" a , b \n 1 ,2 \n3,\t4\n", AB, [2, 3]),
    "quotes": (b'"a","b"\n"1",2\n3,"4"\n', AB, [2, 3]),
    "quoted newline": (b'a,b\n"x\n\ny",1\nz,2\n', {"a": ["x\n\ny", "z"], "b": ["1", "2"]}, [2, 5]),
    "quoted comma": (b'"a,1",b\n"x,y",1\n', {"a,1": ["x,y"], "b": ["1"]}, [2]),
    "doubled quote": (b'a,b\n"x""y",1\n', {"a": ['x"y'], "b": ["1"]}, [2]),
    "quote inside": (b'a,b\n5" disk,1\n', {"a": ['5" disk'], "b": ["1"]}, [2]),
    "empty cells": (b"a,b\n,2\n3,\n,\n", {"a": ["", "3", ""], "b": ["2", "", ""]}, [2, 3, 4]),
    "one column": (b"a\n1\n3\n", {"a": ["1", "3"]}, [2, 3]),
    "accents": ("ä,b\né,2\n".encode(), {"ä": ["é"], "b": ["2"]}, [2]),
    "a column without a name": (b",b\n0,2\n1,4\n", {"": ["0", "1"], "b": ["2", "4"]}, [2, 3]),
    "a semicolon in a cell": (b"a,b\nx;y,1\n", {"a": ["x;y"], "b": ["1"]}, [2]),
    "a comma in a header cell": (b'a;b;"c,d"\n1;2;3\n', {"a": ["1"], "b": ["2"], "c,d": ["3"]},
                                 [2]),
    "a long header": (b"a," + b"b" * 70_000 + b"," + b"c" * 70_000 + b"\n1,2,3\n",
                      {"a": ["1"], "b" * 70_000: ["2"], "c" * 70_000: ["3"]}, [2]),
    "comments are rows": (b"a,b\n#x,1\n", {"a": ["#x"], "b": ["1"]}, [2]),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_stands_there(name: str, tmp_path: Path) -> None:
    content, columns, lines = GOOD[name]
    table = read(tmp_path, content)
    assert shown(table) == columns
    assert table.lines is not None
    assert table.lines.tolist() == lines
    assert table.rows.tolist() == list(range(1, len(lines) + 1))


BAD = {
    "empty": (b"", "expected a header and rows, got an empty file"),
    "blank": (b"\n \n\n", "expected a header and rows, got an empty file"),
    "a mark alone": (b"\xef\xbb\xbf", "expected a header and rows, got an empty file"),
    "header only": (b"a,b\n", "expected rows below the header, got none"),
    "no header": (b"1,2\n3,4\n", "expected a header with the columns' names in the first line"),
    "short row": (b"a,b\n1,2\n\n3\n", "row 2 (line 4): expected 2 values, as many as the header"),
    "long row": (b"a,b\n1,2\n3,4,5\n", "row 2 (line 3): expected 2 values, as many as the header"),
    "long first row": (b"a,b\n1,2,3\n4,5,6\n", "row 1 (line 2): expected 2 values"),
    "a row after quoted newlines": (b'a,b\n"x\ny",2\n3\n', "row 2 (line 4): expected 2 values"),
    "open quote": (b'a,b\n1,2\n"3,4\n5,6\n', "line 3: a quotation mark opens in this row"),
    "open quote in a long file": (b'a,b\n1,"2\n' + b"3,4\n" * 50_000, "line 2: a quotation mark"),
    "open quote in a long header": (b'"' + b"x" * 140_000 + b"\n1\n", "line 1: a quotation mark"),
    "text after a quote": (b'a,b\n1,"2"x\n', "line 2: "),
    "NUL": (b"a,b\n1,2\n1\x00xyz,2\n", "line 3: expected text, got a NUL character"),
    "NUL in the header": (b"a\x00,b\n1,2\n", "line 1: expected text, got a NUL character"),
    "latin-1": ("a,b\n1,2\n3,café\n".encode("latin-1"), "line 3: expected utf-8 text, got the "
                "byte 0xe9; if a spreadsheet wrote the file, try --encoding cp1252"),
    "half of UTF-16": (b"\xff\xfea\x00,\x00b", "expected utf-16 text"),
    "two names": (b"a,b,a\n1,2,3\n", "got two named 'a': columns 1 and 3"),
    "two names but for blanks": (b"a, a\n1,2\n", "got two named 'a': columns 1 and 2"),
    "two columns without a name": (b"a,,\n1,2,3\n", "got two without a name: columns 2 and 3"),
    "workbook": (b"PK\x03\x04" + b"\0" * 50, "got a workbook or an archive"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 50, "got a workbook"),
    "gzip": (gzip.compress(b"a,b\n1,2\n"), "line 1: "),
    "broken Parquet": (b"PAR1" + b"\0" * 50, "expected a whole Parquet file: "),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_broken(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    with pytest.raises(ValueError, match=re.escape("data.csv: ")) as caught:
        read(tmp_path, content)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "missing.csv")
    with pytest.raises(IsADirectoryError, match="expected a file, got a folder"):
        read_table(tmp_path)


def test_options(tmp_path: Path) -> None:
    latin = "a,b\n1,é\n".encode("latin-1")
    assert shown(read(tmp_path, latin, encoding="latin-1")) == {"a": ["1"], "b": ["é"]}
    assert shown(read(tmp_path, b"a b\n1 2\n", separator=" ")) == {"a": ["1"], "b": ["2"]}
    assert shown(read(tmp_path, b"a;b,c\n1;2,3\n", separator=";")) == {"a": ["1"], "b,c": ["2,3"]}
    with pytest.raises(ValueError, match="no encoding is named 'nonsense'"):
        read(tmp_path, b"a,b\n1,2\n", encoding="nonsense")
    with pytest.raises(ValueError, match="expected utf-16 text"):
        read(tmp_path, b"a,b\n1,2\n", encoding="utf-16")


def test_blocks_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separated, "_BLOCK", 4)
    rows = [[str(i), f"n{i}" * (i % 7)] for i in range(18)]
    text = "a,b\n" + "\n".join(map(",".join, rows))
    for count in (3, 4, 5, 8, 18):
        table = read(tmp_path, "\n".join(text.split("\n")[: count + 1]).encode())
        assert [list(row) for row in zip(*shown(table).values(), strict=True)] == rows[:count]
        assert table.lines is not None
        assert table.lines.tolist() == list(range(2, 2 + count))


def test_any_text_comes_back(tmp_path: Path) -> None:
    """Whatever Python's writer writes, quoted as need be."""
    rng = random.Random(0)
    alphabet = 'ab1,;"\n\r\t é\u2028\U0001f600#|'
    for _ in range(40):
        width = rng.randint(2, 4)
        cells = [["".join(rng.choices(alphabet, k=rng.randint(0, 6))) for _ in range(width)]
                 for _ in range(rng.randint(1, 6))]  # fmt: skip
        cells = [row for row in cells if any(map(str.strip, row))]
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerows([[f"c{i}" for i in range(width)], *cells])
        if not cells:
            continue
        table = read(tmp_path, buffer.getvalue().encode())
        assert [list(row) for row in zip(*shown(table).values(), strict=True)] == [
            [cell.strip() for cell in row] for row in cells
        ]


# --- Parquet ---

FRAME = {
    "f": [0.1, None, float("nan"), 1e300],
    "i": [1, 2**60 + 1, None, -3],
    "s": ["x", None, "é,\n", " y "],
    "b": [True, False, None, True],
    "d": [datetime.date(2020, 1, 31)] * 4,
}
TEXTS = {
    "f": ["0.1", "", "nan", "1e+300"],
    "i": ["1", str(2**60 + 1), "", "-3"],
    "s": ["x", "", "é,", "y"],
    "b": ["True", "False", "", "True"],
    "d": ["2020-01-31"] * 4,
}


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "data.anything"
    pl.DataFrame(FRAME).write_parquet(path)
    table = read_table(path)
    assert shown(table) == TEXTS
    assert table.lines is None
    assert table.place("i", 2).endswith("column 'i', row 3")
    pl.DataFrame({"x": []}).write_parquet(path)
    with pytest.raises(ValueError, match="expected rows, got none"):
        read_table(path)
    whole = io.BytesIO()
    pl.DataFrame(FRAME).write_parquet(whole)
    for end in range(4, len(whole.getvalue()), 97):
        path.write_bytes(whole.getvalue()[:end])
        with pytest.raises(ValueError, match="expected a whole Parquet file"):
            read_table(path)


def test_columns_of_pandas() -> None:
    frame = pd.DataFrame({"f": [0.1, None], "i": pd.array([1, None], "Int64"), "s": ["x", None],
                          "c": pd.Categorical(["u", None]),
                          "t": pd.to_datetime(["2020-01-31", None])})  # fmt: skip
    table = parquet.from_frame("frame", frame)
    assert shown(table)["i"][0] == "1"
    assert [cells[0] for cells in shown(table).values()] == ["0.1", "1", "x", "u",
                                                             "2020-01-31 00:00:00"]  # fmt: skip
    assert all(is_missing(cells[1]) for cells in shown(table).values())
    frame.columns = ["a", "b", "c", "d", "a "]
    with pytest.raises(ValueError, match="got two named 'a'"):
        parquet.from_frame("frame", frame)


def test_parquet_without_polars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.parquet"
    pl.DataFrame(FRAME).write_parquet(path)
    monkeypatch.setattr(parquet, "find_spec", lambda name: name == "pandas")
    # pyarrow, which pandas needs for it, may not be there
    monkeypatch.setattr(pd, "read_parquet", lambda file: pd.DataFrame({"x": [len(file.read())]}))
    assert shown(read_table(path)) == {"x": [str(path.stat().st_size)]}
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'fastnn\[tabular\]'"):
        read_table(path)

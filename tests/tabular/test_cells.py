"""What cells say: numbers, names, nothing."""

import math

import numpy as np
import pytest

from fastnn.tabular.cells import as_cells, is_missing, key, keys, numbers

NUMBERS = [
    ("1", 1.0), ("-1.5", -1.5), ("+2", 2.0), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0),
    ("1E-3", 0.001), ("-1670.", -1670.0), ("007", 7.0), ("-0", -0.0), (" 3 ", 3.0),
    ("9007199254740993", 9007199254740992.0), ("1e-400", 0.0), ("1" * 400, math.inf),
    ("1" * 330, math.inf), ("1" * 330 + ".5", math.inf), ("0." + "0" * 330 + "1", 0.0),
    ("1e400", math.inf), ("-1e400", -math.inf), ("inf", math.inf), ("-Infinity", -math.inf),
    ("0.1", 0.1), ("123456789.123456789", 123456789.123456789), ("4.9e-324", 5e-324),
]  # fmt: skip
TEXT = ["1e", "1_000", "0x1p3", "0x10",
        "\uff11", "\u0663", "--1", "1,5", "1 000", "1.2.3", "e5", ".", "+",
        "1d5", "abc", "1%", "$1", "none", "1\x00xyz", "infinit", "1e5.0", "\xb2",
        "-\u0130nf", "\u0131nf"]  # fmt: skip
MISSING = ["", " ", "NA", "n/a", "N/A", "NaN", "nan", "null", "NULL", "?", "<NA>", "#N/A", "NaT"]


@pytest.mark.parametrize(("cell", "value"), NUMBERS)
def test_numbers(cell: str, value: float) -> None:
    read = numbers(as_cells([cell]))
    assert (read.missing.tolist(), read.text.tolist()) == ([False], [False])
    assert read.values.tolist() == [value]
    assert math.copysign(1, read.values[0]) == math.copysign(1, value)


@pytest.mark.parametrize("cell", TEXT)
def test_text_is_no_number(cell: str) -> None:
    read = numbers(as_cells([cell]))
    assert (read.missing.tolist(), read.text.tolist()) == ([False], [True])
    assert np.isnan(read.values).all()
    assert key(cell) == cell


@pytest.mark.parametrize("cell", MISSING)
def test_missing(cell: str) -> None:
    cells = as_cells([cell])
    read = numbers(cells)
    assert (read.missing.tolist(), read.text.tolist()) == ([True], [False])
    assert np.isnan(read.values).all()
    assert is_missing(cells[0])
    assert keys(cells) == [""]


def test_every_written_float_is_read_as_itself() -> None:
    bits = np.random.default_rng(0).integers(0, 2**64, 5000, dtype=np.uint64)
    values = bits.view(np.float64)
    values = values[np.isfinite(values)]
    assert numbers(as_cells(map(repr, values.tolist()))).values.tobytes() == values.tobytes()


def test_a_number_has_one_key_however_it_is_written() -> None:
    assert keys(as_cells(["1", "1.0", "01", "+1", "1e0", " 1 "])) == ["1"] * 6
    assert keys(as_cells(["-0", "0.0"])) == ["0", "0"]
    assert len(set(keys(as_cells(["0.1", "0.10", "1e-1", "0.2"])))) == 2
    assert key("9007199254740993.5") == key("9007199254740994")
    assert keys(as_cells(["Red", "red", "red "])) == ["Red", "red", "red"]


def test_no_cells() -> None:
    read = numbers(as_cells([]))
    assert [len(part) for part in read] == [0, 0, 0]
    assert keys(as_cells([])) == []

"""What columns are taken for, and how a network sees them."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tabular_support import flowers, table_of

from fastnn.tabular import Table
from fastnn.tabular.features import MOST_CATEGORIES, Categorical, Numeric, encode
from fastnn.tabular.kinds import choose_kinds
from fastnn.tabular.target import Classes, Quantity, choose_target, rows_with

MANY = [f"v{i}" for i in range(40)]
ALTERNATING = ["a", "b"] * 20


def of(cells: Any) -> Table:
    return table_of(x=cells, y=ALTERNATING)


# --- numbers, categories, or nothing ---

KINDS: dict[str, tuple[list[Any], Any]] = {
    "whole numbers": ([*range(20), *range(20)], "numeric"),
    "fractions": ([i / 7 for i in range(40)], "numeric"),
    "fractions, some missing": ([*(i / 7 for i in range(38)), "", "NA"], "numeric"),
    "two numbers": ([0, 1] * 20, "numeric"),
    "names": (ALTERNATING, "categorical"),
    "truth": (["True", "False"] * 20, "categorical"),
    "names, some missing": (["a", ""] * 20, "categorical"),
    "numbers and a name that few numbers go with": ([0, 1, 2, "3+"] * 10, "categorical"),
    "codes of letters and digits": (["A1", "B2", "7"] * 13 + ["A1"], "categorical"),
    "twenty names in forty rows": ([*MANY[:20], *MANY[:20]], "categorical"),
    "names of the rows": (MANY, "it names the rows: 40 different values in 40 rows"),
    "no values": ([""] * 40, "it is empty"),
    "one number": ([3] * 40, "it is the same in all rows"),
    "one number however written": (["3", "3.0"] * 20, "it is the same in all rows"),
    "one number, some missing": ([3, ""] * 20, "numeric"),
    "one name": (["a"] * 40, "it is the same in all rows"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name: str) -> None:
    cells, expected = KINDS[name]
    table = table_of(x=cells, other=ALTERNATING, y=ALTERNATING)
    kinds = choose_kinds(table, "y")
    found = {f.name: f.kind for f in kinds.fit(table)}
    assert (found | kinds.ignored) == {"x": expected, "other": "categorical"}


@pytest.mark.parametrize("name", ["id", "ID", "index", "", "Unnamed: 0", "rownames"])
def test_numbers_of_the_rows_are_no_feature(name: str) -> None:
    for cells, ignored in ((range(40), True), (range(140, 100, -1), True), ([1, 2] * 20, False),
                           ([i + 0.5 for i in range(40)], False)):  # fmt: skip
        table = table_of(**{name: list(cells), "other": ALTERNATING, "y": ALTERNATING})
        assert (choose_kinds(table, "y").ignored == {name: "it numbers the rows"}) is ignored
    assert not choose_kinds(of(range(40)), "y").ignored  # another name is a feature


def test_what_is_asked_for_is_done() -> None:
    table = table_of(id=range(40), n=[1, 2] * 20, c=ALTERNATING, y=ALTERNATING)
    kinds = choose_kinds(table, "y", numeric=["id"], categorical=["n"], ignore=["c"])
    assert [f.kind for f in kinds.fit(table)] == ["numeric", "categorical"]
    assert kinds.ignored == {"c": "left out as asked"}


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "text in a column of numbers": (
        lambda: choose_kinds(of([*range(39), "abc"]), "y"),
        "t.csv: column 'x', row 40: expected a number, as in 39 other rows, got 'abc'; leave a "
        "cell empty where there is no value, or pass --categorical 'x'",
    ),
    "text in a small column of numbers": (
        lambda: choose_kinds(table_of(x=[*range(9), "abc"], y=["a", "b"] * 5), "y"),
        "column 'x', row 10: expected a number",
    ),
    "a decimal comma": (lambda: choose_kinds(of([*range(39), "1,5"]), "y"), "write 1.5, not 1,5"),
    "digits in groups": (lambda: choose_kinds(of([*range(39), "1_000"]), "y"), "got '1_000'"),
    "names as numbers": (
        lambda: choose_kinds(of(ALTERNATING), "y", numeric=["x"]).fit(of(ALTERNATING)),
        "t.csv: column 'x', row 1: expected a number, got 'a'",
    ),
    "inf": (
        lambda: choose_kinds(of([*range(39), "inf"]), "y").fit(of([*range(39), "inf"])),
        "column 'x', row 40: expected a number of at most 1e+100, got 'inf'",
    ),
    "1e400": (
        lambda: choose_kinds(of([*range(39), "1e400"]), "y").fit(of([*range(39), "1e400"])),
        "column 'x', row 40: expected a number of at most 1e+100, got '1e400'",
    ),
    "an unknown column": (
        lambda: choose_kinds(of(range(40)), "y", ignore=["z"]),
        "t.csv: expected the column 'z', which the file does not have; it has 'x', 'y'",
    ),
    "a column twice": (
        lambda: choose_kinds(of(range(40)), "y", ["x"], ["x"]), "got 'x' twice"
    ),
    "the target as a feature": (lambda: choose_kinds(of(range(40)), "y", ["y"]), "got 'y' twice"),
    "nothing to learn from": (
        lambda: choose_kinds(of([1] * 40), "y"),
        "expected a column to learn from beside the target, got 'x': it is the same in all rows",
    ),
    "only the target": (
        lambda: choose_kinds(table_of(y=ALTERNATING), "y"),
        "expected a column to learn from beside the target, got none",
    ),
    "a name in other letters": (
        lambda: of([1]).require(["X"]), "which the file does not have; did you mean 'x'?"
    ),
    "a name that is close": (
        lambda: table_of(price_range=[1]).require(["price_rnge"]), "did you mean 'price_range'?"
    ),
    "several columns": (
        lambda: of([1]).require(["p", "q"]), "expected the columns 'p', 'q', which the file"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    act, message = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        act()
    assert "\n" not in str(caught.value)


# --- encoding ---


def test_encoding_is_that_of_pandas() -> None:
    rows = flowers(50)
    rows["width"][3] = rows["width"][7] = ""
    rows["place"] = [["x", "y", "z", ""][i % 4] for i in range(50)]
    table = table_of(**rows)
    names = ["length", "width", "colour", "place"]
    makers = [Numeric.fit, Numeric.fit, Categorical.fit, Categorical.fit]
    features = tuple(make(table, name) for make, name in zip(makers, names, strict=True))
    frame = pd.DataFrame(rows).replace("", None)
    width = frame["width"].astype(float)
    expected = pd.DataFrame({
        "length": frame["length"], "width": width.fillna(width.median()),
        "missing": width.isna(), "colour": frame["colour"] == features[2].categories[0],
        **{place: frame["place"].fillna("") == place for place in features[3].categories},
    })  # fmt: skip
    assert set(features[2].categories) == {"red", "blue"}
    assert set(features[3].categories) == {"x", "y", "z", ""}
    assert np.array_equal(encode(features, table), expected.to_numpy(float))
    assert encode(features, table).shape[1] == sum(f.width for f in features)


def test_other_rows_are_encoded_by_the_training_rows() -> None:
    train = table_of(n=[1, 2, 4, 100], m=[1, "", 3, 5], c=["u", "v", "v", "w"])
    features = (Numeric.fit(train, "n"), Numeric.fit(train, "m"), Categorical.fit(train, "c"))
    assert features[2].categories == ("v", "u", "w")  # by number, then by name
    other = table_of(c=["w", "new", ""], extra=["?"] * 3, n=["", 7, 8], m=[2, 2, "NA"])
    assert encode(features, other).tolist() == [
        [3.0, 2.0, 0.0, 0.0, 0.0, 1.0],
        [7.0, 2.0, 0.0, 0.0, 0.0, 0.0],
        [8.0, 3.0, 1.0, 0.0, 0.0, 0.0],
    ]
    assert features[2].unseen(other).tolist() == [1]


def test_numbers_as_categories_are_known_however_written() -> None:
    feature = Categorical.fit(table_of(c=["1", "2", "2.0", "3"]), "c")
    assert feature.categories == ("2", "1", "3")
    assert feature.encode(table_of(c=["01", "2.00", "3e0"])).argmax(1).tolist() == [1, 0, 2]


def test_the_rarest_of_many_categories_are_not_told_apart() -> None:
    cells = [f"v{i}" for i in range(10_000) for _ in range(1 + (i < 30))]
    feature = Categorical.fit(table_of(c=cells), "c")
    assert len(feature.categories) == feature.width == MOST_CATEGORIES
    assert {f"v{i}" for i in range(30)} <= set(feature.categories)
    encoded = feature.encode(table_of(c=["v0", "v9999"]))
    assert encoded.sum(1).tolist() == [1, 0]


def test_a_column_that_is_empty_in_the_training_part() -> None:
    feature = Numeric.fit(table_of(n=["", "NA"]), "n")
    assert (feature.fill, feature.indicator) == (0.0, True)
    assert feature.encode(table_of(n=["5", ""])).tolist() == [[5, 0], [0, 1]]


# --- the target ---

TASKS: dict[str, tuple[list[Any], type]] = {
    "names": (ALTERNATING, Classes),
    "zero and one": ([0, 1] * 20, Classes),
    "whole numbers as floats": ([0.0, 1.0] * 20, Classes),
    "four ranges": ([0, 1, 2, 3] * 10, Classes),
    "scores from 3 to 8": ([3, 4, 5, 6, 7, 8] * 7, Classes),
    "digits of few rows": ([*range(10)] * 4, Quantity),
    "digits": ([*range(10)] * 5, Classes),
    "many whole numbers": ([*range(200)] * 5, Quantity),
    "21 whole numbers": ([*range(21)] * 50, Quantity),
    "prices": ([i + 0.5 for i in range(40)], Quantity),
    "two fractions": ([0.5, 1.5] * 20, Quantity),
    "numbers and a name": ([0, 1, 2, "3+"] * 10, Classes),
}


@pytest.mark.parametrize("name", TASKS)
def test_tasks(name: str) -> None:
    cells, expected = TASKS[name]
    table = table_of(y=cells)
    assert choose_target(table, "y") is expected
    assert choose_target(table, "y", "classification") is Classes
    assert choose_target(table, "y", "regression") is Quantity


def test_classes_in_order() -> None:
    table = table_of(y=["10", "9", "b", "a", "9.0", "9", "B", "a"] * 2)
    target = Classes.fit(table, "y")
    assert target.labels == ("9", "10", "B", "a", "b")
    assert target.read(table).tolist() == [1, 0, 4, 3, 0, 0, 2, 3] * 2
    assert target.read(table_of(y=["9.00", "1e1"])).tolist() == [0, 1]


def test_labels_keep_their_zeros() -> None:
    target = Classes.fit(table_of(y=["007", "010"] * 5), "y")
    assert target.labels == ("007", "010")
    assert target.read(table_of(y=["7", "10.0"])).tolist() == [0, 1]


def test_quantities() -> None:
    values = [3.5, -1.0, 7.25, 1e8]
    target = Quantity.fit(table_of(y=values), "y")
    assert target.mean == pytest.approx(np.mean(values), rel=1e-14)
    assert target.std == pytest.approx(np.std(values), rel=1e-14)
    assert target.read(table_of(y=["2", "1e-3"])).tolist() == [2.0, 0.001]
    near = Quantity.fit(table_of(y=[1e15, 1e15 + 1, 1e15 + 2]), "y")
    assert (near.mean, near.std) == (1e15 + 1, pytest.approx(np.sqrt(2 / 3)))
    huge = Quantity.fit(table_of(y=[1e100, -1e100]), "y")
    assert (huge.mean, huge.std) == (0, pytest.approx(1e100))


def test_rows_with_a_target() -> None:
    assert rows_with(table_of(y=["a", "", "NA", "0"]), "y").tolist() == [0, 3]


TARGET_ERRORS: dict[str, tuple[Callable[[], Any], str]] = {
    "missing in all rows": (
        lambda: rows_with(table_of(y=["", "?"]), "y"), "expected values to learn, got an empty"
    ),
    "no such column": (lambda: rows_with(table_of(y=["a"]), "z"), "expected the column 'z'"),
    "one class": (
        lambda: Classes.fit(table_of(y=["a"] * 10), "y"),
        "t.csv: column 'y': expected at least two classes, got only 'a'",
    ),
    "a class for each row": (
        lambda: Classes.fit(table_of(y=MANY), "y"),
        "expected classes that repeat, got 40 different values in 40 rows",
    ),
    "a new class": (
        lambda: Classes("y", ("a", "b")).read(table_of(y=["a", "c"])),
        "t.csv: column 'y', row 2: expected a class among 'a', 'b', got 'c'",
    ),
    "one value": (
        lambda: Quantity.fit(table_of(y=["5"] * 10), "y"), "expected numbers that differ"
    ),
    "text": (
        lambda: Quantity.fit(table_of(y=["1", "2", "x"]), "y"),
        "t.csv: column 'y', row 3: expected a number, got 'x'",
    ),
    "text among many numbers": (
        lambda: choose_target(t := table_of(y=[*range(39), "x"]), "y").fit(t, "y"),
        "t.csv: column 'y', row 40: expected a number, got 'x'",
    ),
    "too large": (
        lambda: Quantity.fit(table_of(y=["1e308", "-1e308"]), "y"),
        "t.csv: column 'y', row 1: expected a number of at most 1e+100, got '1e308'",
    ),
    "infinite": (
        lambda: Quantity.fit(table_of(y=["1", "-inf"]), "y"), "row 2: expected a number of at most"
    ),
    "another task": (
        lambda: choose_target(table_of(y=["1"]), "y", "clustering"), "expected task 'auto'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TARGET_ERRORS)
def test_targets_that_are_refused(name: str) -> None:
    act, message = TARGET_ERRORS[name]
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        act()
    assert "\n" not in str(caught.value)

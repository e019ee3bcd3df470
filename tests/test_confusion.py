"""Counts of right and wrong answers, beside scikit-learn's and in all forms they may come in."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

import fastnn
from fastnn.confusion import Confusion

_rng = np.random.default_rng(0)
TRUE = _rng.integers(0, 6, 200)
GIVEN = np.where(_rng.random(200) < 0.6, TRUE, _rng.integers(0, 5, 200))  # 5 is never a mistake
WORDS = np.array(["a", "b", "c", "d", "e", "f"])
OUTPUTS = np.eye(6)[GIVEN] + 0.4 * _rng.random((200, 6))


def test_it_counts_as_scikit_learn_does() -> None:
    seen = Confusion(TRUE, GIVEN)
    assert np.array_equal(seen.matrix(), confusion_matrix(TRUE, GIVEN))
    expected = precision_recall_fscore_support(TRUE, GIVEN)
    for got, wanted in zip((seen.precision, seen.recall, seen.f1, seen.support), expected,
                           strict=True):  # fmt: skip
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
    assert seen.accuracy == np.mean(TRUE == GIVEN)


FORMS: dict[str, tuple[Any, Any, Any]] = {
    "lists": (TRUE.tolist(), GIVEN.tolist(), None),
    "bytes and tensors": (TRUE.astype(np.uint8), fastnn.tensor(GIVEN), None),
    "outputs": (TRUE, OUTPUTS, None),
    "one-hot targets": (np.eye(6)[TRUE], OUTPUTS, None),
    "series": (pd.Series(TRUE), pd.DataFrame(OUTPUTS), None),
    "words": (WORDS[TRUE], WORDS[GIVEN], None),
    "words and outputs": (WORDS[TRUE], OUTPUTS, WORDS),
    "words as objects": (pd.Series(WORDS[TRUE], dtype=object), WORDS[GIVEN].tolist(), WORDS),
    "numbers with gaps": (10 * TRUE - 7, 10 * GIVEN - 7, None),
    "words by another order": (WORDS[TRUE], WORDS[GIVEN], WORDS[::-1]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(form: str) -> None:
    targets, predicted, names = FORMS[form]
    seen = Confusion(targets, predicted, names)
    order = slice(None, None, -1 if form == "words by another order" else 1)
    assert np.array_equal(seen.matrix()[order, order], confusion_matrix(TRUE, GIVEN))
    expected = {"w": list("abcdef"), "n": ["-7", "3", "13", "23", "33", "43"]}
    assert seen.names[order] == expected.get(form[0], list("012345"))


def test_a_class_that_never_occurs() -> None:
    seen = Confusion([0, 0, 1], [0, 1, 0], names=["x", "y", "z"])
    assert seen.support.tolist() == [2, 1, 0]
    np.testing.assert_array_equal(seen.recall, [0.5, 0.0, np.nan])
    np.testing.assert_array_equal(seen.precision, [0.5, 0.0, np.nan])
    np.testing.assert_array_equal(seen.f1, [0.5, 0.0, np.nan])


def test_a_part_of_the_classes() -> None:
    seen = Confusion(TRUE, GIVEN)
    assert np.array_equal(seen.matrix([4, 1]), confusion_matrix(TRUE, GIVEN, labels=[4, 1]))
    mistakes = [int(((c == TRUE) != (c == GIVEN)).sum()) for c in range(6)]
    chosen = seen.hardest(3)
    assert sorted(chosen) == chosen.tolist()
    assert sorted(mistakes[c] for c in chosen) == sorted(mistakes)[-3:]
    assert seen.hardest(9).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_million_classes_take_no_square() -> None:
    seen = Confusion([0, 999_999], [999_999, 999_999], range(1_000_000))
    assert seen.matrix(seen.hardest(2)).tolist() == [[0, 1], [0, 1]]


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: Confusion([0, 1], [0]), ValueError, "as many predictions as targets.* got 1 for 2"),
    (lambda: Confusion([], np.zeros((0, 2))), ValueError, "at least one, got 0 for 0"),
    (lambda: Confusion([0.5], [1]), TypeError, "expected targets as whole numbers or names .*"
     r"float64; write .astype\(int\)"),
    (lambda: Confusion([0], [[1.0]]), ValueError, r"predicted as classes .* got shape \(1, 1\)"),
    (lambda: Confusion([0], [[1.0, np.nan]]), ValueError, "finite predicted, got NaN .* row 0"),
    (lambda: Confusion([0, 3], [1, 1], ["a", "b"]), IndexError,
     "expected targets from 0 to 1, got 3 in row 1"),
    (lambda: Confusion([0, 2], np.eye(2)), IndexError, "targets from 0 to 1, got 2 in row 1"),
    (lambda: Confusion([0, 0], [0, -1], ["a"]), IndexError, "predicted from 0 to 0, got -1 in"),
    (lambda: Confusion([0, 1], np.eye(2), ["a"]), ValueError, "names of 2 classes, got 1"),
    (lambda: Confusion(["a"], [0]), ValueError, "both as numbers or both as names"),
    (lambda: Confusion(["a"], ["x"], ["a", "b"]), ValueError,
     "predicted among the 2 names, got 'x'"),
    (lambda: Confusion([1 + 2j], [1]), TypeError, "real numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "pattern"), BAD)
def test_bad_input(call: Callable[[], Any], error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call()

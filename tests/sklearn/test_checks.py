"""scikit-learn's own checks of what calls itself an estimator, none of them expected to fail."""

import warnings
from typing import Any

import pytest
from sklearn.utils.estimator_checks import check_estimator

from fastnn.sklearn import MLPClassifier, MLPRegressor


@pytest.mark.parametrize("estimator", [MLPClassifier(), MLPRegressor()], ids=["class", "number"])
def test_every_check_of_scikit_learn(estimator: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks feed data that is warned of
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert {r["status"] for r in results} <= {"passed", "skipped"}
    assert sum(r["status"] == "passed" for r in results) > 50

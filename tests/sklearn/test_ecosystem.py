"""The estimators inside what scikit-learn and its neighbours build around estimators."""

import copy
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas
import polars
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support import bits, run_python, state_bits
from threadpoolctl import threadpool_limits

import fastnn
from fastnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::fastnn.TrainingWarning"),
    pytest.mark.filterwarnings("error:fit. without a compiled form:fastnn.TrainingWarning"),
]

X, Y = load_iris(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
QUICK = {"learning_rate_init": 0.05, "max_iter": 30, "random_state": 0}


def test_grid_search_in_processes() -> None:
    grid = {"alpha": [1e-4, 1e9], "dropout": [0.0, 0.1]}
    search = GridSearchCV(MLPClassifier((16,), **QUICK), grid, n_jobs=2, cv=3).fit(X, NAMES)
    assert search.best_params_["alpha"] == 1e-4
    assert search.best_score_ > 0.9
    assert search.predict(X[:1]).tolist() == ["setosa"]


def test_cross_validation_and_pipelines() -> None:
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((16,), **QUICK))
    assert cross_val_score(pipeline, X, NAMES, cv=3).min() > 0.9
    pipeline.set_output(transform="pandas").fit(X, NAMES)
    assert list(pipeline[-1].feature_names_in_) == ["x0", "x1", "x2", "x3"]
    target = TransformedTargetRegressor(MLPRegressor(hidden_layer_sizes=(16,), **QUICK),
                                        transformer=StandardScaler())  # fmt: skip
    assert make_pipeline(StandardScaler(), target).fit(X[:, :3], 100 * X[:, 3]).score(
        X[:, :3], 100 * X[:, 3]) > 0.8  # fmt: skip


def test_metadata_routing() -> None:
    weight = np.where(Y == 2, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier((16,), **QUICK).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        result = cross_validate(pipeline, X, NAMES, params={"sample_weight": weight}, cv=3,
                                return_estimator=True)  # fmt: skip
    assert result["test_score"].min() > 0.9
    for fitted in result["estimator"]:
        assert "virginica" not in fitted.predict(X)


@pytest.mark.parametrize("options", [
    {}, {"early_stopping": True}, {"solver": "sgd", "dropout": 0.2, "batch_norm": True},
    {"solver": "adamw"}, {"solver": "rmsprop"},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("way", ["pickle", "joblib", "deepcopy"])
def test_copies_predict_and_go_on_alike(options: Any, way: str, tmp_path: Path) -> None:
    model = MLPClassifier((8,), **{**QUICK, "max_iter": 3}, **options).fit(X, NAMES)
    copies = {
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
        "joblib": lambda: joblib.load(joblib.dump(model, tmp_path / "model")[0]),
        "deepcopy": lambda: copy.deepcopy(model),
    }
    twin = copies[way]()
    assert bits(twin.predict_proba(X)) == bits(model.predict_proba(X))
    for _ in range(2):
        model.partial_fit(X, NAMES)
        twin.partial_fit(X, NAMES)
    assert state_bits(twin.module_) == state_bits(model.module_)
    assert twin.loss_curve_ == model.loss_curve_


def test_memory_mapped_models_predict(tmp_path: Path) -> None:
    model = MLPClassifier((8,), **QUICK).fit(X, NAMES)
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert bits(mapped.predict_proba(X)) == bits(model.predict_proba(X))
    assert mapped.partial_fit(X, NAMES).n_iter_ == 1


def test_clones_are_not_fitted_and_have_the_parameters() -> None:
    schedule = fastnn.optim.lr_scheduler.ConstantLR
    model = MLPClassifier((8,), callbacks=[fastnn.callbacks.EarlyStopping("loss")],
                          scheduler=schedule, class_weight={"setosa": 2.0}, **QUICK)  # fmt: skip
    model.fit(X, NAMES)
    assert len(pickle.dumps(model)) < 20_000  # no trainer hangs on the callback
    twin = clone(model)
    assert not hasattr(twin, "module_")
    assert not hasattr(twin, "coefs_")
    assert twin.get_params()["scheduler"] is schedule
    assert twin.fit(X, NAMES).loss_curve_ == model.loss_curve_


# --- tables ---

FRAMES: dict[str, Any] = {
    "pandas": lambda: (pandas.DataFrame(X, columns=list("abcd")), pandas.Series(NAMES)),
    "pandas-categories": lambda: (
        pandas.DataFrame(X, columns=list("abcd")), pandas.Series(NAMES, dtype="category")),
    "polars": lambda: (polars.DataFrame(X, schema=list("abcd")), polars.Series(NAMES)),
    "lists": lambda: (X.tolist(), NAMES.tolist()),
    "objects": lambda: (X.astype(object), NAMES.astype(object)),
    "fortran": lambda: (np.asfortranarray(X), NAMES),
    "read-only": lambda: (np.frombuffer(X.tobytes()).reshape(X.shape), NAMES),
}  # fmt: skip


@pytest.mark.parametrize("kind", FRAMES)
def test_tables(kind: str) -> None:
    table, labels = FRAMES[kind]()
    model, plain = (MLPClassifier((8,), **QUICK) for _ in range(2))
    model.fit(table, labels)
    plain.fit(X, NAMES)
    assert state_bits(model.module_) == state_bits(plain.module_)
    assert bits(model.predict_proba(table)) == bits(plain.predict_proba(X))
    assert model.predict(table).tolist() == plain.predict(X).tolist()
    assert hasattr(model, "feature_names_in_") == (kind[:2] == "pa" or kind == "polars")
    if hasattr(model, "feature_names_in_"):
        assert list(model.feature_names_in_) == list("abcd")
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(table[["b", "a", "c", "d"]])


def test_float32_stays_float32() -> None:
    narrow = X.astype(np.float32)
    for solver in ("adam", "lbfgs"):
        model = MLPClassifier((8,), solver=solver, **QUICK).fit(narrow, Y)
        assert model.predict_proba(narrow).dtype == model.coefs_[0].dtype == np.float32
        assert model.score(narrow, Y) > 0.9
        numbers = MLPRegressor(hidden_layer_sizes=(8,), solver=solver, **QUICK).fit(narrow, X[:, 0])
        assert numbers.predict(narrow).dtype == np.float32
    assert MLPClassifier((8,), **QUICK).fit(X.astype(int), Y).coefs_[0].dtype == np.float64


def test_sparse_inputs_are_refused_with_what_to_do() -> None:
    scipy_sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"[Ss]parse.*toarray"):
        MLPClassifier().fit(scipy_sparse.csr_array(X), Y)


def test_sparse_labels_are_labels() -> None:
    scipy_sparse = pytest.importorskip("scipy.sparse")
    labels = np.eye(3, dtype=int)[Y]
    dense, sparse = (MLPClassifier((8,), **QUICK) for _ in range(2))
    dense.fit(X, labels)
    sparse.fit(X, scipy_sparse.csr_array(labels))
    assert state_bits(dense.module_) == state_bits(sparse.module_)


# --- processes and threads ---

ORDERS = ("import sklearn, fastnn", "import fastnn, sklearn")


@pytest.mark.parametrize("imports", ORDERS)
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_jobs_of_joblib_give_the_same_bits(backend: str, imports: str) -> None:
    code = f"""
{imports}
import joblib, warnings, test_threads
warnings.simplefilter("ignore")
expected = test_threads.train("Adam", 2)
jobs = [joblib.delayed(test_threads.train)("Adam", 2)] * 4
print(joblib.Parallel(2, backend={backend!r})(jobs) == [expected] * 4)
"""
    run = run_python(code, OMP_NUM_THREADS="2")
    assert (run.returncode, run.stdout.strip()) == (0, "True"), run.stderr


def test_limits_of_threadpoolctl_hold_and_change_no_bits() -> None:
    x = np.random.default_rng(0).standard_normal((300, 64)).astype(np.float32)
    model = fastnn.nn.Linear(64, 64)
    usual = bits(model(x))
    before = fastnn.get_num_threads()
    with threadpool_limits(1, "openmp"):
        assert fastnn.get_num_threads() == 1
        assert bits(model(x)) == usual
    assert fastnn.get_num_threads() == before


# --- imports ---


def test_importing_fastnn_does_not_import_scikit_learn() -> None:
    code = "import sys, fastnn; print({'sklearn', 'scipy', 'joblib'} & set(sys.modules))"
    assert run_python(code).stdout.strip() == "set()"


def test_the_module_is_there_when_it_is_asked_for() -> None:
    code = "import fastnn; print(fastnn.sklearn.MLPClassifier())"
    assert run_python(code).stdout.strip() == "MLPClassifier()"


@pytest.mark.parametrize("line", [
    "import fastnn.sklearn", "from fastnn.sklearn import MLPClassifier",
    "from fastnn import sklearn", "import fastnn; fastnn.sklearn",
])  # fmt: skip
def test_without_scikit_learn_the_error_names_the_extra(line: str) -> None:
    result = run_python(f"import sys; sys.modules['sklearn'] = None\n{line}")
    assert "ImportError: fastnn.sklearn needs scikit-learn >= 1.6" in result.stderr
    assert "pip install 'fastnn[sklearn]'" in result.stderr

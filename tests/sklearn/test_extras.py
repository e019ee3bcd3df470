"""What scikit-learn's networks have not: each thing by what it changes."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import bits, state_bits

import fastnn
from fastnn import nn, optim
from fastnn.callbacks import Callback, CSVLogger, EarlyStopping
from fastnn.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR
from fastnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::fastnn.TrainingWarning"),
    pytest.mark.filterwarnings("error:fit. without a compiled form:fastnn.TrainingWarning"),
]

_rng = np.random.default_rng(0)
X = _rng.standard_normal((240, 5))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
NUMBER = X[:, 0] ** 2 + X[:, 1]
SPLIT = slice(0, 160), slice(160, 240)
QUICK: dict[str, Any] = {"max_iter": 20, "learning_rate_init": 0.01, "random_state": 0}


def classifier(**options: Any) -> MLPClassifier:
    return MLPClassifier(**{"hidden_layer_sizes": (16, 8), **QUICK, **options})


def regressor(**options: Any) -> MLPRegressor:
    return MLPRegressor(**{"hidden_layer_sizes": (16,), **QUICK, **options})


# --- layers ---


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.module_]


def test_a_list_gives_each_layer_its_own() -> None:
    model = classifier(activation=["tanh", "silu"], dropout=[0.0, 0.25], batch_norm=True).fit(X, Y)
    assert kinds(model) == ["Linear", "BatchNorm1d", "Tanh", "Linear", "BatchNorm1d", "SiLU",
                            "Dropout", "Linear"]  # fmt: skip
    assert model.module_[6].p == 0.25
    assert not any(layer.training for layer in model.module_.modules())


@pytest.mark.parametrize("name", [
    "identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus",
])  # fmt: skip
def test_every_activation_learns(name: str) -> None:
    model = regressor(activation=name, solver="lbfgs", max_iter=30).fit(X, X[:, 0])
    assert model.score(X, X[:, 0]) > 0.98


def test_dropout_is_random_by_the_seed_and_leaves_the_global_one_alone() -> None:
    fastnn.manual_seed(7)
    expected = fastnn.rand(3).tolist()
    fastnn.manual_seed(7)
    runs = [classifier(dropout=0.3, random_state=seed).fit(X, Y) for seed in (0, 0, 1)]
    states = [state_bits(model.module_) for model in runs]
    assert states[0] == states[1] != states[2]
    assert fastnn.rand(3).tolist() == expected
    assert bits(runs[0].predict_proba(X)) == bits(runs[0].predict_proba(X))
    plain = classifier(max_iter=100).fit(X, Y)
    dropped = classifier(max_iter=100, dropout=0.3).fit(X, Y)
    assert dropped.loss_ > plain.loss_ + 0.02  # it learns with a part of its values


def test_batch_norm_makes_inputs_of_any_size_alike() -> None:
    options = {"solver": "sgd", "learning_rate_init": 0.1, "max_iter": 60}
    model = classifier(batch_norm=True, **options).fit(1e4 * X, Y)
    assert model.score(1e4 * X, Y) > 0.9
    assert classifier(**options).fit(1e4 * X, Y).score(1e4 * X, Y) < 0.7


def test_batch_norm_leaves_out_a_last_batch_of_one_row() -> None:
    model = classifier(batch_norm=True, batch_size=60, shuffle=False).fit(X[:181], Y[:181])
    plain = classifier(batch_norm=True, batch_size=60, shuffle=False).fit(X[:180], Y[:180])
    assert bits(*model.coefs_) == bits(*plain.coefs_)


# --- losses ---


def test_losses_of_numbers() -> None:
    """A constant learns what each loss is least at."""
    y = _rng.exponential(size=999)
    ones = np.zeros((999, 1))
    expected = {
        "squared_error": y.mean(), "absolute_error": np.median(y), "poisson": y.mean(),
        "quantile": np.quantile(y, 0.9),
    }  # fmt: skip
    for loss, value in expected.items():
        model = MLPRegressor(loss, (), solver="sgd", learning_rate="invscaling", quantile=0.9,
                             learning_rate_init=3.0, power_t=0.4, max_iter=50, momentum=0.0,
                             tol=0.0, random_state=0)  # fmt: skip
        assert model.fit(ones, y).predict(ones[:1])[0] == pytest.approx(value, rel=0.05), loss


def test_huber_is_between_the_two() -> None:
    y = NUMBER.copy()
    y[::10] += 50  # outliers
    errors = {}
    for loss, options in {
        "squared_error": {},
        "absolute_error": {},
        "huber": {"delta": 0.5},
    }.items():
        model = regressor(loss=loss, max_iter=150, **options).fit(X, y)
        errors[loss] = np.median(abs(model.predict(X) - NUMBER))
    assert max(errors["huber"], errors["absolute_error"]) < 0.5 * errors["squared_error"]
    near = regressor(loss="huber", delta=1e6).fit(X, y)
    assert near.loss_curve_ == pytest.approx(regressor().fit(X, y).loss_curve_, rel=1e-9)


def test_counts_are_not_negative() -> None:
    model = regressor(loss="poisson").fit(X, np.round(abs(NUMBER)))
    assert model.predict(X).min() > 0
    assert model.to_module()(X)._array.min() < 0  # logarithms
    with pytest.raises(ValueError, match=r"expects targets >= 0, got -1\.0 in row 3"):
        model.fit(X[:5], [1, 0, 2, -1, 0])


def test_several_numbers() -> None:
    y = np.stack([NUMBER, X[:, 2]], axis=1)
    model = regressor(max_iter=300).fit(X, y)
    assert model.predict(X).shape == (240, 2)
    assert model.score(X, y) > 0.9


def test_several_labels() -> None:
    y = np.stack([Y, X[:, 2] > 0, X[:, 3] > 1], axis=1).astype(int)
    model = classifier(max_iter=100, early_stopping=True, n_iter_no_change=50).fit(X, y)
    assert model.predict(X).shape == model.predict_proba(X).shape == (240, 3)
    assert model.score(X, y) > 0.8
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))


@pytest.mark.parametrize("y", [Y, Y + (X[:, 2] > 0)], ids=["two", "three"])
def test_logarithms_of_probabilities_keep_their_digits(y: np.ndarray) -> None:
    model = classifier(max_iter=50).fit(X, y)
    far = 1e4 * X
    logs, shares = model.predict_log_proba(far), model.predict_proba(far)
    assert np.isfinite(logs).all()
    assert (shares == 0).any()
    np.testing.assert_allclose(np.exp(logs), shares, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(shares.sum(1), 1)


# --- solvers and schedules ---


@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd", "rmsprop", "lbfgs"])
def test_every_solver_learns(solver: str) -> None:
    rate = 0.1 if solver == "sgd" else 0.01
    model = classifier(solver=solver, max_iter=150, learning_rate_init=rate).fit(X, Y)
    assert model.score(X, Y) > 0.95


def test_adamw_decays_the_matrices_alone() -> None:
    model = classifier(solver="adamw", alpha=50.0, max_iter=40, tol=0.0).fit(X, Y)
    assert max(abs(w).max() for w in model.coefs_) < 0.05  # lr alpha = 1/2 a step
    assert max(abs(b).max() for b in model.intercepts_) > 0.05


@pytest.mark.parametrize(("make", "rates"), [
    (partial(StepLR, step_size=2, gamma=0.1), [1e-2, 1e-2, 1e-3, 1e-3]),
    (partial(CosineAnnealingLR, T_max=4), [1e-2, 8.5e-3, 5e-3, 1.5e-3]),
    (partial(OneCycleLR, max_lr=0.05, epochs=4, steps_per_epoch=2), None),
], ids=["epochs", "cosine", "steps"])  # fmt: skip
def test_schedules(make: Any, rates: list[float] | None) -> None:
    seen: list[float] = []

    class Rates(Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            seen.append(self.trainer.rates[0])

    model = classifier(scheduler=make, max_iter=4, batch_size=120, callbacks=[Rates()]).fit(X, Y)
    assert len(seen) == model.n_iter_ == 4
    assert rates is None or seen == pytest.approx(rates, rel=0.05)
    assert rates is not None or max(seen) > 0.03 > min(seen)  # it moved on with the steps


# --- callbacks ---


def test_callbacks_see_the_epochs(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    model = classifier(callbacks=[CSVLogger(path)], max_iter=3, alpha=1.0)
    model.fit(X[SPLIT[0]], Y[SPLIT[0]], X_val=X[SPLIT[1]], y_val=Y[SPLIT[1]])
    header, *rows = path.read_text().splitlines()
    assert header == "epoch,loss,penalty,val_loss,val_accuracy"
    table = np.array([row.split(",") for row in rows], float)
    np.testing.assert_allclose(table[:, 1] + table[:, 2], model.loss_curve_)
    np.testing.assert_allclose(table[:, 3], model.validation_loss_curve_)
    np.testing.assert_allclose(table[:, 4], model.validation_scores_)


def test_a_callback_may_stop_it() -> None:
    stop = EarlyStopping("loss", patience=1, min_delta=1e9)
    model = classifier(callbacks=[stop]).fit(X, Y)
    assert model.n_iter_ == 2 == stop.stopped_epoch
    assert not hasattr(stop, "trainer")


class Interrupt(Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int) -> None:
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("ended", ["max_iter", "patience", "interrupt", "error"])
def test_best_weights_come_back_whatever_ended_training(ended: str) -> None:
    options: dict[str, Any] = {
        "early_stopping": True,
        "learning_rate_init": 0.3,
        "max_iter": 40,
        "n_iter_no_change": 100,
    }
    if ended == "patience":
        options["n_iter_no_change"] = 5
    elif ended == "interrupt":
        options["callbacks"] = [Interrupt(20)]

    class Fails(Callback):
        def on_epoch_begin(self, epoch: int) -> None:
            if epoch == 20:
                raise OSError("the disk is full")

    if ended == "error":
        options["callbacks"] = [Fails()]
    held = {"X_val": X[SPLIT[1]], "y_val": Y[SPLIT[1]]}
    model = classifier(**options)
    if ended == "interrupt":
        with pytest.warns(UserWarning, match="interrupted"):
            model.fit(X[SPLIT[0]], Y[SPLIT[0]], **held)
    elif ended == "error":
        with pytest.raises(OSError, match="disk is full"):
            model.fit(X[SPLIT[0]], Y[SPLIT[0]], **held)
    else:
        model.fit(X[SPLIT[0]], Y[SPLIT[0]], **held)
    scores = model.validation_scores_
    assert model.best_validation_score_ == max(scores) > scores[-1]
    assert model.score(X[SPLIT[1]], Y[SPLIT[1]]) == max(scores)
    assert model.n_iter_ == len(scores) == {"max_iter": 40}.get(ended, len(scores))
    assert model.n_iter_ == 19 or ended in ("max_iter", "patience")


# --- validation ---


def test_the_validation_curves() -> None:
    held = X[SPLIT[1]], Y[SPLIT[1]]
    weight = np.linspace(0.5, 2, 80)
    given = {"X_val": held[0], "y_val": held[1], "sample_weight_val": weight}
    model = classifier().fit(X[SPLIT[0]], Y[SPLIT[0]], **given)
    logs = model.predict_log_proba(held[0])[np.arange(80), held[1]]
    assert model.validation_loss_curve_[-1] == pytest.approx(-np.average(logs, weights=weight))
    assert model.validation_scores_[-1] == pytest.approx(model.score(*held, weight))
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) == 20
    plain = classifier().fit(X[SPLIT[0]], Y[SPLIT[0]])
    assert state_bits(model.module_) == state_bits(plain.module_)  # looked at, not learned from
    assert plain.validation_loss_curve_ is plain.validation_scores_ is None


def test_the_validation_part_has_the_classes_in_proportion() -> None:
    y = np.repeat(["rare", "common", "some"], [10, 180, 50])
    sizes: list[int] = []

    class Held(Callback):
        def on_fit_begin(self) -> None:
            held = self.trainer.callbacks[0].rows
            sizes.extend(np.bincount(held.y).tolist())

    classifier(early_stopping=True, validation_fraction=0.2, max_iter=1, callbacks=[Held()]).fit(
        X, y
    )
    assert sizes == [36, 2, 10]
    classifier(early_stopping=True, max_iter=1).fit(X[:20], [0] * 19 + [1])  # no class of one row


@pytest.mark.parametrize(("given", "pattern"), [
    ({"X_val": X}, "expected X_val and y_val together"),
    ({"y_val": Y}, "expected X_val and y_val together"),
    ({"X_val": X[:1], "y_val": Y[:1]}, "at least 2 rows as X_val, got 1"),
    ({"X_val": X, "y_val": Y + 5}, r"expected labels among \[0 1\], got \[5 6\]"),
    ({"X_val": X[:, :4], "y_val": Y}, "4 features"),
    ({"X_val": X, "y_val": Y[:5]}, "inconsistent numbers of samples"),
])  # fmt: skip
def test_bad_validation_parts(given: dict[str, Any], pattern: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        classifier().fit(X, Y, **given)


def test_a_validation_part_that_is_too_small() -> None:
    with pytest.raises(ValueError, match=r"would have 1 of 8 rows.*validation_fraction"):
        classifier(early_stopping=True).fit(X[:8], Y[:8])


# --- partial_fit ---


def test_calls_of_partial_fit_are_epochs_of_fit() -> None:
    whole = classifier(max_iter=5, shuffle=False).fit(X, Y)
    parts = classifier(shuffle=False)
    for _ in range(5):
        parts.partial_fit(X, Y, classes=[0, 1])
        assert parts.n_iter_ == 1
    assert state_bits(parts.module_) == state_bits(whole.module_)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.t_ == whole.t_ == 1200


def test_partial_fit_with_early_stopping() -> None:
    """Predictions are the best ones so far, training goes on from the latest, and ends."""
    options = {"early_stopping": True, "learning_rate_init": 0.3, "n_iter_no_change": 6,
               "random_state": 1, "shuffle": False}  # fmt: skip
    held = {"X_val": X[SPLIT[1]], "y_val": Y[SPLIT[1]]}
    whole = classifier(max_iter=100, **options).fit(X[SPLIT[0]], Y[SPLIT[0]], **held)
    parts = classifier(**options)
    while not (hasattr(parts, "module_") and parts.stopped_):
        parts.partial_fit(X[SPLIT[0]], Y[SPLIT[0]], classes=[0, 1], **held)
        assert parts.score(X[SPLIT[1]], Y[SPLIT[1]]) == max(parts.validation_scores_)
    assert parts.loss_curve_ == whole.loss_curve_
    assert state_bits(parts.module_) == state_bits(whole.module_)
    before = state_bits(parts.module_)
    with pytest.warns(UserWarning, match=r"stopped early.*fit begins anew"):
        parts.partial_fit(X[SPLIT[0]], Y[SPLIT[0]], **held)
    assert state_bits(parts.module_) == before
    parts.set_params(early_stopping=False).partial_fit(X[SPLIT[0]], Y[SPLIT[0]])
    assert state_bits(parts.module_) != before


def test_partial_fit_sets_the_same_rows_aside_each_time() -> None:
    parts = classifier(early_stopping=True, learning_rate_init=1e-12)
    for _ in range(4):
        parts.partial_fit(X, Y, classes=[0, 1])
    assert len(set(parts.validation_scores_)) == 1


@pytest.mark.parametrize(("call", "error", "pattern"), [
    (lambda m: m.partial_fit(X, Y), ValueError, "classes must be passed on the first call"),
    (lambda m: m.partial_fit(X, Y, classes=[0]), ValueError, r"among \[0\], got \[1\]"),
    (lambda m: m.fit(X, Y).partial_fit(X, Y, classes=[0, 2]), ValueError, r"classes of before"),
    (lambda m: m.fit(X, Y).partial_fit(X, Y + 1), ValueError, r"among \[0 1\], got \[2\]"),
    (lambda m: m.fit(X, Y).partial_fit(X[:, :2], Y), ValueError, "2 features"),
    (lambda m: m.set_params(class_weight="balanced").partial_fit(X, Y, classes=[0, 1]), ValueError,
     "needs all rows"),
    (lambda m: m.set_params(solver="lbfgs").partial_fit, AttributeError, "partial_fit"),
    (lambda m: m.fit(X, Y).set_params(hidden_layer_sizes=(3,)).partial_fit(X, Y), ValueError,
     r"network of before.*\(5, 16, 8, 1\).*\(5, 3, 1\)"),
    (lambda m: m.fit(X, Y).partial_fit(X, np.eye(2, dtype=int)[Y]), ValueError, r"shape \(n,\)"),
])  # fmt: skip
def test_calls_that_partial_fit_refuses(call: Any, error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call(classifier())


def test_warm_starts_go_on() -> None:
    model = regressor(warm_start=True, max_iter=10).fit(X, NUMBER)
    first = model.loss_curve_[-1]
    model.fit(X, NUMBER)
    assert len(model.loss_curve_) == 20
    assert model.n_iter_ == 10
    assert model.loss_curve_[10] < 1.1 * first
    model.set_params(solver="lbfgs", max_iter=50).fit(X, NUMBER)
    assert model.loss_ < first / 2


# --- the network ---


def test_the_network_for_a_loop_of_ones_own(tmp_path: Path) -> None:
    model = classifier(batch_norm=True, dropout=0.2).fit(X.astype(np.float32), Y)
    module = model.to_module()
    assert not module.training
    logits = module(X.astype(np.float32)).detach().numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-logits[:, 0])), model.predict_proba(
        X.astype(np.float32))[:, 1], rtol=1e-5)  # fmt: skip
    fastnn.save_model(module, tmp_path / "m.safetensors")
    loaded = fastnn.load_model(tmp_path / "m.safetensors")
    assert state_bits(loaded) == state_bits(model.module_)
    with fastnn.no_grad():
        module[0].weight.zero_()
    assert model.coefs_[0].any()  # a copy
    optim.SGD(module.parameters(), lr=0.1)


def test_coefs_are_the_linear_layers() -> None:
    model = classifier(batch_norm=True).fit(X, Y)
    assert [w.shape for w in model.coefs_] == [(5, 16), (16, 8), (8, 1)]
    assert [b.shape for b in model.intercepts_] == [(16,), (8,), (1,)]
    layer = model.module_[0]
    assert isinstance(layer, nn.Linear)
    np.testing.assert_array_equal(model.coefs_[0], layer.weight.detach().numpy().T)


def test_threads_are_limited_while_it_works() -> None:
    before, seen = fastnn.get_num_threads(), []

    class Threads(Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            seen.append(fastnn.get_num_threads())

    states = {
        n: state_bits(classifier(n_threads=n, max_iter=2, callbacks=[Threads()]).fit(X, Y).module_)
        for n in (1, 2, None)
    }
    assert seen == [1, 1, 2, 2, before, before]
    assert fastnn.get_num_threads() == before
    assert len(set(states.values())) == 1


def test_progress_is_shown_where_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    classifier(max_iter=2).fit(X, Y)
    assert capsys.readouterr() == ("", "")
    classifier(max_iter=2, verbose=True).fit(X, Y)
    assert "".join(capsys.readouterr()).count("loss") >= 2

"""Our estimators beside scikit-learn's, at its own defaults: accuracy, and time of `fit`.

    python bench/estimators.py --json F

Accuracy: mean over 5 folds and 5 seeds on its bundled sets, as they come and standardised. Time:
epochs on digits and on MNIST in turns, the median of each; the loss curves must agree first, from
the same weights and batches. The limit said with each ratio is scikit-learn's time over that of the
products alone at the machine's FMA peak: no program can be faster.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np
from sklearn import datasets
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from fastnn.sklearn import MLPClassifier as Ours
from fastnn.vision.datasets import MNIST

SETS: dict[str, Callable[..., Any]] = {
    "digits": datasets.load_digits,
    "breast cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    "iris": datasets.load_iris,
}
WHAT = ("accuracy", "speed")
FOLDS = SEEDS = 5
ROUNDS = 9
DEFAULT_EPOCHS = 200  # scikit-learn's max_iter
REST = 0.5  # seconds: OpenBLAS's threads spin on after a product, 0.1 s and more, on our cores
SAME_LOSS = 1e-4  # relative, in float64


def accuracy(make: Any, X: Any, y: Any, scaled: bool) -> float:
    """Mean over folds and seeds, in percent."""
    scores: list[float] = []
    for seed in range(SEEDS):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        model = make(random_state=seed)
        model = make_pipeline(StandardScaler(), model) if scaled else model
        scores.extend(cross_val_score(model, X, y, cv=folds))
    return 100 * float(np.mean(scores))


def accuracies() -> list[dict[str, Any]]:
    """A row for each set, as it comes and standardised."""
    rows = []
    for name, load in SETS.items():
        X, y = load(return_X_y=True)
        for scaled in (False, True):
            ours, theirs = accuracy(Ours, X, y, scaled), accuracy(Theirs, X, y, scaled)
            rows.append({"set": name, "standardised": scaled, "fastnn": ours,
                         "scikit-learn": theirs, "difference": ours - theirs})  # fmt: skip
            print(f"{name:14} {'standardised' if scaled else 'as it comes':12} "
                  f"fastnn {ours:6.2f} %  scikit-learn {theirs:6.2f} %  {ours - theirs:+5.2f}",
                  flush=True)  # fmt: skip
    return rows


def speed(name: str, X: Any, y: Any, epochs: int) -> dict[str, Any]:
    """Seconds of `fit` for so many epochs, in turns."""
    options = {"max_iter": epochs, "tol": 0.0, "n_iter_no_change": epochs, "random_state": 0}
    ours, theirs = Ours(**options), Theirs(**options)
    np.testing.assert_allclose(ours.fit(X.astype(np.float64), y).loss_curve_,
                               theirs.fit(X.astype(np.float64), y).loss_curve_,
                               rtol=SAME_LOSS)  # fmt: skip
    meter = machine.PeakMeter(machine.available_cores())
    peaks = []
    seconds: dict[str, list[float]] = {"fastnn": [], "scikit-learn": []}
    for _ in range(ROUNDS):
        for who, model in (("fastnn", ours), ("scikit-learn", theirs)):
            time.sleep(REST)
            model.fit(X, y)  # as cores wake up: 0.06 s of work took up to 0.14 after a rest
            start = time.perf_counter()
            model.fit(X, y)
            seconds[who].append(time.perf_counter() - start)
        time.sleep(REST)
        peaks.append(meter.measure())
    median = {who: float(np.median(s)) for who, s in seconds.items()}
    ratio = median["scikit-learn"] / median["fastnn"]
    peak = 1e9 * float(np.median(peaks)) * 4 / X.itemsize  # measured in float32
    at_peak = epochs * len(X) * flops_a_row(theirs.coefs_) / peak
    limit = median["scikit-learn"] / at_peak
    print(f"{name}, {epochs} epochs: fastnn {median['fastnn']:.3f} s, "
          f"scikit-learn {median['scikit-learn']:.3f} s, {ratio:.2f} times; "
          f"{limit:.2f} times at the peak, of which fastnn reaches "
          f"{100 * at_peak / median['fastnn']:.0f} %", flush=True)  # fmt: skip
    return {"data": name, "epochs": epochs, "seconds": median, "ratio": ratio,
            "seconds at the peak": at_peak, "limit": limit}  # fmt: skip


def flops_a_row(weights: list[Any]) -> int:
    """Of the products of a step: forward, for the weights, and back to each layer but the first."""
    return 2 * (2 * weights[0].size + 3 * sum(w.size for w in weights[1:]))


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="*", default=WHAT, help=" or ".join(WHAT))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    args = parser.parse_args()
    if unknown := set(args.what) - set(WHAT):
        parser.error(f"expected {' or '.join(WHAT)}, got {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore")  # of few epochs
    found: dict[str, Any] = {"machine": machine.describe(machine.available_cores())}
    if "accuracy" in args.what:
        found["accuracy"] = accuracies()
    if "speed" in args.what:
        digits, digit = datasets.load_digits(return_X_y=True)
        images = MNIST(train=True)
        pixels = images.data.numpy().reshape(-1, 784) / np.float32(255)
        found["speed"] = [speed("digits", scale(digits), digit, DEFAULT_EPOCHS),
                          speed("digits float32", scale(digits).astype(np.float32), digit,
                                DEFAULT_EPOCHS),
                          speed("MNIST", pixels, images.targets.numpy(), 5)]  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What `fastnn train` with no other option is worth on rows held out, over several splits.

    python bench/tables.py phones.csv --target price_range --share 0.2 --splits 5
    python bench/tables.py houses.csv --target MEDV --share 0.1 --splits 10

Each split trains and predicts by the command line. Classes are split in proportion; accuracy is
shown for them, the root mean squared error for quantities.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from processes import run_python
from sklearn.model_selection import train_test_split


def measure(table: Any, target: str, share: float, seed: int) -> dict[str, float]:
    """Train on one part, and score the other."""
    classes = table[target].nunique() <= 20
    train, test = train_test_split(
        table, test_size=share, random_state=seed, stratify=table[target] if classes else None
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder, name)) for name in ("train.csv", "test.csv", "m", "p.csv")}
        train.to_csv(paths["train.csv"], index=False)
        test.to_csv(paths["test.csv"], index=False)
        start = time.perf_counter()
        run_python(["-m", "fastnn", "train", paths["train.csv"], "--target", target,
                    "--out", paths["m"], "--seed", str(seed)])  # fmt: skip
        seconds = time.perf_counter() - start
        run_python(["-m", "fastnn", "predict", paths["m"], paths["test.csv"],
                    "--out", paths["p.csv"]])  # fmt: skip
        predicted = pd.read_csv(paths["p.csv"]).prediction.to_numpy()
    truth = test[target].to_numpy()
    score = 100 * (predicted == truth).mean() if classes else _rmse(predicted, truth)
    return {"accuracy, %" if classes else "RMSE": float(score), "seconds": seconds}


def _rmse(predicted: Any, truth: Any) -> float:
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def main() -> None:
    """Measure, and print each split and the means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--share", type=float, default=0.2, help="of rows held out")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    args = parser.parse_args()
    table = pd.read_csv(args.table)
    found = [measure(table, args.target, args.share, seed) for seed in range(args.splits)]
    for seed, row in enumerate(found):
        print(f"split {seed}:", ", ".join(f"{k} {v:.3f}" for k, v in row.items()))
    print("mean:", ", ".join(f"{k} {np.mean([r[k] for r in found]):.3f}" for k in found[0]))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

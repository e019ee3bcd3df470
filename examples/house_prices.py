"""House prices: linear regression by gradient descent on all rows, and on mini-batches.

Data: the Boston housing set of StatLib (http://lib.stat.cmu.edu/datasets/boston; 506 rows of 13
features and the price, separated by blanks). Without a file, scikit-learn's diabetes set stands in.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

import fastnn
from fastnn import Trainer, nn, optim, plot
from fastnn.data import MinMaxScale, random_split


def read(path):
    """Features (N, F), prices (N, 1), and the unit of a squared error."""
    if path is None:
        X, y = load_diabetes(return_X_y=True)
        return X, y[:, None], "points²"
    table = pd.read_csv(path, sep=r"\s+", header=None).to_numpy()
    return table[:, :-1], table[:, -1:], "(1000 $)²"


def least_squares(X, y):
    """The smallest possible mean squared error: what gradient descent should come close to."""
    A = np.hstack([X, np.ones((len(X), 1))])
    return np.mean((A @ np.linalg.lstsq(A, y, rcond=None)[0] - y) ** 2)


def train(X, y, epochs, batch_size, lr, seed):
    """A linear model that scales its features itself, so that it predicts from raw ones."""
    fastnn.manual_seed(seed)
    model = nn.Sequential(MinMaxScale().fit(X), nn.Linear(X.shape[1], 1))
    optimizer = optim.SGD(model.parameters(), lr=lr)
    schedule = None
    if batch_size < len(X):  # a batch's gradient is noisy: shrink the steps to settle down
        schedule = optim.lr_scheduler.StepLR(optimizer, max(1, epochs // 4), gamma=0.3)
    trainer = Trainer(model, nn.MSELoss(), optimizer, schedule, metrics=["rmse"], seed=seed)
    history = trainer.fit((X, y), epochs, batch_size, verbose=0)
    return model, trainer, history


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", help="the file housing.data")
    parser.add_argument("--epochs", type=int, default=2000, help="of the full batch (2000)")
    parser.add_argument("--limit", type=int, help="take only so many rows")
    parser.add_argument("--seed", type=int, default=0, help="of split, weights and shuffles (0)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for what it writes (.)")
    args = parser.parse_args()

    X, y, unit = read(args.data)
    X, y = X[: args.limit], y[: args.limit]
    parts = random_split(range(len(X)), [0.8, 0.2], generator=args.seed)
    rows, held_out = (part.indices for part in parts)
    best = least_squares(X[rows], y[rows])
    print(f"least squares in closed form: training MSE {best:.3f}")

    methods = {"full batch": (args.epochs, len(rows), 0.2),
               "mini-batches of 10": (max(1, args.epochs // 10), 10, 0.05)}  # fmt: skip
    panels = {}
    for name, (epochs, batch_size, lr) in methods.items():
        model, trainer, history = train(X[rows], y[rows], epochs, batch_size, lr, args.seed)
        mse = trainer.evaluate((X[rows], y[rows]))["loss"]
        rmse = trainer.evaluate((X[held_out], y[held_out]))["rmse"]
        print(f"{name}: {epochs} epochs, training MSE {mse:.3f} ({100 * (mse / best - 1):+.2f} %), "
              f"test RMSE {rmse:.3f}")  # fmt: skip
        panels[name] = {"gradient descent": history.loss,
                        "least squares in closed form": ([1, epochs], [best, best])}  # fmt: skip

    saved = args.out / "house_prices.safetensors"
    fastnn.save(model.state_dict(), saved)
    again = nn.Sequential(MinMaxScale(X.shape[1]), nn.Linear(X.shape[1], 1))
    again.load_state_dict(fastnn.load(saved))
    some = held_out[:5]
    predicted = again(X[some]).detach().numpy()
    print(f"from the saved model: {predicted.ravel().round(1)}, true: {y[some].ravel()}")
    picture = args.out / "house_prices.png"
    plot.curves(panels, picture, ylabel=f"training MSE in {unit}", log="xy", share=True)
    print(f"curves in {picture}")


if __name__ == "__main__":
    main()

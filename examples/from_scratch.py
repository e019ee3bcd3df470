"""Three ways to find weights: random search, numerical gradients, backpropagation.

All three start from the same small network (49-10-10, tanh) and see the same batches of the bundled
MNIST digits, averaged to 7 x 7. The mathematics is here in NumPy: no layer, no tape, no optimizer.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import fastnn
from fastnn import plot
from fastnn.vision.datasets import MNIST


def digits(train):
    """Images as 49 averages over 4 x 4 pixels, and labels."""
    data = MNIST(train=train)
    images = data.data.numpy().reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(-1, 49) / 255
    return images, data.targets.numpy()


def unpack(w):
    """The vector of all 610 weights as W1, b1, W2, b2: views, so that w stays the only copy."""
    return w[:490].reshape(49, 10), w[490:500], w[500:600].reshape(10, 10), w[600:]


def forward(w, x):
    W1, b1, W2, b2 = unpack(w)
    h = np.tanh(x @ W1 + b1)
    e = np.exp(h @ W2 + b2)
    return h, e / e.sum(1, keepdims=True)  # softmax: probabilities of the ten classes


def loss(w, x, y):
    """Cross-entropy: the mean of -log(probability of the right class)."""
    return -np.log(forward(w, x)[1][np.arange(len(y)), y]).mean()


def accuracy(w, x, y):
    return (forward(w, x)[1].argmax(1) == y).mean()


def numerical(w, x, y):
    """(f(w + h) - f(w - h)) / 2h for every weight in turn: two forward passes a weight."""
    return fastnn.numerical_gradient(lambda w: loss(w, x, y), w, h=1e-4)


def backpropagation(w, x, y):
    """The chain rule, from the loss back to the first weights: one pass for all of them."""
    h, p = forward(w, x)
    dz = (p - np.eye(10)[y]) / len(y)  # softmax and cross-entropy together
    da = dz @ unpack(w)[2].T * (1 - h * h)  # through W2, then through tanh
    return np.concatenate([(x.T @ da).ravel(), da.sum(0), (h.T @ dz).ravel(), dz.sum(0)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=200, help="of each method (200)")
    parser.add_argument("--lr", type=float, default=1.0, help="learning rate (1.0)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches (0)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for from_scratch.png (.)")
    args = parser.parse_args()
    (x, y), (x_test, y_test) = digits(train=True), digits(train=False)
    rng = np.random.default_rng(args.seed)
    batches = [(x[rows], y[rows]) for rows in rng.integers(0, len(x), (args.steps, 100))]
    start = rng.normal(0, 0.3, 610)
    draws = rng.normal(0, 0.3, (args.steps, 610))  # of random search: none learns from another
    right = np.mean([accuracy(w, x_test, y_test) for w in draws[:50]])
    print(f"weights drawn at random: test accuracy {right:.1%} on average")
    difference = np.abs(numerical(start, *batches[0]) - backpropagation(start, *batches[0])).max()
    print(f"the two gradients differ by at most {difference:.1e}")

    losses, accuracies = {}, {}
    for name, gradient in [("random search", None), ("numerical gradient", numerical),
                           ("backpropagation", backpropagation)]:  # fmt: skip
        w, path, seconds = start.copy(), [], 0.0
        for batch, drawn in zip(batches, draws, strict=True):
            began = time.perf_counter()
            if gradient is None:
                w = min(w, drawn, key=lambda w: loss(w, x[:1000], y[:1000]))
            else:
                w -= args.lr * gradient(w, *batch)
            seconds += time.perf_counter() - began
            path.append(w.copy())
        label = f"{name}, {1000 * seconds / args.steps:.1f} ms a step"
        losses[label] = [loss(w, x[:1000], y[:1000]) for w in path]
        accuracies[label] = [100 * accuracy(w, x_test[:1000], y_test[:1000]) for w in path]
        print(f"{label}: test accuracy {accuracy(w, x_test, y_test):.1%} after {args.steps} steps")

    picture = args.out / "from_scratch.png"
    plot.curves({"training loss": losses, "test accuracy (%)": accuracies}, picture, xlabel="step")
    print(f"curves in {picture}")


if __name__ == "__main__":
    main()

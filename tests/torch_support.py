"""Helpers of the comparisons with PyTorch."""

import os

import numpy as np
import torch
from support import relative_error

import fastnn

# Importing torch lowers the limit of the OpenMP library that it may share with fastnn.
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def both(x: np.ndarray) -> tuple[fastnn.Tensor, torch.Tensor]:
    return fastnn.Tensor.of(x.copy(), True), torch.tensor(x, requires_grad=True)


def assert_same(ours: fastnn.Tensor | None, theirs: torch.Tensor | None, bound: float) -> None:
    assert ours is not None
    assert theirs is not None
    assert relative_error(ours._array, theirs.detach().numpy()) <= bound

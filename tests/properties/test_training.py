"""Training: of rows that lie anyhow, and interrupted anywhere, it ends in the same bits."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from property_support import SEEDS, Layout, layouts, values
from resume_support import DATA, LAYERS, OPTIMIZERS, OPTIONS, SCHEDULES, STEPS, make_run, outcome
from support import mlp, state_bits

from fastnn import Trainer, nn, optim
from fastnn.callbacks import Callback


@given(layouts(), layouts(), st.integers(2, 40), SEEDS, st.booleans())
def test_layouts(x_layout: Layout, y_layout: Layout, rows: int, seed: int, compile: bool) -> None:
    """P1 for `fit`, and P11."""
    x = x_layout(values((rows, 5), "f4", seed))
    y = y_layout(values((rows, 2), "f4", seed + 1))
    ends = []
    for pair in ((x, y), (np.array(x, order="C"), np.array(y, order="C"))):
        before = [array.tobytes() for array in pair]
        model = mlp(5, 7, 2)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        trainer = Trainer(model, nn.HuberLoss(), optimizer, compile=compile)
        trainer.fit(pair, epochs=1, batch_size=8, verbose=0)
        ends.append(state_bits(model))
        assert [array.tobytes() for array in pair] == before
    assert ends[0] == ends[1]


class Killed(BaseException):
    """What nobody catches."""


class Kill(Callback):
    """Ends a training after so many batches."""

    def __init__(self, left: int) -> None:
        self.left = left

    def on_batch_end(self, batch: int, loss: float) -> None:
        self.left -= 1
        if not self.left:
            raise Killed


@given(
    st.fixed_dictionaries(
        {
            "optimizer": st.sampled_from(sorted(OPTIMIZERS)),
            "schedule": st.sampled_from(sorted(SCHEDULES)),
            "layers": st.sampled_from(sorted(LAYERS)),
            "data": st.sampled_from(sorted(set(DATA) - {"stream", "loader-own-order"})),
            "options": st.sampled_from(sorted(OPTIONS)),
        }
    ),
    st.integers(1, STEPS - 1),
    st.integers(1, 9),
)
@pytest.mark.filterwarnings("ignore::fastnn.errors.TrainingWarning")  # any rate will do here
@settings(max_examples=max(8, settings.default.max_examples // 5))  # three trainings each
def test_resume(how: dict[str, Any], steps: int, every: int) -> None:
    """P13: killed after some steps and resumed, a training ends as one that was left alone."""
    whole, given_ = make_run(**how)
    whole.fit(**given_)
    with tempfile.TemporaryDirectory() as folder:
        killed, given_ = make_run(**how)
        killed.callbacks = [*killed.callbacks, Kill(steps)]
        with suppress(Killed):  # it may have stopped by itself before
            killed.fit(**given_, checkpoint_dir=folder, checkpoint_every=every)
        again, given_ = make_run(**how, seed=int(any(Path(folder).iterdir())))
        again.fit(**given_, checkpoint_dir=folder, resume=True)
        assert outcome(again) == outcome(whole)

"""F: calls out of order, objects that outlive others, and calls within calls."""

import copy
import gc
import importlib
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from support import bits, mlp, state_bits

import fastnn
from bad_inputs.case import bad, fine
from bad_inputs.world import World, X, Y, f32
from fastnn import Trainer, nn, optim
from fastnn.callbacks import Callback
from fastnn.data import Dataset
from fastnn.sklearn import MLPClassifier

STATE = mlp(4, 5, 3, seed=2).state_dict()
JOIN = 30  # seconds that a thread may take


def changed(**entries: Any) -> dict[str, Any]:
    """A state with other entries; None leaves one out."""
    state = {**STATE, **{name.replace("__", "."): value for name, value in entries.items()}}
    return {name: value for name, value in state.items() if value is not None}


def loss_of(model: Any, rows: Any = X, labels: Any = Y) -> Any:
    return nn.CrossEntropyLoss()(model(rows), labels)


def gradients(model: nn.Module) -> bytes:
    return bits(*(p.grad for p in model.parameters()))


def backward(world: World, *losses: Any) -> bytes:
    for loss in losses:
        loss.backward()
    return gradients(world.model)


def twice(world: World) -> None:
    loss = loss_of(world.model)
    loss.backward()
    loss.backward()


def after(world: World, do: Callable[[], Any]) -> bytes:
    """A backward pass with something between it and the forward pass."""
    loss = loss_of(world.model)
    do()
    return backward(world, loss)


class Doing(Callback):
    """Does something after the second batch."""

    def __init__(self, do: Callable[[Trainer], Any]) -> None:
        self.do = do

    def on_batch_end(self, batch: int, values: Any) -> None:
        if batch == 2:
            self.do(self.trainer)


def doing(world: World, do: Callable[[Trainer], Any], **options: Any) -> bytes:
    """A training with a callback; the weights before are put back if it fails."""
    before = copy.deepcopy(world.model.state_dict()), copy.deepcopy(world.optimizer.state_dict())
    world.trainer.callbacks = [Doing(do)]
    try:
        return world.fit(**options)
    except Exception:
        world.model.load_state_dict(before[0])
        world.optimizer.load_state_dict(before[1])
        world.optimizer.state.clear()
        raise
    finally:
        world.trainer.callbacks = []


def refuse(*_: Any) -> None:
    raise RuntimeError("refuse: no")


class Rows(Dataset):
    """Twelve rows, with a fault of some kind."""

    def __init__(self, length: Any = 12, at: int = -1, do: Callable[[], Any] | None = None) -> None:
        self.length, self.at, self.do = length, at, do

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        if index == self.at and self.do:
            return self.do()
        return X[index], int(Y[index])


def train_on(world: World, rows: Any, batch_size: int = 12) -> bytes:
    world.trainer.fit(rows, epochs=1, batch_size=batch_size, shuffle=False, verbose=0)
    return state_bits(world.model)


class Forgetful(nn.Module):
    """Does not call `super().__init__()`."""

    def __init__(self) -> None:
        self.layer = nn.Linear(2, 2)


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """The result of each call or its exception, all at once."""
    results: list[Any] = [None] * len(calls)

    def run(i: int) -> None:
        try:
            results[i] = calls[i]()
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN)
        assert not thread.is_alive()
    return results


def predict_while_it_goes(world: World) -> list[Any]:
    """Another thread predicts until the model is gone here."""
    model = mlp(4, 5, 3)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    expected = bits(trainer.predict(X))

    def work(trainer: Trainer) -> bool:
        return all(bits(trainer.predict(X)) == expected for _ in range(50))

    call = (lambda given: lambda: work(given))(trainer)
    del trainer, model
    return in_threads(call, gc.collect)[:1]


def parameter_of_a_model_that_is_gone(world: World) -> np.ndarray:
    model = mlp(4, 5, 3)
    weight, gone = model[0].weight.detach().numpy(), weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    return weight.copy()


def view_after_a_step(world: World) -> bool:
    """An array of a weight is the weight, as in PyTorch: it sees what the optimizer does."""
    view = world.model[0].weight.detach().numpy()
    before = view.copy()
    world.fit()
    return bool((view != before).any() and (view == world.model[0].weight.detach().numpy()).all())


def gradient_after_zero_grad(world: World) -> np.ndarray:
    loss_of(world.model).backward()
    kept = world.model[0].weight.grad.numpy()
    copied = kept.copy()
    world.optimizer.zero_grad()
    loss_of(world.model, 2 * X).backward()
    return kept - copied


def output_after_another(world: World) -> np.ndarray:
    kept = world.model(X).detach().numpy()
    world.model(2 * X)
    return kept


def with_limit(world: World) -> bytes:
    """A training with little room for recursion."""
    before, depth = sys.getrecursionlimit(), len(_frames())
    sys.setrecursionlimit(depth + 120)
    try:
        return world.fit()
    finally:
        sys.setrecursionlimit(before)


def _frames() -> list[Any]:
    frame, frames = sys._getframe(), []
    while frame:
        frames.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return frames


def estimator() -> MLPClassifier:
    return MLPClassifier((4,), tol=1e9, n_iter_no_change=3, random_state=0).fit(X, Y)


def loaded(world: World, state: dict[str, Any]) -> np.ndarray:
    world.model.load_state_dict(state)
    return world.predict(X)


def second_fit(world: World) -> None:
    """From another thread, while the first waits in a callback."""
    seen: list[Any] = []
    doing(world, lambda t: seen.extend(in_threads(lambda: t.fit((X, Y), verbose=0))))
    model, optimizer = World(world.folder).model, World(world.folder).optimizer
    world.model.load_state_dict(model.state_dict())  # as before, for what is checked next
    world.optimizer.load_state_dict(optimizer.state_dict())
    world.optimizer.state.clear()
    raise seen[0]


def during_fit(world: World) -> bool:
    """Predictions in a callback are those of the weights of that moment, and change nothing."""
    seen: list[bool] = []

    def look(trainer: Trainer) -> None:
        frozen = copy.deepcopy(trainer.model).eval()
        seen.append(bits(trainer.predict(X)) == bits(frozen(X)))

    trained = doing(world, look)
    return seen == [True] and trained == World(world.folder).fit()


def cycle() -> None:
    """A model that is part of a cycle goes when garbage is collected."""
    model = mlp(4, 5, 3)
    model.trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    model.trainer.predict(X)
    gone = weakref.ref(model)
    del model
    gc.collect()
    return gone()


def nested() -> list[bool]:
    seen, quiet = [], fastnn.no_grad()
    with quiet:
        with quiet:
            seen.append(fastnn.is_grad_enabled())
        seen.append(fastnn.is_grad_enabled())
    return [*seen, fastnn.is_grad_enabled()]


CASES = [
    bad("F01 an estimator predicts before fit", lambda w: MLPClassifier().predict(X), ValueError,
        "not fitted yet"),
    fine("F01 a trainer predicts before fit", lambda w: w.predict(X),
         lambda w: w.model(X).detach().numpy()),
    bad("F02 backward of what has no graph", lambda w: fastnn.tensor(1.0).backward(), RuntimeError,
        "requires a gradient"),
    bad("F03 backward twice", twice, RuntimeError, "retain_graph=True"),
    fine("F04 a step without gradients", lambda w: (w.optimizer.step(), state_bits(w.model))[1],
         lambda w: state_bits(w.model)),
    fine("F05 other rows between forward and backward",
         lambda w: after(w, lambda: w.model(f32(3, 4))), lambda w: after(w, lambda: None)),
    fine("F06 forward twice, backward of both",
         lambda w: backward(w, *[loss_of(w.model) for _ in range(2)]),
         lambda w: backward(w, 2 * loss_of(w.model))),
    fine("F07 backward in eval mode", lambda w: backward(w, loss_of(w.model.eval())),
         lambda w: backward(w, loss_of(w.model))),
    bad("F08 a state without a weight",
        lambda w: w.model.load_state_dict(changed(**{"0__bias": None})),
        ValueError, "missing: 0.bias"),
    bad("F09 a state with a weight more", lambda w: w.model.load_state_dict(changed(more=f32(1))),
        ValueError, "unexpected: more"),
    bad("F10 a weight of another shape",
        lambda w: w.model.load_state_dict(changed(**{"0__weight": f32(4, 5)})), ValueError,
        r"0\.weight: expected shape \(5, 4\), got \(4, 5\)"),
    fine("F11 a weight of another type",
        lambda w: loaded(w, {k: v.double() for k, v in STATE.items()}),
         lambda w: loaded(w, STATE)),
    bad("F11 a weight of text", lambda w: w.model.load_state_dict(changed(**{"0__bias": "five"})),
        TypeError, "0.bias.*got str 'five'"),
    bad("F11 a count that is no number",
        lambda w: nn.BatchNorm1d(5).load_state_dict(
            {**nn.BatchNorm1d(5).state_dict(), "num_batches_tracked": f32() + np.nan}),
        ValueError, "num_batches_tracked: expected whole numbers that int64 can hold"),
    bad("F11 a count beyond int64",
        lambda w: nn.BatchNorm1d(5).load_state_dict(
            {**nn.BatchNorm1d(5).state_dict(), "num_batches_tracked": np.uint64(2**63)}),
        ValueError, "num_batches_tracked: expected whole numbers that int64 can hold"),
    fine("F12 NaN as a weight",
        lambda w: np.isnan(loaded(w, changed(**{"2__bias": f32(3) + np.nan}))),
         lambda w: np.ones((12, 3), bool)),
    bad("F13 the state of another model",
        lambda w: w.model.load_state_dict(mlp(4, 6, 3).state_dict()), ValueError,
        r"0\.weight: expected shape \(5, 4\), got \(6, 4\)"),
    fine("F14 a weight of a model that is gone", parameter_of_a_model_that_is_gone,
         lambda w: mlp(4, 5, 3)[0].weight.detach().numpy()),
    fine("F15 an array of a weight after a step", view_after_a_step, lambda w: True),
    fine("F16 an array of a gradient after zero_grad", gradient_after_zero_grad,
         lambda w: f32(5, 4)),
    fine("F17 an output after the next", output_after_another,
         lambda w: w.model(X).detach().numpy()),
    bad("F19 other data for a parameter", lambda w: setattr(w.model[0].weight, "data", "five"),
        TypeError, "data.*got str 'five'"),
    fine("F20 a model that goes while another thread predicts", predict_while_it_goes,
         lambda w: [True]),
    bad("F21 fit inside a callback", lambda w: doing(w, lambda t: t.fit((X, Y), verbose=0)),
        RuntimeError, "fit: .*running"),
    bad("F22 a callback that raises", lambda w: doing(w, refuse), RuntimeError, "refuse: no"),
    bad("F24 a data set that raises", lambda w: train_on(w, Rows(at=7, do=refuse)), RuntimeError,
        "refuse: no"),
    bad("F25 a data set that shrinks", lambda w: train_on(w, Rows(at=7, do=lambda: [][0])),
        IndexError, ""),
    bad("F26 a row of another shape", lambda w: train_on(w, Rows(at=7, do=lambda: (X[7, :3], 1))),
        ValueError, r"\(4,\).*\(3,\)|\(3,\).*\(4,\)"),
    bad("F27 a length beyond the rows", lambda w: train_on(w, Rows(length=13), 13), IndexError, ""),
    bad("F27 a length of 0", lambda w: train_on(w, Rows(length=0)), ValueError, "at least one"),
    bad("F27 a length of -1", lambda w: train_on(w, Rows(length=-1)), ValueError, ">= 0"),
    bad("F29 a subclass without super().__init__()", lambda w: Forgetful(), AttributeError,
        r"call super\(\)\.__init__\(\)"),
    bad("F30 a module of __new__ alone", lambda w: nn.Linear.__new__(nn.Linear)(X), AttributeError,
        "Linear"),
    fine("F31 deepcopy of a model", lambda w: copy.deepcopy(w.model)(X).detach(),
         lambda w: w.model(X).detach()),
    fine("F31 pickle of a model", lambda w: pickle.loads(pickle.dumps(w.model))(X).detach(),
         lambda w: w.model(X).detach()),
    fine("F31 copy of a model that has been trained",
         lambda w: (w.fit(), copy.copy(w.model)(X).detach())[1],
         lambda w: (w.fit(), w.model(X).detach())[1]),
    fine("F31 pickle of an estimator",
         lambda w: pickle.loads(pickle.dumps(estimator())).predict_proba(X),
         lambda w: estimator().predict_proba(X)),
    fine("F31 pickle of an estimator that is not fitted",
         lambda w: pickle.loads(pickle.dumps(MLPClassifier(alpha=3))).alpha, lambda w: 3),
    bad("F33 a hostile state of a generator",
        lambda w: fastnn.Generator(1).set_state(np.ones(7, np.uint8)), TypeError, "set_state"),
    bad("F33 a hostile state of an optimizer",
        lambda w: w.optimizer.load_state_dict({"state": 3, "param_groups": []}), TypeError,
        "load_state_dict: expected 'state' as a dict, got 3"),
    bad("F37 a second thread fits the same model", lambda w: second_fit(w), RuntimeError,
        "fit: .*running"),
    fine("F38 predict during fit", lambda w: during_fit(w), lambda w: True),
    fine("F39 a cycle of references", lambda w: cycle(), lambda w: None),
    fine("F40 a recursion limit of 120 frames more", with_limit, lambda w: w.fit()),
    fine("F41 import again", lambda w: importlib.import_module("fastnn").__version__,
         lambda w: fastnn.__version__),
    bad("F43 a layer overwritten with a number", lambda w: setattr(w.model, "0", 3), TypeError,
        "expected a Module, got int"),
    bad("F43 a weight overwritten with an array",
        lambda w: setattr(w.model[0], "weight", f32(5, 4)), TypeError,
        "expected a Parameter, got ndarray"),
    fine("F44 no_grad within no_grad", lambda w: nested(), lambda w: [False, False, True]),
]  # fmt: skip

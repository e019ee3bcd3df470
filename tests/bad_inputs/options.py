"""E: hyper-parameters and options."""

import math
from typing import Any

import numpy as np
from support import state_bits

import fastnn
from bad_inputs.case import bad, fine
from bad_inputs.world import World, X, Y
from fastnn import Trainer, nn, optim
from fastnn.callbacks import Callback, EarlyStopping
from fastnn.data import random_split
from fastnn.optim import lr_scheduler as schedules
from fastnn.sklearn import MLPClassifier


def sgd(world: World, **options: Any) -> optim.Optimizer:
    return optim.SGD(world.model.parameters(), **{"lr": 0.1, **options})


def adam(world: World, **options: Any) -> optim.Optimizer:
    return optim.Adam(world.model.parameters(), **options)


def trained(world: World, optimizer: optim.Optimizer, **options: Any) -> bytes:
    world.trainer = Trainer(world.model, world.loss, optimizer, **options)
    return world.fit()


def estimator(**options: Any) -> Any:
    return MLPClassifier(random_state=0, **options).fit(X, Y)


def without_end(world: World) -> bytes:
    """An endless training, which is stopped: as that many epochs."""

    class Stop(Callback):
        def on_epoch_end(self, epoch: int, values: Any) -> None:
            self.trainer.should_stop = epoch == 2

    world.trainer = Trainer(world.model, world.loss, world.optimizer, callbacks=[Stop()])
    return world.fit(epochs=10**18)


def threads(n: Any) -> None:
    before = fastnn.get_num_threads()
    try:
        fastnn.set_num_threads(n)
    finally:
        fastnn.set_num_threads(before)


def adam_step(**options: Any) -> list[float]:
    w = fastnn.ones(3, requires_grad=True)
    (w * fastnn.tensor([1.0, 2.0, -3.0])).sum().backward()
    optim.Adam([w], lr=0.25, **options).step()
    return w.tolist()


def random(seed: Any) -> list[float]:
    fastnn.manual_seed(seed)
    return fastnn.rand(3).tolist()


def running(momentum: float | None, batches: int) -> Any:
    """Running statistics after some batches."""
    norm = nn.BatchNorm1d(4, momentum=momentum)
    for _ in range(batches):
        norm(X)
    return [norm.running_mean.numpy(), norm.running_var.numpy()]


def rates(milestones: list[int]) -> list[float]:
    optimizer = optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    schedule = schedules.MultiStepLR(optimizer, milestones, gamma=0.5)
    seen = []
    for _ in range(8):
        optimizer.step()
        schedule.step()
        seen += schedule.get_last_lr()
    return seen


def shuffled(world: World, seed: Any) -> bytes:
    world.trainer = Trainer(world.model, world.loss, world.optimizer, seed=seed)
    return world.fit(shuffle=True)


CASES = [
    fine("E01 lr 0", lambda w: trained(w, sgd(w, lr=0)), lambda w: state_bits(w.model)),
    bad("E04 lr inf", lambda w: sgd(w, lr=math.inf), ValueError,
        "SGD: expected a finite lr >= 0, got inf"),
    fine("E06 lr as np.float32", lambda w: trained(w, sgd(w, lr=np.float32(0.25))),
         lambda w: trained(w, sgd(w, lr=0.25))),
    bad("E04 lr an integer beyond floats", lambda w: sgd(w, lr=10**400), ValueError,
        r"lr to be a number of at most 1\.8e308, got an integer beyond"),
    bad("E07 lr None", lambda w: sgd(w, lr=None), TypeError,
        "SGD: expected lr to be a number, got None"),
    fine("E09 momentum 1.5", lambda w: trained(w, sgd(w, momentum=1.5)),
         lambda w: trained(w, sgd(w, momentum=np.float64(1.5)))),
    bad("E12 three betas", lambda w: adam(w, betas=(0.9, 0.9, 0.9)), ValueError, "two betas"),
    fine("E13 eps 0", lambda w: adam_step(eps=0), lambda w: adam_step(eps=1e-30)),
    bad("E14 eps -1", lambda w: adam(w, eps=-1), ValueError, "finite eps >= 0, got -1"),
    bad("E15 weight_decay -1", lambda w: sgd(w, weight_decay=-1), ValueError,
        "finite weight_decay >= 0, got -1"),
    bad("E16 dropout -0.1", lambda w: nn.Dropout(-0.1), ValueError, "0 <= p <= 1, got -0.1"),
    bad("E17 dropout 1.1", lambda w: nn.Dropout(1.1), ValueError, "0 <= p <= 1, got 1.1"),
    bad("E18 dropout NaN", lambda w: nn.Dropout(math.nan), ValueError, "0 <= p <= 1, got nan"),
    fine("E19 dropout 1", lambda w: nn.Dropout(1)(X), lambda w: 0 * X),
    bad("E20 batch normalization's momentum -1", lambda w: nn.BatchNorm1d(3, momentum=-1),
        ValueError, "0 <= momentum <= 1, got -1"),
    bad("E20 batch normalization's momentum 2", lambda w: nn.BatchNorm1d(3, momentum=2),
        ValueError, "0 <= momentum <= 1, got 2"),
    fine("E20 batch normalization's momentum None", lambda w: running(None, 1),
         lambda w: running(1.0, 1)),
    bad("E21 batch normalization's eps -1", lambda w: nn.BatchNorm1d(3, eps=-1), ValueError,
        "eps >= 0, got -1"),
    bad("E22 step_size 0", lambda w: schedules.StepLR(w.optimizer, 0), ValueError,
        "step_size >= 1, got 0"),
    bad("E23 gamma -1", lambda w: schedules.StepLR(w.optimizer, 1, gamma=-1), ValueError,
        "gamma >= 0, got -1"),
    bad("E24 T_max 0", lambda w: schedules.CosineAnnealingLR(w.optimizer, 0), ValueError,
        "T_max >= 1, got 0"),
    fine("E25 milestones out of order, one twice", lambda w: rates([5, 2, 2]),
         lambda w: rates([2, 2, 5])),
    bad("E26 a warm-up beyond the whole",
        lambda w: schedules.OneCycleLR(w.optimizer, 1.0, total_steps=10, pct_start=1.5),
        ValueError, "0 <= pct_start <= 1, got 1.5"),
    fine("E27 epochs 0", lambda w: w.fit(epochs=0), lambda w: state_bits(w.model)),
    fine("E30 epochs 10**18", without_end, lambda w: w.fit(epochs=2)),
    bad("E31 no threads", lambda w: threads(0), ValueError, "n >= 1, got 0"),
    bad("E32 -2 threads", lambda w: threads(-2), ValueError, "n >= 1, got -2"),
    fine("E33 10**6 threads", lambda w: threads(10**6), lambda w: None),
    bad("E34 'all' threads", lambda w: threads("all"), TypeError, "integer n, got 'all'"),
    fine("E38 seed None", lambda w: trained(w, w.optimizer, seed=None), lambda w: w.fit()),
    fine("E39 a Generator of fastnn as seed",
         lambda w: shuffled(w, fastnn.Generator(3)),
         lambda w: shuffled(w, fastnn.Generator(3))),
    bad("E40 an unknown activation",
        lambda w: estimator(activation="Relu"), ValueError, "activation.*'relu'.*got 'Relu'"),
    bad("E40 an unknown solver", lambda w: estimator(solver="adamm"), ValueError,
        "solver.*'adam'.*got 'adamm'"),
    bad("E40 a gain of an unknown function", lambda w: nn.init.calculate_gain("relux"), ValueError,
        "relu, .*got 'relux'"),
    bad("E42 an optimizer of another model",
        lambda w: Trainer(nn.Linear(4, 3), w.loss, w.optimizer).fit((X, Y), verbose=0), ValueError,
        "an optimizer over parameters of the model"),
    bad("E43 a parameter twice", lambda w: optim.SGD([*w.model.parameters()] * 2, lr=0.1),
        ValueError, "twice|once|more than one"),
    bad("E44 clip_grad_norm 0", lambda w: Trainer(w.model, w.loss, w.optimizer, clip_grad_norm=0),
        ValueError, "clip_grad_norm.* > 0, got 0"),
    bad("E44 clip_grad_norm -1",
        lambda w: Trainer(w.model, w.loss, w.optimizer, clip_grad_norm=-1), ValueError,
        "clip_grad_norm.*got -1"),
    bad("E44 clip_grad_norm NaN",
        lambda w: Trainer(w.model, w.loss, w.optimizer, clip_grad_norm=math.nan), ValueError,
        "clip_grad_norm.*got nan"),
    bad("E45 patience -1", lambda w: EarlyStopping(patience=-1), ValueError,
        "EarlyStopping: expected patience >= 0, got -1"),
    bad("E46 a validation share of 0", lambda w: estimator(
        early_stopping=True, validation_fraction=0.0), ValueError, "validation_fraction"),
    bad("E46 a validation share of 1", lambda w: estimator(
        early_stopping=True, validation_fraction=1.0), ValueError, "validation_fraction"),
    bad("E46 a validation share of 1.5", lambda w: estimator(
        early_stopping=True, validation_fraction=1.5), ValueError, "validation_fraction"),
    bad("E46 shares that are no whole", lambda w: random_split(range(10), [0.5, 0.4]), ValueError,
        "0.9"),
    bad("E47 no validation rows", lambda w: w.fit(validation=(X[:0], Y[:0])), ValueError,
        "at least one"),
    bad("E49 an unknown argument of Linear", lambda w: nn.Linear(3, 3, size=3), TypeError, "size"),
    bad("E49 an unknown argument of an estimator", lambda w: MLPClassifier(layers=3), TypeError,
        "layers"),
    bad("E50 a name in the wrong case", lambda w: nn.ReLu(), AttributeError, "ReLU"),
    bad("E50 an optimizer in the wrong case", lambda w: optim.ADAM, AttributeError, "Adam"),
    bad("E02 lr -1", lambda w: optim.Adam(w.model.parameters(), lr=-1), ValueError,
        "Adam: expected a finite lr >= 0, got -1"),
    bad("E03 lr NaN", lambda w: optim.SGD(w.model.parameters(), lr=float("nan")), ValueError,
        "SGD: expected a finite lr >= 0, got nan"),
    bad("E05 lr 'x'", lambda w: optim.SGD(w.model.parameters(), lr="x"), TypeError,
        "SGD: expected lr to be a number, got 'x'"),
    bad("E08 momentum -1", lambda w: optim.SGD(w.model.parameters(), momentum=-1), ValueError,
        "finite momentum >= 0, got -1"),
    bad("E10 nesterov without momentum", lambda w: optim.SGD(w.model.parameters(), nesterov=True),
        ValueError,
        "nesterov needs momentum > 0"),
    bad("E11 beta2 1", lambda w: optim.Adam(w.model.parameters(), betas=(0.9, 1.0)), ValueError,
        "Adam: expected 0 <= beta2 < 1, got 1.0"),
    bad("E12 one beta", lambda w: optim.Adam(w.model.parameters(), betas=0.9), ValueError,
        "Adam: expected two betas, got 0.9"),
    bad("E28 epochs -1", lambda w: w.trainer.fit((X, Y), epochs=-1), ValueError,
        "fit: expected epochs >= 0, got -1"),
    bad("E29 epochs '3'", lambda w: w.trainer.fit((X, Y), epochs="3"), TypeError,
        "fit: expected an integer epochs, got '3'"),
    bad("E29 epochs 1.5", lambda w: w.trainer.fit((X, Y), epochs=1.5), TypeError,
        "fit: expected an integer epochs, got 1.5"),
    bad("E29 epochs None", lambda w: w.trainer.fit((X, Y), epochs=None), TypeError,
        "fit: expected an integer epochs, got None"),
    bad("E35 a trainer with seed -1",
        lambda w: Trainer(w.model, w.loss, w.optimizer, seed=-1).fit((X, Y)),
        ValueError, "from 0 to 2..64 - 1, got -1"),
    bad("E35 seed -1", lambda w: fastnn.manual_seed(-1), ValueError, "from 0 to 2..64 - 1, got -1"),
    bad("E36 seed 2**64", lambda w: fastnn.manual_seed(2**64), ValueError,
        "got 18446744073709551616"),
    bad("E37 a trainer with seed 'a'",
        lambda w: Trainer(w.model, w.loss, w.optimizer, seed="a").fit((X, Y)),
        TypeError, "got 'a'"),
    bad("E37 seed 1.5", lambda w: fastnn.manual_seed(1.5), TypeError, "integer seed, got 1.5"),
    bad("E40 a name as optimizer", lambda w: Trainer(w.model, w.loss, "adam"), TypeError,
        "Trainer: expected an Optimizer, got str"),
    bad("E40 an unknown metric",
        lambda w: Trainer(w.model, w.loss, w.optimizer, metrics=["acuracy"]),
        ValueError, r"metrics among \['accuracy', 'mae', .*got \['acuracy'\]"),
    bad("E40 an unknown reduction", lambda w: nn.CrossEntropyLoss(reduction="avg"), ValueError,
        "'mean', 'sum' or 'none', got 'avg'"),
    bad("E41 a group without parameters", lambda w: optim.SGD([{"lr": 1}]), ValueError,
        "SGD: expected a group with 'params', got .*'lr'"),
    bad("E41 no parameters", lambda w: optim.SGD(nn.ReLU().parameters()), ValueError,
        "expected parameters to optimize, got none"),
    bad("E42 a class as model", lambda w: Trainer(nn.ReLU, w.loss, w.optimizer), TypeError,
        "Trainer: expected a Module as model, got type"),
    bad("E42 a function as model", lambda w: Trainer(len, w.loss, w.optimizer), TypeError,
        "Trainer: expected a Module as model, got builtin"),
    bad("E48 shuffle 'yes'", lambda w: w.trainer.fit((X, Y), shuffle="yes"), TypeError,
        "expected shuffle to be True or False, got 'yes'"),
    bad("E49 an unknown argument of SGD", lambda w: optim.SGD(w.model.parameters(), rate=1),
        TypeError, "rate"),
    bad("E49 an unknown argument of fit", lambda w: w.trainer.fit((X, Y), epoch=3), TypeError,
        "epoch"),
]  # fmt: skip

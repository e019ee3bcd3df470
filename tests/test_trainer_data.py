"""Data of every size and type under `Trainer`: cast by the batch, streams, scalers in front."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import bits, mlp, peak_bytes, state_bits

import fastnn
from fastnn import Trainer, nn, optim
from fastnn.data import DataLoader, IterableDataset, MinMaxScale, Standardize, TensorDataset

_rng = np.random.default_rng(0)
X = _rng.integers(0, 9, (53, 4)).astype(np.float32)  # of these every type holds the same
Y = (X[:, 0] > 4).astype(np.int64) + (X[:, 1] > 6)


def trainer_of(model: nn.Module | None = None, **options: Any) -> Trainer:
    model = mlp(4, 8, 3) if model is None else model
    return Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.01), **options)


def results(trainer: Trainer, data: Any, inputs: Any, **options: Any) -> list[Any]:
    """All that a training and a look at its model give, to the bit."""
    history = trainer.fit(data, 2, 10, data, shuffle=False, verbose=0, **options)
    return [history.loss, history.val_loss, trainer.evaluate(data), state_bits(trainer.model),
            bits(trainer.predict(inputs))]  # fmt: skip


# --- types and layouts ---


def at_odd_addresses(array: np.ndarray) -> np.ndarray:
    raw = np.empty(array.nbytes + 1, np.uint8)[1:]
    out = raw.view(array.dtype).reshape(array.shape)
    out[...] = array
    assert not out.flags.aligned
    return out


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    **{dtype: lambda a, t=dtype: a.astype(t) for dtype in (
        "float64", "float16", "longdouble", "uint8", "int16", "uint64", ">f4", ">f8", ">i4", ">f2",
    )},
    "unaligned": at_odd_addresses,
    "unaligned float64": lambda a: at_odd_addresses(a.astype(np.float64)),
    "fortran >f8": lambda a: np.asfortranarray(a.astype(">f8")),
    "tensor of float64": lambda a: fastnn.Tensor.of(a.astype(np.float64)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_inputs_of_every_type_give_the_same_run(form: Any) -> None:
    given = form(X)
    assert results(trainer_of(), (given, Y), given) == results(trainer_of(), (X, Y), X)


@pytest.mark.parametrize("dtype", ["float64", "float16", ">f8", ">i4", "uint8"])
def test_targets_of_every_type_give_the_same_run(dtype: str) -> None:
    """Classes, and real numbers."""
    labels = Y if np.dtype(dtype).kind in "iu" else None
    for targets, loss, outputs in ((labels, nn.CrossEntropyLoss(), 3), (X[:, :1], nn.MSELoss(), 1)):
        if targets is None:
            continue
        runs = []
        for given in (targets, targets.astype(dtype)):
            model = mlp(4, 8, outputs)
            trainer = Trainer(model, loss, optim.SGD(model.parameters(), lr=0.01))
            runs.append(results(trainer, (X, given), X))
        assert runs[0] == runs[1]


@pytest.mark.parametrize("dtype", [">f8", ">i4", "float16", "longdouble", "uint8", "bool"])
def test_nothing_sees_a_type_that_is_not_computed_with(dtype: str) -> None:
    seen = set()

    def loss(outputs: Any, targets: Any) -> Any:
        seen.add(targets.dtype)
        return outputs.mean()

    class Front(Standardize):
        def forward(self, input: Any) -> Any:
            seen.add(input.dtype)
            return super().forward(input)

    model = nn.Sequential(Front().fit(X), nn.Linear(4, 1))
    trainer = Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1), metrics=(), compile=False)
    trainer.fit((X.astype(dtype), Y.astype(dtype)), epochs=1, verbose=0)
    known = {np.dtype(t) for t in ("float32", "float64", "int32", "uint8", "bool")}
    assert seen <= known


def test_what_does_not_fit_float32_is_infinite_and_seen() -> None:
    with pytest.raises(fastnn.NonFiniteError, match="epoch 1, batch 1"):
        trainer_of().fit((np.full((12, 4), 1e300), np.zeros(12, int)), verbose=0)


# --- memory ---

ROWS, FEATURES = 1 << 16, 128  # 32 MiB in float32
LIMIT = 10 << 20  # some batches, and 8 bytes a row for their order and for the outputs


def mapped(path: Path, dtype: Any, order: Any = "C") -> np.ndarray:
    """A file of zeros that takes no room on the disk, in memory row by row only."""
    shape = (ROWS, FEATURES)
    np.lib.format.open_memmap(path, "w+", dtype, shape, order == "F").flush()
    array: np.ndarray = np.load(path, mmap_mode="r")
    return array


@pytest.mark.parametrize(("dtype", "order", "scaled"), [
    ("float32", "C", False), ("float64", "C", False), ("uint8", "C", False), ("int64", "C", False),
    ("float16", "C", False), (">f4", "C", False), (">f8", "C", False), ("float64", "F", False),
    ("float64", "C", True), ("uint8", "C", True), (">f8", "C", True),
])  # fmt: skip
def test_a_mapped_file_is_never_in_memory_whole(
    dtype: str, order: str, scaled: bool, tmp_path: Path
) -> None:
    table, labels = mapped(tmp_path / "X.npy", dtype, order), np.zeros(ROWS, np.uint8)
    front = Standardize().fit(np.eye(FEATURES)) if scaled else nn.Identity()
    trainer = trainer_of(nn.Sequential(front, nn.Linear(FEATURES, 2)), metrics=())

    def work() -> None:
        trainer.fit((table, labels), epochs=1, batch_size=512, verbose=0)
        trainer.evaluate((table, labels))
        assert len(trainer.predict(table)) == ROWS

    assert peak_bytes(work) < LIMIT


def test_a_raw_file_behind_a_header_is_not_copied_either(tmp_path: Path) -> None:
    """Its numbers lie at odd addresses."""
    with (tmp_path / "raw").open("wb") as file:
        file.truncate(13 + 4 * ROWS * FEATURES)
    table = np.memmap(tmp_path / "raw", np.float32, "r", 13, (ROWS, FEATURES))
    assert not table.flags.aligned
    trainer = trainer_of(mlp(FEATURES, 2), metrics=())
    assert peak_bytes(lambda: trainer.predict(table)) < LIMIT


def test_an_array_of_the_models_type_is_used_as_it_is() -> None:
    table, labels = np.zeros((ROWS, FEATURES), np.float32), np.zeros(ROWS, np.int64)
    trainer = trainer_of(mlp(FEATURES, 2), metrics=())

    def work() -> None:
        trainer.fit((table, labels), epochs=1, batch_size=512, verbose=0)
        trainer.predict(table)

    assert peak_bytes(work) < LIMIT


def test_a_scaler_measures_a_mapped_file_block_by_block(tmp_path: Path) -> None:
    table = mapped(tmp_path / "X.npy", ">f8")
    for scaler in (Standardize(), MinMaxScale()):
        assert peak_bytes(lambda scaler=scaler: scaler.fit(table)) < 40 << 20  # 1M float64 a block


# --- scalers in front ---


def around(offset: float) -> np.ndarray:
    """Columns of offset +- 1, whose sign is the class: gone where they are rounded to float32."""
    return offset + np.where(_rng.random((200, 3)) < 0.5, -1.0, 1.0)


FRONTS: dict[str, Callable[[Any], nn.Module]] = {
    "first": lambda scaler: nn.Sequential(scaler, *mlp(3, 8, 2)),
    "nested": lambda scaler: nn.Sequential(nn.Sequential(nn.Sequential(scaler)), *mlp(3, 8, 2)),
    "behind flatten": lambda scaler: nn.Sequential(nn.Flatten(), nn.Identity(), scaler,
                                                   *mlp(3, 8, 2)),
}  # fmt: skip


@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS.keys())
@pytest.mark.parametrize("kind", [Standardize, MinMaxScale])
@pytest.mark.parametrize("dtype", ["float64", "int64", ">f8"])
def test_a_scaler_in_front_gets_the_digits(front: Any, kind: Any, dtype: str) -> None:
    table = around(1e8).astype(dtype)
    assert len(np.unique(table.astype(np.float32))) == 1
    labels = (table[:, 0] > 1e8).astype(np.int64)
    trainer = trainer_of(front(kind().fit(table)))
    history = trainer.fit((table, labels), 20, 20, (table, labels), verbose=0)
    assert history.metrics["val_accuracy"][-1] == 1
    assert trainer.evaluate((table, labels))["accuracy"] == 1
    outputs = trainer.predict(table)
    assert outputs.dtype == np.float32
    assert ((outputs[:, 1] > outputs[:, 0]) == labels).all()


def test_rows_scaled_before_are_the_same_run() -> None:
    """A scaler in front is no more than `transform`, rounded to the type of the weights."""
    table = around(1e8)
    labels = (table[:, 0] > 1e8).astype(np.int64)
    scaler = Standardize().fit(table)
    scaled = scaler.transform(table)
    inside = trainer_of(nn.Sequential(scaler, mlp(3, 8, 2)))
    outside = trainer_of(nn.Sequential(nn.Identity(), mlp(3, 8, 2)))
    runs = [
        trainer.fit((rows, labels), 3, 20, shuffle=False, verbose=0).loss
        for trainer, rows in ((inside, table), (outside, scaled))
    ]
    assert runs[0] == runs[1]
    assert bits(inside.predict(table)) == bits(outside.predict(scaled))


def test_a_float64_model_behind_a_scaler() -> None:
    table = around(0.5)
    model = nn.Sequential(Standardize().fit(table), nn.Linear(3, 1)).double()
    trainer = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    trainer.fit((table.astype(np.float32), table[:, :1]), 1, verbose=0)
    assert trainer.predict(table).dtype == np.float64


def test_a_model_of_ones_own_gets_the_type_of_its_weights() -> None:
    seen = set()

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.layer = Standardize().fit(X), nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            seen.add(x.dtype)
            return self.layer(self.scale(x))

    trainer_of(Own()).fit((X.astype(np.float64), Y), epochs=1, verbose=0)
    assert seen == {np.dtype(np.float32)}


# --- streams ---


class Stream(IterableDataset[Any]):
    """Rows one after another, and nobody knows how many."""

    def __init__(self, rows: int = 53, parts: int = 2) -> None:
        self.rows, self.parts = rows, parts

    def __iter__(self) -> Iterator[Any]:
        rows = zip(X[: self.rows], Y, strict=False)
        return (row if self.parts == 2 else row[0] for row in rows)


class Once(Stream):
    """A stream that cannot be started anew."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = super().__iter__()

    def __iter__(self) -> Iterator[Any]:
        return self.begun


STREAMS: dict[str, Callable[[], Any]] = {
    "data set": Stream,
    "loader": lambda: DataLoader(Stream(), 10),
    "batch sampler": lambda: DataLoader(TensorDataset(X, Y), batch_sampler=Slices()),
}


class Slices:
    """Batches of ten rows, as a sampler without a length."""

    def __iter__(self) -> Iterator[list[int]]:
        return (list(range(i, min(i + 10, 53))) for i in range(0, 53, 10))


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS.keys())
@pytest.mark.parametrize("options", [{}, {"accumulate": 4}])
def test_a_stream_is_the_same_run(make: Any, options: dict[str, Any]) -> None:
    one, two = trainer_of(**options), trainer_of(**options)
    history = one.fit(make(), epochs=2, batch_size=10, validation=make(), verbose=0)
    assert (one.epochs, one.batches) == (2, None)
    expected = two.fit((X, Y), 2, 10, (X, Y), shuffle=False, verbose=0)
    assert history.loss == expected.loss
    assert history.val_loss == pytest.approx(expected.val_loss, rel=1e-6)  # other batches
    assert state_bits(one.model) == state_bits(two.model)
    assert one.evaluate(make()) == pytest.approx(two.evaluate((X, Y)), rel=1e-6)
    assert bits(one.predict(make())) == bits(two.predict(X))
    assert bits(one.predict(Stream(parts=1))) == bits(two.predict(X))


def test_a_stream_has_a_bar_without_a_total(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    trainer_of().fit(Stream(), epochs=1, batch_size=10)
    bar = capfd.readouterr().err
    assert "epoch 1/1: 6batch [" in bar
    assert "accuracy" in bar


EMPTY = "expected at least one batch of training data, got none"


@pytest.mark.parametrize("data", [Stream(0), DataLoader(Stream(0)),
                                  DataLoader(Stream(9), 10, drop_last=True)])  # fmt: skip
def test_an_empty_stream(data: Any) -> None:
    trainer = trainer_of()
    before = state_bits(trainer.model)
    with pytest.raises(ValueError, match=f"fit: {EMPTY} in epoch 1"):
        trainer.fit(data, batch_size=10, verbose=0)
    assert state_bits(trainer.model) == before


def test_a_stream_that_cannot_start_anew() -> None:
    trainer = trainer_of()
    with pytest.raises(ValueError, match=f"fit: {EMPTY} in epoch 2"):
        trainer.fit(Once(), epochs=3, verbose=0)
    assert len(trainer.history) == 1
    for call in (trainer.evaluate, trainer.predict):
        with pytest.raises(ValueError, match="expected at least one row"):
            call(Stream(0))

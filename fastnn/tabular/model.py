"""A network with the columns it was trained on: one file, from which new tables are predicted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastnn.errors import FileFormatError
from fastnn.nn import Module
from fastnn.options import is_number
from fastnn.serialization import load_model, read_metadata, save_model
from fastnn.tabular.features import Categorical, Feature, Numeric, encode
from fastnn.tabular.scores import score
from fastnn.tabular.table import Table
from fastnn.tabular.target import Classes, Quantity, Target
from fastnn.training.evaluation import predict

__all__ = ["TableModel"]

_ENTRY, _VERSION = "fastnn.tabular", 1  # of the file's metadata
_ROWS = 4096  # at a time: no table is encoded whole


class TableModel:
    """Predicts a column of a table from its other columns.

    Args:
        features: The columns that it looks at, in the order of the network's inputs.
        target: What it predicts.
        network: Takes encoded rows, not yet scaled; gives logits (N, classes), or (N, 1) with mean
            0 and standard deviation 1.
        training: What is to be known of the training: numbers, text, lists and dicts.
    """

    def __init__(
        self,
        features: tuple[Feature, ...],
        target: Target,
        network: Module,
        training: Mapping[str, Any],
    ) -> None:
        self.features, self.target, self.network = features, target, network
        self.training = dict(training)

    # --- predictions ---

    def outputs(self, table: Table) -> NDArray[np.float64]:
        """Logits (N, classes), or the quantity (N,) in its own unit.

        Raises:
            ValueError: if a column is missing or a cell cannot be used; column and row are named.
        """
        raw = predict(self.network, self._encoded(table)).astype(np.float64)
        bad = ~np.isfinite(raw).all(axis=1)
        if bad.any():
            row = int(table.rows[int(bad.argmax())])
            raise ValueError(f"{table.path}: row {row}: the network's output is not finite; "
                             "is a value far beyond those of the training data?")  # fmt: skip
        if isinstance(self.target, Classes):
            return raw
        return self.target.mean + self.target.std * raw[:, 0]

    def probabilities(self, outputs: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """The probability (N,) of each class, by name, from the logits (N, classes).

        Raises:
            ValueError: if the target is a quantity.
        """
        if not isinstance(self.target, Classes):
            raise ValueError(f"expected a classification for probabilities; {self.target.name!r} "
                             "is a quantity, of which the model predicts the value")  # fmt: skip
        exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        shares = exponentials / exponentials.sum(axis=1, keepdims=True)
        return dict(zip(self.target.labels, shares.T, strict=True))

    def labels(self, outputs: NDArray[np.float64]) -> list[str]:
        """Predictions as a file has them: names of classes, or numbers."""
        if isinstance(self.target, Classes):
            return [self.target.labels[i] for i in outputs.argmax(axis=1)]
        return [repr(value) for value in outputs.tolist()]

    def evaluate(self, table: Table) -> dict[str, float]:
        """Compare predictions with the target that the table has.

        Returns:
            "accuracy" and "loss", or "rmse", "mae" and "r2".

        Raises:
            ValueError: as `outputs`, and for a target that is no class of this model, or no number.
        """
        return score(self.target, self.outputs(table), self.target.read(table))

    def unseen(self, table: Table) -> dict[str, NDArray[np.int64]]:
        """Rows with categories that were not in the training rows, by column."""
        found = {f.name: f.unseen(table) for f in self.features if isinstance(f, Categorical)}
        return {name: rows for name, rows in found.items() if len(rows)}

    def _encoded(self, table: Table) -> Iterator[NDArray[np.float64]]:
        for start in range(0, len(table), _ROWS):
            yield encode(
                self.features, table.take(np.arange(start, min(start + _ROWS, len(table))))
            )

    # --- files ---

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one safetensors file, whole or not at all.

        Raises:
            OSError: if it cannot be written.
        """
        entry = {
            "version": _VERSION,
            "features": [{"kind": _kind(f), **asdict(f)} for f in self.features],
            "target": {"kind": _kind(self.target), **asdict(self.target)},
            "training": self.training,
        }
        save_model(self.network.eval(), path, metadata={_ENTRY: entry})

    @staticmethod
    def is_in(metadata: Mapping[str, Any]) -> bool:
        """Whether a file with these metadata was written by `save`."""
        return _ENTRY in metadata

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            FileFormatError: if the file is damaged, or another one.
            OSError: if it cannot be read.
        """
        entry = read_metadata(path).get(_ENTRY)
        name = os.fspath(path)
        if entry is None:
            raise FileFormatError(f"{name}: expected a model that `fastnn train` wrote")
        network = load_model(path)
        try:
            if entry["version"] != _VERSION:
                raise ValueError(f"it has version {entry['version']!r:.20}, and this fastnn reads "
                                 f"{_VERSION}; install a newer one")  # fmt: skip
            features = tuple(_made(item, Numeric, Categorical) for item in entry["features"])
            target = _made(entry["target"], Classes, Quantity)
            model = cls(features, target, network, entry["training"])
            model._check()
        except (KeyError, TypeError, ValueError) as error:
            raise FileFormatError(f"{name}: expected a model of a table: {error}") from None
        return model

    def _check(self) -> None:
        """Refuse parts of a file that do not fit together."""
        rows, scores = (self.training.get(name) for name in ("rows", "scores"))
        if not isinstance(rows, int) or not isinstance(scores, dict) or not all(
            isinstance(values, dict) and values and all(map(is_number, values.values()))
            for values in scores.values()
        ):  # fmt: skip
            raise ValueError(f"expected rows and scores of the training, got {self.training!r:.60}")
        row = np.zeros((1, sum(feature.width for feature in self.features)))
        outputs = self.network(row).shape
        expected = (1, len(self.target.labels) if isinstance(self.target, Classes) else 1)
        if outputs != expected:
            raise ValueError(f"expected outputs of shape {expected}, got {outputs}")


def _kind(part: Feature | Target) -> str:
    return type(part).__name__.lower()


def _made(item: Any, *kinds: Any) -> Any:
    """A feature or target from its entry; TypeError or ValueError if it is none."""
    fields = dict(item)
    kind = next((k for k in kinds if k.__name__.lower() == fields.get("kind")), None)
    if kind is None:
        raise ValueError(f"got {fields.get('kind')!r:.40} among its parts")
    del fields["kind"]
    part = kind(**fields)
    for name, annotation in kind.__annotations__.items():
        value = getattr(part, name)
        if not _TYPES[annotation](value):
            raise TypeError(f"expected {name} as {annotation}, got {value!r:.40}")
    return part


_TYPES: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "float": lambda value: isinstance(value, float),
    "bool": lambda value: isinstance(value, bool),
    "tuple[str, ...]": lambda value: (
        isinstance(value, tuple) and all(isinstance(text, str) for text in value)
    ),
}

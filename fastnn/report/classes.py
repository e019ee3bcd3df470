"""The part of a report on classes: what was taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import plot
from fastnn.confusion import Confusion
from fastnn.report.page import Page
from fastnn.tensor import as_array

__all__ = ["ClassAnswers", "probabilities"]

_DRAWN = 40  # mistakes as images
_LISTED = 15  # mistakes as lines
_CLASSES = 100  # lines of the table of classes


class ClassAnswers:
    """A classifier's answers, and the section that shows them.

    Args:
        targets: True classes.
        outputs: Logits or probabilities.
        names: Of the classes.
        images: To draw mistakes; None for other data.
        rows: What the rows are called; None for their numbers.
    """

    def __init__(
        self,
        targets: Any,
        outputs: Any,
        names: Sequence[object] | None,
        images: Any,
        rows: Sequence[object] | None,
    ) -> None:
        self.shares = probabilities(outputs)
        self.seen = Confusion(targets, self.shares, names)
        for name, given in (("images", images), ("rows", rows)):
            if given is not None and len(given) != len(self.shares):
                raise ValueError(f"report: expected {len(self.shares)} {name}, one a row of the "
                                 f"outputs, got {len(given)}")  # fmt: skip
        self.images = images
        self.rows = range(len(self.shares)) if rows is None else rows

    def first(self) -> dict[str, str]:
        """The numbers to see first."""
        return {"accuracy": f"{100 * self.seen.accuracy:.2f} %", "rows": f"{len(self.shares):,}",
                "classes": f"{len(self.seen.names):,}"}  # fmt: skip

    def add(self, page: Page) -> None:
        """Put the section on the page."""
        seen = self.seen
        page.heading("Confusion matrix")
        page.picture("confusion", plot.confusion_matrix(seen.targets, seen.predicted, seen.names),
                     "How many rows of each true class (from top to bottom) were taken for which "
                     "class (from left to right).")  # fmt: skip
        page.heading("Classes")
        self._classes(page)
        wrong = self._worst()
        if len(wrong):
            page.heading("Worst mistakes")
            self._mistakes(page, wrong)

    def _classes(self, page: Page) -> None:
        seen = self.seen
        chosen = seen.hardest(_CLASSES)
        if len(chosen) < len(seen.names):
            page.paragraph(f"The {_CLASSES} of {len(seen.names):,} classes with most mistakes.")
        page.table(
            ["class", "rows", "precision", "recall", "F1", "mostly taken for"],
            [(seen.names[c], f"{seen.support[c]:,}", *map(_percent, measured), self._rival(c))
             for c, *measured in zip(chosen, seen.precision[chosen], seen.recall[chosen],
                                     seen.f1[chosen], strict=True)],
        )  # fmt: skip
        page.paragraph("Precision: of the rows predicted as the class, the share that is of it. "
                       "Recall: of the rows of the class, the share that was found. "
                       "F1: their harmonic mean.")  # fmt: skip

    def _rival(self, c: int) -> str:
        """What a class is mostly taken for where it is not found."""
        seen = self.seen
        wrong = seen.predicted[(seen.targets == c) & (seen.predicted != c)]
        if not len(wrong):
            return ""
        rival = int(np.bincount(wrong).argmax())
        return f"{seen.names[rival]} ({(wrong == rival).sum():,})"

    def _worst(self) -> NDArray[np.intp]:
        """The wrong rows, from the one whose true class was thought least likely."""
        wrong = np.flatnonzero(self.seen.targets != self.seen.predicted)
        return wrong[np.argsort(self.shares[wrong, self.seen.targets[wrong]], kind="stable")]

    def _mistakes(self, page: Page, wrong: NDArray[np.intp]) -> None:
        seen = self.seen
        if self.images is not None:
            some = wrong[:_DRAWN]
            figure = plot.digits(as_array(self.images)[some], seen.targets[some],
                                 seen.predicted[some], seen.names, limit=_DRAWN)  # fmt: skip
            page.picture("mistakes", figure, f"True class → predicted class: the {len(some)} of "
                         f"{len(wrong):,} mistakes in which the true class was thought least "
                         "likely, from the worst.")  # fmt: skip
        page.table(
            ["row", "true class", "predicted class", "probability of the true", "of the predicted"],
            [(str(self.rows[i]), seen.names[seen.targets[i]], seen.names[seen.predicted[i]],
              _percent(self.shares[i, seen.targets[i]]),
              _percent(self.shares[i, seen.predicted[i]])) for i in wrong[:_LISTED]],
        )  # fmt: skip


def probabilities(outputs: Any) -> NDArray[np.float64]:
    """Outputs as probabilities of classes, (N, C).

    Rows that are at least 0 and add up to 1 are taken for probabilities, as is one column within 0
    to 1; all else is logits: softmax of a row, the logistic function of one column.

    Raises:
        ValueError: for another shape, or NaN or infinity.

    >>> probabilities([[0.0, 0.0]]).tolist(), probabilities([0.25]).tolist()
    ([[0.5, 0.5]], [[0.75, 0.25]])
    """
    z = as_array(outputs).astype(np.float64)
    if z.ndim not in (1, 2) or not z.size:
        raise ValueError(f"report: expected outputs of shape (N, C) or (N,), N and C > 0, "
                         f"got {z.shape}")  # fmt: skip
    bad = ~np.isfinite(z.reshape(len(z), -1)).all(1)
    if bad.any():
        raise ValueError(f"report: expected finite outputs, got NaN or infinity in row "
                         f"{int(bad.argmax())}")  # fmt: skip
    if z.ndim == 1 or z.shape[1] == 1:
        z = z.reshape(-1)
        if not ((z >= 0) & (z <= 1)).all():
            z = np.exp(-np.logaddexp(0, -z))
        return np.column_stack([1 - z, z])
    if (z >= 0).all() and np.allclose(z.sum(1), 1, atol=1e-3):
        return z
    powers = np.exp(z - z.max(1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return shares


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.2f} %"

"""The part of a report on numbers: predicted beside true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import plot
from fastnn.plot.numbers import columns_of, measure
from fastnn.report.page import Page

__all__ = ["NumberAnswers"]

_LISTED = 15  # errors as lines
_PANELS = 9  # columns that are drawn


class NumberAnswers:
    """A regression's answers, and the section that shows them.

    Args:
        targets: True numbers.
        outputs: Predicted ones.
        names: Of the columns.
        rows: What the rows are called; None for their numbers.
    """

    def __init__(
        self,
        targets: Any,
        outputs: Any,
        names: Sequence[object] | None,
        rows: Sequence[object] | None,
    ) -> None:
        self.true, self.given = columns_of(targets, outputs)
        n, k = self.true.shape
        default = ["target"] if k == 1 else [f"target {i}" for i in range(k)]
        self.names = [str(name) for name in (default if names is None else names)]
        if len(self.names) != k:
            raise ValueError(f"report: expected {k} names, one a column, got {len(self.names)}")
        if rows is not None and len(rows) != n:
            raise ValueError(f"report: expected {n} rows, one a row of the outputs, "
                             f"got {len(rows)}")  # fmt: skip
        self.rows = range(n) if rows is None else rows

    def first(self) -> dict[str, str]:
        """The numbers to see first."""
        told = {"R²": f"{measure('r2', self.true, self.given):.4f}"}
        if len(self.names) == 1:
            told["RMSE"] = f"{measure('rmse', self.true, self.given):.4g}"
        return {**told, "rows": f"{len(self.true):,}"}

    def add(self, page: Page) -> None:
        """Put the section on the page."""
        page.heading("Predicted and true")
        drawn = slice(_PANELS)
        figure = plot.predictions(self.true[:, drawn], self.given[:, drawn],
                                  names=self.names[drawn])  # fmt: skip
        page.picture("predictions", figure, "Points on the line are right; those above it were "
                     "predicted too high.")  # fmt: skip
        page.table(["", "R²", "RMSE", "mean absolute error", "RMSE of the mean"],
                   map(self._measured, range(len(self.names))))  # fmt: skip
        page.paragraph("RMSE: root of the mean squared error; beside it, that of always "
                       "predicting the mean of these rows. R²: the share of the variance that is "
                       "explained.")  # fmt: skip
        page.heading("Largest errors")
        self._errors(page)

    def _measured(self, k: int) -> tuple[str, ...]:
        true, given = self.true[:, k], self.given[:, k]
        r2, rmse, mae = (measure(name, true, given) for name in ("r2", "rmse", "mae"))
        return (self.names[k], f"{r2:.4f}", f"{rmse:.4g}", f"{mae:.4g}", f"{true.std():.4g}")

    def _errors(self, page: Page) -> None:
        """The rows with the largest errors; of several columns, in units of their spread."""
        errors = self.given - self.true
        spread = self.true.std(0)
        sizes = np.abs(errors) / np.where(spread > 0, spread, 1)
        order = np.argsort(-sizes.ravel(), kind="stable")[:_LISTED]
        several = len(self.names) > 1
        page.table(
            ["row", *["column"] * several, "true", "predicted", "error"],
            [(str(self.rows[i]), *[self.names[k]] * several, f"{self.true[i, k]:.5g}",
              f"{self.given[i, k]:.5g}", f"{errors[i, k]:+.4g}")
             for i, k in zip(*np.unravel_index(order, errors.shape), strict=True)],
        )  # fmt: skip

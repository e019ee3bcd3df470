"""Scores as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["UNITS", "score_table", "told"]

UNITS = {"accuracy": "accuracy", "loss": "log loss", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}


def told(name: str, value: float) -> str:
    """A score in its own digits.

    >>> told("accuracy", 0.965), told("r2", 0.87654), told("rmse", 23563.7892)
    ('96.50 %', '0.8765', '23564')
    """
    if name == "accuracy":
        return f"{100 * value:.2f} %"
    if name in ("loss", "r2"):
        return f"{value:.4f}"
    return f"{value:.5g}"


def score_table(scores: Mapping[str, Mapping[str, float]]) -> str:
    """One row for each of several models, one column for each score.

    >>> print(score_table({"network": {"accuracy": 0.9, "loss": 0.25}}))
             accuracy  log loss
    network   90.00 %    0.2500
    """
    names = list(next(iter(scores.values())))
    rows = [["", *(UNITS[name] for name in names)]]
    rows += [[who, *(told(name, values[name]) for name in names)] for who, values in scores.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = row
    cells = [first.ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
    return "  ".join(cells)

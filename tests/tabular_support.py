"""Small tables for the tests of `fastnn.tabular` and of the commands that use it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.tabular import Table
from fastnn.tabular.cells import as_cells


def table_of(**columns: Sequence[Any]) -> Table:
    """A table of some columns; values are written as `str` writes them."""
    return Table("t.csv", {name: as_cells(map(str, cells)) for name, cells in columns.items()})


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    """A plain CSV file; values must need no quotes."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def flowers(rows: int = 60, seed: int = 0) -> dict[str, list[Any]]:
    """Two numbers and a colour, which tell the kind "big" from "small" but for some noise."""
    rng = np.random.default_rng(seed)
    length, width = rng.uniform(1, 5, rows).round(3), rng.normal(10, 2, rows).round(3)
    red = rng.integers(0, 2, rows)
    big = length + 0.3 * (width - 10) + red > 3.5
    return {
        "length": length.tolist(),
        "width": width.tolist(),
        "colour": np.where(red, "red", "blue").tolist(),
        "kind": np.where(big, "big", "small").tolist(),
    }


def prices(rows: int = 60, seed: int = 0) -> dict[str, list[Any]]:
    """A price that is nearly linear in two numbers and a place."""
    rng = np.random.default_rng(seed)
    area, age = rng.uniform(30, 200, rows).round(1), rng.integers(0, 80, rows)
    place = rng.integers(0, 3, rows)
    price = 1000 * area - 300 * age + 20_000 * place + rng.normal(0, 3000, rows)
    return {
        "area": area.tolist(),
        "age": age.tolist(),
        "place": np.array(["north", "south", "centre"])[place].tolist(),
        "price": price.round(2).tolist(),
    }

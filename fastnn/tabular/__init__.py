r"""Networks for tables: what `fastnn train`, `predict` and `evaluate` do, without a command line.

>>> import tempfile, os
>>> from fastnn.tabular import read_table, train_table
>>> path = os.path.join(tempfile.mkdtemp(), "data.csv")
>>> with open(path, "w") as file:
...     _ = file.write("x,y\n" + "".join(f"{x},{x >= 50}\n" for x in range(100)))
>>> trained = train_table(read_table(path), "y")
>>> trained.scores["network"]["accuracy"] > 0.9
True
"""

from fastnn.tabular.model import TableModel
from fastnn.tabular.reading import read_table
from fastnn.tabular.table import Table
from fastnn.tabular.train import Options, Trained, Validation, train_table

__all__ = ["Options", "Table", "TableModel", "Trained", "Validation", "read_table", "train_table"]

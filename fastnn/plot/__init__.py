"""Pictures of a training, of its mistakes and of weights, drawn by matplotlib (`fastnn[plot]`).

Each function returns a matplotlib `Figure`, which a notebook shows; none opens a window, uses
pyplot, or changes its state. matplotlib is loaded when the first picture is drawn.
"""

from fastnn.plot.classes import *
from fastnn.plot.images import *
from fastnn.plot.lines import *
from fastnn.plot.numbers import *

__all__ = ["confusion_matrix", "curves", "digits", "history", "learning_rate", "predictions",
           "weights"]  # fmt: skip

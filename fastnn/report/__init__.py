"""A training as one HTML file: curves, mistakes, settings; `fastnn[plot]` brings what it needs."""

from fastnn.report.document import *

__all__ = ["prepare", "write"]

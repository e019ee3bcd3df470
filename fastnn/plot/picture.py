"""matplotlib's figure, which a notebook shows without pyplot; this file alone loads matplotlib."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["Picture"]


class Picture(Figure):
    """A figure that a notebook shows where a cell ends with it, at the size it was made for."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        png = io.BytesIO()
        self.savefig(png, format="png")
        width, height = self.get_size_inches()
        return png.getvalue(), {"width": round(96 * width), "height": round(96 * height)}

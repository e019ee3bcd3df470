"""What a drawn figure shows: its pixels, and whether all of it is within."""

import io
from typing import Any

import numpy as np
from PIL import Image


def grey(figure: Any) -> np.ndarray:
    """The picture as a greyscale printer has it, 0 to 255."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return np.asarray(Image.open(png).convert("L"))


def is_blank(figure: Any) -> bool:
    """Whether there is next to no ink inside of its axes."""
    pixels = grey(figure)
    left, bottom, right, top = figure.axes[0].get_window_extent().extents.astype(int)
    inside = pixels[len(pixels) - top : len(pixels) - bottom, left:right]
    return bool((inside < 180).mean() < 0.005)


def overhang(figure: Any) -> float:
    """By how many pixels what is drawn reaches out of the figure."""
    figure.savefig(io.BytesIO(), format="png")  # lays it out
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return float(figure.dpi * max(-drawn.x0, -drawn.y0, drawn.x1 - width, drawn.y1 - height))

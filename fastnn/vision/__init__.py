"""Image data sets and transforms, with torchvision's names and meaning."""

from fastnn.vision import datasets, transforms
from fastnn.vision.idx import read_idx

__all__ = ["datasets", "read_idx", "transforms"]

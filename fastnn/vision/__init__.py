"""Image data sets and transforms, with torchvision's names and meaning."""

from fastnn.vision import datasets, transforms
from fastnn.vision.idx import read_idx
from fastnn.vision.images import load_image

__all__ = ["datasets", "load_image", "read_idx", "transforms"]

"""Image transforms with torchvision's names, applied to a whole batch at once where they can be.

A transform is called with one image and gives one image. Data sets instead call `batch` with all
images of a batch; it must give what the images one by one would give, and does it faster.

There are two kinds of image: raw ones, NumPy arrays of shape (H, W) or (H, W, C) or Pillow
images; and, from `ToTensor` on, Tensors of shape (C, H, W). A batch has an axis more in front;
Pillow images, and arrays that differ in size, make a list.
"""

from fastnn.missing import refusal as _refusal
from fastnn.vision.transforms.base import Compose, Lambda, Transform, apply_batch
from fastnn.vision.transforms.color import Grayscale, Invert, RandomInvert
from fastnn.vision.transforms.geometry import CenterCrop, InterpolationMode, Resize
from fastnn.vision.transforms.values import ConvertImageDtype, Normalize, PILToTensor, ToTensor

__all__ = [
    "CenterCrop",
    "Compose",
    "ConvertImageDtype",
    "Grayscale",
    "InterpolationMode",
    "Invert",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "RandomInvert",
    "Resize",
    "ToTensor",
    "Transform",
    "apply_batch",
]


def __getattr__(name: str) -> object:
    raise _refusal("fastnn.vision.transforms", name, __all__)

"""Transforms of size."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.options import whole
from fastnn.tensor import Tensor, as_array
from fastnn.vision.images import pillow
from fastnn.vision.transforms.base import Transform, is_picture, to_pixels

__all__ = ["CenterCrop", "InterpolationMode", "Resize"]


class InterpolationMode(Enum):
    """How values between pixels are found; the names are Pillow's and torchvision's.

    >>> InterpolationMode("bicubic").name
    'BICUBIC'
    """

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


class Resize(Transform):
    """Bring an image to a size, by Pillow's filters.

    They are wide enough not to alias when an image shrinks, for Tensors too.

    Args:
        size: (height, width); or the length of the shorter side, where the longer one follows
            so that the shape stays.
        interpolation: A mode or its name, such as "bilinear".
        max_size: The longer side's greatest length, where `size` is one number.
        antialias: True; there for torchvision's sake.

    Raises:
        TypeError: if a size is not an integer, or an image neither bytes nor float32.
        ValueError: if a size is below 1, or an option is none that there is.

    >>> Resize(14)(np.zeros((28, 56), np.uint8)).shape
    (14, 28)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode | str = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        self.size = _checked_size("Resize", size)
        if antialias is False:
            raise ValueError("Resize: expected antialias=True, as Pillow always does, got False")
        modes = [mode.value for mode in InterpolationMode]
        if not isinstance(interpolation, InterpolationMode) and interpolation not in modes:
            raise ValueError(f"Resize: expected interpolation in {modes}, got {interpolation!r}")
        if max_size is not None and (len(self.size) == 2 or max_size <= self.size[0]):
            raise ValueError(
                f"Resize: expected max_size above size, and size as one number with it, got "
                f"size {size} and max_size {max_size}"
            )
        self.interpolation = InterpolationMode(interpolation)
        self.max_size, self.antialias = max_size, antialias

    def __call__(self, image: Any, /) -> Any:
        """Resize one image."""
        if isinstance(image, Tensor):
            return Tensor.of(self._planes(as_array(image)))
        if is_picture(image):
            height, width = self._target(image.height, image.width)
            unchanged = (width, height) == image.size
            return image if unchanged else image.resize((width, height), self._filter())
        pixels = to_pixels(image, "Resize")
        if pixels.ndim == 2:
            return self._planes(pixels)
        if pixels.ndim != 3:
            raise ValueError(
                f"Resize: expected an image of shape (H, W) or (H, W, C), got {pixels.shape}; "
                "call .batch for several at once"
            )
        return self.batch(pixels[None])[0]

    def batch(self, images: Any) -> Any:
        """Resize all images."""
        if isinstance(images, Tensor):
            return self(images)
        if not isinstance(images, np.ndarray):
            return super().batch(images)
        if images.ndim == 3:
            return self._planes(images)
        return np.moveaxis(self._planes(np.moveaxis(images, -1, -3)), -3, -1)

    def __repr__(self) -> str:
        size = self.size[0] if len(self.size) == 1 else self.size
        return f"Resize(size={size}, interpolation={self.interpolation.value})"

    def _planes(self, values: NDArray[Any]) -> NDArray[Any]:
        """Resize the last two axes of an array (..., H, W), one plane at a time."""
        if values.ndim < 2 or 0 in values.shape[-2:]:
            raise ValueError(f"Resize: expected images (..., H, W), got shape {values.shape}")
        if values.dtype not in (np.uint8, np.float32):
            raise TypeError(f"Resize: expected bytes or float32 values, got {values.dtype}")
        *front, height, width = values.shape
        size = self._target(height, width)
        if size == (height, width):
            return values
        Image, method = pillow("Resize"), self._filter()
        out = np.empty((int(np.prod(front)), *size), values.dtype)
        for plane, resized in zip(values.reshape(len(out), height, width), out, strict=True):
            resized[...] = Image.fromarray(plane).resize(size[::-1], method)
        return out.reshape(*front, *size)

    def _filter(self) -> Any:
        return getattr(pillow("Resize").Resampling, self.interpolation.name)

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if len(self.size) == 2:
            return self.size[0], self.size[1]
        short, long = min(height, width), max(height, width)
        side, other = self.size[0], int(self.size[0] * long / short)
        if self.max_size is not None and other > self.max_size:
            side, other = max(1, int(self.max_size * side / other)), self.max_size
        return (side, other) if height <= width else (other, side)


class CenterCrop(Transform):
    """Cut the middle out of an image; where it is smaller, zeros are put around it first.

    Args:
        size: (height, width), or one number for both.

    Raises:
        TypeError: if a size is not an integer.
        ValueError: if it is below 1.

    >>> CenterCrop(2)(np.arange(16).reshape(4, 4)).tolist()
    [[5, 6], [9, 10]]
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        sizes = _checked_size("CenterCrop", size)
        self.size = (sizes[0], sizes[-1])

    def __call__(self, image: Any, /) -> Any:
        """Crop one image."""
        if isinstance(image, Tensor):
            return Tensor.of(self._cropped(as_array(image), -2))
        if not is_picture(image):
            return self._cropped(to_pixels(image, "CenterCrop"), 0)
        height, width = self.size
        top, left = _start(image.height, height), _start(image.width, width)
        return image.crop((left, top, left + width, top + height))

    def batch(self, images: Any) -> Any:
        """Crop all images."""
        if isinstance(images, Tensor):
            return self(images)
        if isinstance(images, np.ndarray):
            return self._cropped(images, 1)
        return super().batch(images)

    def __repr__(self) -> str:
        return f"CenterCrop(size={self.size})"

    def _cropped(self, values: NDArray[Any], first: int) -> NDArray[Any]:
        """Crop an array at its axes `first` and `first` + 1, height and width."""
        if values.ndim < 2:
            raise ValueError(f"CenterCrop: expected images (..., H, W), got shape {values.shape}")
        for axis, wanted in enumerate(self.size, start=first % values.ndim):
            start = _start(values.shape[axis], wanted)
            before, after = max(0, -start), max(0, start + wanted - values.shape[axis])
            pads = [(before, after) if i == axis else (0, 0) for i in range(values.ndim)]
            padded = np.pad(values, pads) if before or after else values
            values = np.take(padded, range(start + before, start + before + wanted), axis)
        return values


def _start(length: int, wanted: int) -> int:
    """Where the middle `wanted` of `length` begin; torchvision rounds half to even inside."""
    return round((length - wanted) / 2) if length >= wanted else -((wanted - length) // 2)


def _checked_size(who: str, size: int | Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(size) if isinstance(size, tuple | list) else (size,)
    if len(sizes) not in (1, 2):
        raise ValueError(f"{who}: expected size as one number or (height, width), got {size}")
    return tuple(whole(who, "size", n, 1) for n in sizes)

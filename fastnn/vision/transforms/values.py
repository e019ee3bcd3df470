"""From raw images to Tensors, and the values of Tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data.collate import stack_arrays
from fastnn.tensor import Tensor, as_array
from fastnn.vision.transforms.base import Transform, to_pixels

__all__ = ["ConvertImageDtype", "Normalize", "PILToTensor", "ToTensor"]


class PILToTensor(Transform):
    """Make a Tensor (C, H, W) of a raw image; types and values stay as they are.

    Raises:
        TypeError: if the image is neither an array nor a Pillow image.
        ValueError: if it has not two or three dimensions.

    >>> PILToTensor()(np.array([[0, 255]], np.uint8)).tolist()
    [[[0, 255]]]
    """

    def __call__(self, image: Any, /) -> Tensor:
        """Convert one image: (H, W) or (H, W, C) to (C, H, W)."""
        who = type(self).__name__
        pixels = to_pixels(image, who)
        if pixels.ndim not in (2, 3):
            raise ValueError(
                f"{who}: expected an image of shape (H, W) or (H, W, C), "
                f"got {pixels.shape}; call .batch for several at once"
            )
        return Tensor.of(self._values(_channels_first(pixels[None])[0]))

    def batch(self, images: Any) -> Tensor:
        """Convert all images: (B, H, W) or (B, H, W, C) to (B, C, H, W)."""
        if isinstance(images, np.ndarray) and images.ndim in (3, 4):
            return Tensor.of(self._values(_channels_first(images)))
        if isinstance(images, Tensor):
            return self(images)
        return Tensor.of(stack_arrays([self(image) for image in images]))

    def _values(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels


class ToTensor(PILToTensor):
    """Make a Tensor (C, H, W) of a raw image, scaling bytes 0 .. 255 to float32 in [0, 1].

    out = x / 255 for uint8; other types keep their type and values, as in torchvision. A Tensor
    is taken to have its channels first already and is only scaled.

    Raises:
        TypeError: if the image is neither an array, a Tensor nor a Pillow image.
        ValueError: if it has not two or three dimensions.

    >>> ToTensor()(np.array([[0, 51], [102, 255]], np.uint8)).tolist()
    [[[0.0, 0.20000000298023224], [0.4000000059604645, 1.0]]]
    """

    def __call__(self, image: Any, /) -> Tensor:
        """Convert one image: (H, W) or (H, W, C) to (C, H, W)."""
        if isinstance(image, Tensor):
            return Tensor.of(_scaled(as_array(image)))
        return super().__call__(image)

    def batch(self, images: Any) -> Tensor:
        """Convert all images: (B, H, W) or (B, H, W, C) to (B, C, H, W)."""
        return super().batch(images)

    def _values(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return _scaled(pixels)


class ConvertImageDtype(Transform):
    """Convert a Tensor to another type; bytes 0 .. 255 stand for floats in [0, 1].

    To bytes: floor(x * 255.999), as in torchvision. Between floating-point types values stay.

    Args:
        dtype: `fastnn.uint8`, `float32` or `float64`.

    Raises:
        TypeError: for other types, or if an image is not a Tensor.
        ValueError: if a value that is to become a byte lies outside [0, 1].

    >>> ConvertImageDtype(np.uint8)(Tensor.of(np.array([[[0.0, 0.5, 1.0]]]))).tolist()
    [[[0, 127, 255]]]
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._check(self.dtype)

    def __call__(self, image: Tensor, /) -> Tensor:
        """Convert one image (C, H, W), or several (B, C, H, W)."""
        if not isinstance(image, Tensor):
            kind = type(image).__name__
            raise TypeError(
                f"ConvertImageDtype: expected a Tensor, got {kind}; put PILToTensor() before it"
            )
        x = as_array(image)
        self._check(x.dtype)
        if x.dtype == self.dtype:
            return image
        if x.dtype == np.uint8:
            return Tensor.of(np.divide(x, self.dtype.type(255), dtype=self.dtype))
        if self.dtype != np.uint8:
            return Tensor.of(x.astype(self.dtype))
        if not ((x >= 0) & (x <= 1)).all():
            raise ValueError("ConvertImageDtype: expected values from 0 to 1 to make bytes of, "
                             f"got {x.min()} to {x.max()}")  # fmt: skip
        return Tensor.of((x * x.dtype.type(255.999)).astype(np.uint8))

    def batch(self, images: Tensor) -> Tensor:
        """Convert all images (B, C, H, W)."""
        return self(images)

    def __repr__(self) -> str:
        return f"ConvertImageDtype(dtype={self.dtype})"

    @staticmethod
    def _check(dtype: np.dtype[Any]) -> None:
        if dtype not in (np.uint8, np.float32, np.float64):
            raise TypeError(f"ConvertImageDtype: expected uint8, float32 or float64, got {dtype}")


class Normalize(Transform):
    """Shift and scale each channel: out = (x - mean[c]) / std[c].

    Args:
        mean: One number for each channel, or a single one.
        std: Likewise; not zero.

    Raises:
        TypeError: if an image is not a floating-point Tensor.
        ValueError: if `std` holds zero, or the channels of image, `mean` and `std` differ.

    >>> Normalize((0.5,), (0.25,))(Tensor.of(np.ones((1, 1, 2), np.float32))).tolist()
    [[[2.0, 2.0]]]
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean, self.std = mean, std
        self._mean, self._std = _per_channel("mean", mean), _per_channel("std", std)
        if not self._std.all():
            raise ValueError(f"Normalize: expected std without zeros, got {std}")

    def __call__(self, image: Tensor, /) -> Tensor:
        """Normalize one image (C, H, W), or several (B, C, H, W)."""
        x = self._checked(image)
        out = x - self._mean.astype(x.dtype)
        out /= self._std.astype(x.dtype)
        return Tensor.of(out)

    def batch(self, images: Tensor) -> Tensor:
        """Normalize all images (B, C, H, W)."""
        return self(images)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"

    def _checked(self, image: Tensor) -> NDArray[Any]:
        x = as_array(image) if isinstance(image, Tensor) else image
        if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
            kind = getattr(x, "dtype", type(x).__name__)
            raise TypeError(
                f"Normalize: expected a floating-point Tensor, got {kind}; put ToTensor() before it"
            )
        channels = x.shape[-3] if x.ndim >= 3 else None
        if channels is None or any(v.size not in (1, channels) for v in (self._mean, self._std)):
            raise ValueError(
                f"Normalize: expected shape (..., C, H, W) with as many channels as mean and std "
                f"({self._mean.size} and {self._std.size}), got {x.shape}"
            )
        return x


def _channels_first(images: NDArray[Any]) -> NDArray[Any]:
    """(B, H, W) or (B, H, W, C) to contiguous (B, C, H, W)."""
    if images.ndim == 3:
        return np.ascontiguousarray(images[:, None])
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def _scaled(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.dtype != np.uint8:
        return pixels
    scaled: NDArray[Any] = np.divide(pixels, np.float32(255), dtype=np.float32)
    return scaled


def _per_channel(name: str, values: float | Sequence[float]) -> NDArray[np.float64]:
    """Shape (C, 1, 1), to broadcast over (..., C, H, W)."""
    array = np.atleast_1d(np.asarray(values, np.float64))
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"Normalize: expected finite numbers as {name}, got {values}")
    return array.reshape(-1, 1, 1)

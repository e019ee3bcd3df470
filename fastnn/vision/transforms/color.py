"""Transforms of colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.options import share
from fastnn.random import default_generator
from fastnn.tensor import Tensor, as_array
from fastnn.vision.images import pillow
from fastnn.vision.transforms.base import Transform, is_picture, to_pixels

__all__ = ["Grayscale", "Invert", "RandomInvert"]


class Grayscale(Transform):
    """Make an image grey: L = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).

    Raw bytes are rounded as Pillow rounds them. What is grey already stays as it is; an alpha
    channel is dropped.

    Args:
        num_output_channels: 1, or 3 for R = G = B. Arrays of one channel have shape (H, W).

    Raises:
        TypeError: if an image is of a kind or type that has no grey.
        ValueError: if `num_output_channels` or the image's number of channels is another.

    >>> Grayscale()(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).tolist()
    [[76, 150, 29]]
    """

    def __init__(self, num_output_channels: int = 1) -> None:
        if num_output_channels not in (1, 3):
            raise ValueError(
                f"Grayscale: expected num_output_channels of 1 or 3, got {num_output_channels}"
            )
        self.num_output_channels = num_output_channels

    def __call__(self, image: Any, /) -> Any:
        """Convert one image."""
        if isinstance(image, Tensor):
            return self._tensors(image)
        if is_picture(image):
            grey = image.convert("L")
            return grey.convert("RGB") if self.num_output_channels == 3 else grey
        pixels = to_pixels(image, "Grayscale")
        if pixels.ndim not in (2, 3):
            raise ValueError(
                f"Grayscale: expected an image of shape (H, W) or (H, W, C), got {pixels.shape}; "
                "call .batch for several at once"
            )
        return self._arrays(pixels[..., None] if pixels.ndim == 2 else pixels)

    def batch(self, images: Any) -> Any:
        """Convert all images: (B, H, W) or (B, H, W, C) to (B, H, W) or (B, H, W, 3)."""
        if isinstance(images, Tensor):
            return self._tensors(images)
        if isinstance(images, np.ndarray):
            return self._arrays(images[..., None] if images.ndim == 3 else images)
        return super().batch(images)

    def __repr__(self) -> str:
        return f"Grayscale(num_output_channels={self.num_output_channels})"

    def _arrays(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """(..., H, W, C) to (..., H, W) or (..., H, W, 3)."""
        grey = _grey(pixels)
        return np.repeat(grey[..., None], 3, -1) if self.num_output_channels == 3 else grey

    def _tensors(self, image: Tensor) -> Tensor:
        """(..., C, H, W) to (..., 1 or 3, H, W)."""
        x = as_array(image)
        if x.ndim < 3:
            raise ValueError(f"Grayscale: expected a Tensor of shape (..., C, H, W), got {x.shape}")
        grey = _grey(np.moveaxis(x, -3, -1))
        return Tensor.of(np.repeat(grey[..., None, :, :], self.num_output_channels, -3))


class Invert(Transform):
    """Turn light into dark: out = 255 - x for bytes, 1 - x for floating-point values.

    Data that come as dark strokes on white paper become what MNIST is, light on black. (Not in
    torchvision, where it is `RandomInvert(p=1)`.)

    Raises:
        TypeError: for other types, and for Pillow images that are not "L" or "RGB".

    >>> Invert()(np.array([[0, 255]], np.uint8)).tolist()
    [[255, 0]]
    """

    def __call__(self, image: Any, /) -> Any:
        """Invert one image."""
        if isinstance(image, Tensor):
            return Tensor.of(_inverted(as_array(image)))
        if not is_picture(image):
            return _inverted(to_pixels(image, "Invert"))
        if image.mode not in ("L", "RGB"):
            raise TypeError(
                f'Invert: expected a Pillow image of mode "L" or "RGB", got "{image.mode}"; '
                'image.convert("RGB") makes one'
            )
        return pillow("Invert").fromarray(_inverted(np.asarray(image)))

    def batch(self, images: Any) -> Any:
        """Invert all images."""
        return self(images) if isinstance(images, Tensor | np.ndarray) else super().batch(images)


class RandomInvert(Transform):
    """Invert each image with probability p, drawn from the state `fastnn.manual_seed` sets.

    Args:
        p: From 0 to 1.

    Raises:
        ValueError: if `p` is not a probability.

    >>> RandomInvert(p=1.0)(np.array([[0, 255]], np.uint8)).tolist()
    [[255, 0]]
    """

    def __init__(self, p: float = 0.5) -> None:
        share("RandomInvert", "p", p)
        self.p = p

    def __call__(self, image: Any, /) -> Any:
        """Invert one image, or leave it."""
        return Invert()(image) if default_generator.numpy.random() < self.p else image

    def __repr__(self) -> str:
        return f"RandomInvert(p={self.p})"


def _grey(pixels: NDArray[Any]) -> NDArray[Any]:
    """(..., C) to (...): bytes rounded as in Pillow's convert("L"), floats as they come."""
    channels = pixels.shape[-1]
    if channels in (1, 2):  # grey, or grey and alpha
        return pixels[..., 0]
    if channels not in (3, 4):
        raise ValueError(f"Grayscale: expected 1 to 4 channels, got {channels}")
    red, green, blue = (pixels[..., i] for i in range(3))
    if pixels.dtype == np.uint8:
        total = red * np.uint32(19595)
        total += green * np.uint32(38470)
        total += blue * np.uint32(7471)
        total += np.uint32(1 << 15)
        return (total >> 16).astype(np.uint8)
    if pixels.dtype.kind != "f":
        raise TypeError(f"Grayscale: expected bytes or floating-point values, got {pixels.dtype}")
    weights = np.array([0.299, 0.587, 0.114], pixels.dtype)
    grey: NDArray[Any] = red * weights[0] + green * weights[1] + blue * weights[2]
    return grey


def _inverted(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind != "f" and values.dtype != np.uint8:
        raise TypeError(f"Invert: expected bytes or floating-point values, got {values.dtype}")
    white = values.dtype.type(255 if values.dtype == np.uint8 else 1)
    inverted: NDArray[Any] = white - values
    return inverted

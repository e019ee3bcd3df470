"""Image transforms with torchvision's names, applied to a whole batch at once where they can be.

A transform is called with one image and gives one image. Data sets instead call `batch` with all
images of a batch; it must give what the images one by one would give, and does it faster.

There are two kinds of image: raw ones, NumPy arrays of shape (H, W) or (H, W, C) or Pillow
images; and, from `ToTensor` on, Tensors of shape (C, H, W). A batch has an axis more in front.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data.collate import default_collate, stack_arrays
from fastnn.data.dataset import overrides
from fastnn.tensor import Tensor, as_array

__all__ = ["Compose", "Lambda", "Normalize", "ToTensor", "Transform", "apply_batch"]


class Transform(ABC):
    """Base class of transforms: define `__call__` for one image.

    Define `batch` as well where all images can be done at once.

    >>> class Invert(Transform):
    ...     def __call__(self, image):
    ...         return 1 - image
    >>> Invert().batch(Tensor(np.zeros((5, 1, 2, 2)))).shape
    (5, 1, 2, 2)
    """

    @abstractmethod
    def __call__(self, image: Any, /) -> Any:
        """Transform one image."""

    def batch(self, images: Any) -> Any:
        """Transform every image of a batch; by default one by one."""
        return _stack([self(image) for image in images])

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def apply_batch(transform: Callable[[Any], Any], images: Any) -> Any:
    """Apply any callable on images to a batch: by its `batch` where that is safe, else one by one.

    >>> apply_batch(lambda image: image.reshape(-1), Tensor(np.zeros((5, 1, 2, 2)))).shape
    (5, 4)
    """
    if isinstance(transform, Transform) and overrides(transform, "batch", than="__call__"):
        return transform.batch(images)
    return _stack([transform(image) for image in images])


class Compose(Transform):
    """Several transforms, one after the other.

    Args:
        transforms: Transforms or any callables on images.

    Raises:
        TypeError: if one of them cannot be called.

    >>> steps = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    >>> steps(np.full((1, 1), 255, np.uint8)).tolist()
    [[[1.0]]]
    """

    def __init__(self, transforms: Iterable[Callable[[Any], Any]]) -> None:
        self.transforms = list(transforms)
        for i, transform in enumerate(self.transforms):
            if not callable(transform):
                kind = type(transform).__name__
                raise TypeError(f"Compose: expected callables, got {kind} at position {i}")

    def __call__(self, image: Any, /) -> Any:
        """Apply the transforms to one image."""
        for transform in self.transforms:
            image = transform(image)
        return image

    def batch(self, images: Any) -> Any:
        """Apply each transform to all images before the next."""
        for transform in self.transforms:
            images = apply_batch(transform, images)
        return images

    def __repr__(self) -> str:
        lines = "".join(f"    {transform}\n" for transform in self.transforms)
        return f"Compose(\n{lines})"


class ToTensor(Transform):
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
            return Tensor(_scaled(as_array(image)))
        pixels = _pixels(image)
        if pixels.ndim not in (2, 3):
            raise ValueError(
                "ToTensor: expected an image of shape (H, W) or (H, W, C), "
                f"got {pixels.shape}; call .batch for several at once"
            )
        return Tensor(_scaled(_channels_first(pixels[None])[0]))

    def batch(self, images: Any) -> Tensor:
        """Convert all images: (B, H, W) or (B, H, W, C) to (B, C, H, W)."""
        if isinstance(images, np.ndarray) and images.ndim in (3, 4):
            return Tensor(_scaled(_channels_first(images)))
        if isinstance(images, Tensor):
            return self(images)
        return Tensor(stack_arrays([self(image) for image in images]))


class Normalize(Transform):
    """Shift and scale each channel: out = (x - mean[c]) / std[c].

    Args:
        mean: One number for each channel, or a single one.
        std: Likewise; not zero.

    Raises:
        TypeError: if an image is not a floating-point Tensor.
        ValueError: if `std` holds zero, or the channels of image, `mean` and `std` differ.

    >>> Normalize((0.5,), (0.25,))(Tensor(np.ones((1, 1, 2), np.float32))).tolist()
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
        return Tensor(out)

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


class Lambda(Transform):
    """Any function of an image as a transform.

    The function is called image by image, so that one written for a single image, such as
    `lambda x: x.view(-1)`, means what it says. A function that treats every image alike when
    given all of them, shape (B, C, H, W), may be called once a batch with `batched=True`.

    Args:
        lambd: The function.
        batched: Whether it takes a whole batch at once.

    Raises:
        TypeError: if `lambd` cannot be called.

    >>> Lambda(lambda x: x.reshape(-1)).batch(Tensor(np.zeros((5, 1, 2, 2)))).shape
    (5, 4)
    >>> Lambda(lambda x: 1 - x, batched=True).batch(Tensor(np.zeros((5, 1, 2, 2)))).shape
    (5, 1, 2, 2)
    """

    def __init__(self, lambd: Callable[[Any], Any], *, batched: bool = False) -> None:
        if not callable(lambd):
            raise TypeError(f"Lambda: expected a function, got {type(lambd).__name__}")
        self.lambd, self.batched = lambd, batched

    def __call__(self, image: Any, /) -> Any:
        """Call the function on one image."""
        return self.lambd(image[None])[0] if self.batched else self.lambd(image)

    def batch(self, images: Any) -> Any:
        """Call the function on all images, one by one unless `batched`."""
        return self.lambd(images) if self.batched else super().batch(images)


def _pixels(image: Any) -> NDArray[Any]:
    """Return the array of a raw image; Pillow images are known without importing Pillow."""
    if isinstance(image, np.ndarray):
        return image
    if not hasattr(image, "__array_interface__"):
        raise TypeError(
            "ToTensor: expected a NumPy array, a Tensor or a Pillow image, "
            f"got {type(image).__name__}"
        )
    is_bilevel = getattr(image, "mode", "") == "1"
    return np.asarray(image.convert("L") if is_bilevel else image)


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


def _stack(images: list[Any]) -> Any:
    """Arrays and Tensors are stacked to what they are; Pillow images stay a list."""
    if images and all(isinstance(image, np.ndarray) for image in images):
        return stack_arrays(images)
    if images and hasattr(images[0], "__array_interface__") and hasattr(images[0], "mode"):
        return images
    return default_collate(images)

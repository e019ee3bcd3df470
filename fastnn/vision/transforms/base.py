"""What a transform is, and transforms made of others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data.collate import default_collate, stack_arrays
from fastnn.data.dataset import overrides

__all__ = ["Compose", "Lambda", "Transform", "apply_batch", "is_picture", "steps_of", "to_pixels"]


class Transform(ABC):
    """Base class of transforms: define `__call__` for one image.

    Define `batch` as well where all images can be done at once.

    >>> import fastnn
    >>> class Negate(Transform):
    ...     def __call__(self, image):
    ...         return -image
    >>> Negate().batch(fastnn.zeros(5, 1, 2, 2)).shape
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

    >>> import fastnn
    >>> apply_batch(lambda image: image.reshape(-1), fastnn.zeros(5, 1, 2, 2)).shape
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

    >>> from fastnn.vision.transforms import Normalize, ToTensor
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

    >>> import fastnn
    >>> Lambda(lambda x: x.reshape(-1)).batch(fastnn.zeros(5, 1, 2, 2)).shape
    (5, 4)
    >>> Lambda(lambda x: 1 - x, batched=True).batch(fastnn.zeros(5, 1, 2, 2)).shape
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


def steps_of(transform: Callable[[Any], Any]) -> list[Callable[[Any], Any]]:
    """Return the transforms one after the other of which `transform` consists.

    >>> len(steps_of(Compose([abs, Compose([abs, abs])])))
    3
    """
    if type(transform) is not Compose:
        return [transform]
    return [step for part in transform.transforms for step in steps_of(part)]


def is_picture(image: Any) -> bool:
    """Tell whether `image` is a Pillow image, without importing Pillow.

    >>> is_picture(np.zeros((2, 2)))
    False
    """
    return hasattr(image, "__array_interface__") and hasattr(image, "mode")


def to_pixels(image: Any, who: str) -> NDArray[Any]:
    """Return the array (H, W) or (H, W, C) of a raw image.

    Raises:
        TypeError: if it is neither an array nor a Pillow image.

    >>> to_pixels(np.zeros((2, 2)), "example").shape
    (2, 2)
    """
    if isinstance(image, np.ndarray):
        return image
    if not is_picture(image):
        raise TypeError(
            f"{who}: expected a NumPy array, a Tensor or a Pillow image, got {type(image).__name__}"
        )
    return np.asarray(image.convert("L") if image.mode == "1" else image)


def _stack(images: list[Any]) -> Any:
    """Arrays of one shape and Tensors are stacked; Pillow images and other arrays stay a list."""
    if images and all(isinstance(image, np.ndarray) for image in images):
        same = all(image.shape == images[0].shape for image in images)
        return stack_arrays(images) if same else images
    if images and is_picture(images[0]):
        return images
    return default_collate(images)

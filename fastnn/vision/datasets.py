"""Image data sets: MNIST and Fashion-MNIST, kept in memory as bytes, and folders of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn import _core
from fastnn.data.collate import default_collate
from fastnn.data.dataset import Dataset
from fastnn.errors import FileFormatError
from fastnn.tensor import Tensor, as_array
from fastnn.vision.folder import ImageFolder
from fastnn.vision.idx import read_idx
from fastnn.vision.transforms import ToTensor
from fastnn.vision.transforms.base import apply_batch, steps_of

__all__ = ["MNIST", "FashionMNIST", "ImageFolder", "gather_images"]

_SIZE = (28, 28)

# SHA-256 of the bundled files, unpacked.
_BUNDLED = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def gather_images(source: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Copy images out of a byte array, scaled to [0, 1]: out[b] = source[indices[b]] / 255.

    Args:
        source: Shape (N, ...), uint8.
        indices: Shape (B,), int64, from 0 to N - 1.

    Returns:
        Shape (B, ...), float32.

    Raises:
        IndexError: if an index lies outside the array.

    >>> gather_images(np.array([[0, 51], [255, 0]], np.uint8), np.array([1, 1])).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    rows = _core.gather_rows(source.reshape(len(source), -1), indices, 255.0)
    return rows.reshape(len(indices), *source.shape[1:])


class _DigitLike(Dataset[tuple[Any, Any]]):
    """A set of 28 x 28 byte images in ten classes, in four IDX files named as MNIST's are."""

    classes: ClassVar[list[str]]

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        self.root = None if root is None else Path(root)
        self.train = train
        self.transform, self.target_transform = transform, target_transform
        self.source = "bundled copy"
        images, labels = self._load()
        self.data, self.targets = Tensor.of(images), Tensor.of(labels.astype(np.int64))

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Map each class name to its label."""
        return {name: label for label, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return int(self.data.shape[0])

    def __getitem__(self, index: int, /) -> tuple[Any, Any]:
        """Return one image, (1, 28, 28) unless transformed otherwise, and its label."""
        image = as_array(self.data)[index]
        label = int(as_array(self.targets)[index])
        image = (self.transform or ToTensor())(image)
        return image, self.target_transform(label) if self.target_transform else label

    def fetch(self, indices: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return images (B, 1, 28, 28), unless transformed otherwise, and labels (B,)."""
        labels = np.take(as_array(self.targets), indices)
        if self.target_transform is None:
            return self._fetch_images(indices), Tensor.of(labels)
        targets = [self.target_transform(label) for label in labels.tolist()]
        return self._fetch_images(indices), default_collate(targets)

    def __repr__(self) -> str:
        return (
            f"Dataset {type(self).__name__}\n"
            f"    Number of datapoints: {len(self)}\n"
            f"    Root location: {self.source}\n"
            f"    Split: {'Train' if self.train else 'Test'}"
        )

    def _fetch_images(self, indices: NDArray[np.int64]) -> Any:
        """Gather, then transform; a leading ToTensor is done by the gather itself."""
        source = as_array(self.data)
        steps = steps_of(self.transform or ToTensor())
        if steps and type(steps[0]) is ToTensor and source.dtype == np.uint8:
            images: Any = Tensor.of(gather_images(source, indices)[:, None])
            steps = steps[1:]
        else:
            images = np.take(source, indices, axis=0)
        for step in steps:
            images = apply_batch(step, images)
        return images

    def _load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        for folder in self._folders():
            if any(_find(folder, name) for name in _BUNDLED):
                self.source = str(folder)
                return self._load_from(folder)
        return self._load_default()

    def _folders(self) -> list[Path]:
        """Where to look for the files, first choice first."""
        if self.root is None:
            return []
        return [self.root / type(self).__name__ / "raw", self.root / "raw", self.root]

    def _load_from(self, folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        paths = [_find(folder, name) for name in self._names()]
        for path, name in zip(paths, self._names(), strict=True):
            if path is None:
                raise FileNotFoundError(
                    f"{type(self).__name__}: expected {name} or {name}.gz in {folder}, which holds "
                    "other files of the set"
                )
        images_path, labels_path = (path for path in paths if path)
        return _checked(images_path, read_idx(images_path), labels_path, read_idx(labels_path))

    def _load_default(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        raise NotImplementedError

    def _names(self) -> tuple[str, str]:
        part = "train" if self.train else "t10k"
        return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"


class MNIST(_DigitLike):
    """Handwritten digits: 60,000 images of 28 x 28 for training, 10,000 for testing.

    fastnn brings the data with it, so nothing is ever downloaded: files found under `root` are
    read, and without them (or without `root`) the bundled copy is.

    There are no Pillow images inside. With `transform=None` images come out as after `ToTensor`:
    float32 in [0, 1], shape (1, 28, 28), or (B, 1, 28, 28) by the batch. A transform gets the raw
    uint8 array of shape (28, 28), as `ToTensor` and `numpy.array(image)` expect it. Transforms
    from `fastnn.vision.transforms` are applied to whole batches, other callables image by image.

    The bundled data is copyright Yann LeCun and Corinna Cortes, CC BY-SA 3.0.

    Args:
        root: A folder that holds the four IDX files, plain or .gz, itself, in `raw` or in
            `MNIST/raw`.
        train: Whether to read the training part or the test part.
        transform: A callable on images.
        target_transform: A callable on labels, which are ints.
        download: Accepted, as in torchvision; the data is already here.

    Attributes:
        data: The images, uint8, shape (N, 28, 28).
        targets: The labels, int64, shape (N,).
        classes: The ten class names.
        source: The folder that was read, or "bundled copy".

    Raises:
        FileFormatError: if a file is damaged or is not what its name says.
        FileNotFoundError: if `root` holds some of the files but not the two that are needed.

    >>> test = MNIST(train=False)
    >>> image, label = test[0]
    >>> len(test), image.shape, label
    (10000, (1, 28, 28), 7)
    """

    classes: ClassVar[list[str]] = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]

    def _load_default(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        (images_path, images), (labels_path, labels) = map(_read_bundled, self._names())
        return _checked(images_path, images, labels_path, labels)


class FashionMNIST(_DigitLike):
    """Zalando's article images: as MNIST in form, with ten kinds of clothing.

    The data does not come with fastnn. It is read from `root`, or else from where Debian's
    package dataset-fashion-mnist puts it.

    Args:
        root: A folder that holds the four IDX files, plain or .gz, itself, in `raw` or in
            `FashionMNIST/raw`.
        train: Whether to read the training part or the test part.
        transform: A callable on images; see `MNIST`.
        target_transform: A callable on labels, which are ints.
        download: Accepted, as in torchvision; nothing is downloaded.

    Attributes:
        data: The images, uint8, shape (N, 28, 28).
        targets: The labels, int64, shape (N,).
        classes: The ten class names.
        source: The folder that was read.

    Raises:
        FileFormatError: if a file is damaged or is not what its name says.
        FileNotFoundError: if the files are not found.

    >>> FashionMNIST.classes[9]
    'Ankle boot'
    """

    classes: ClassVar[list[str]] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
    system_folder: ClassVar[Path] = Path("/usr/share/datasets/fashion-mnist")

    def _folders(self) -> list[Path]:
        return [*super()._folders(), self.system_folder]

    def _load_default(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        looked = ", ".join(map(str, self._folders()))
        raise FileNotFoundError(
            f"FashionMNIST: expected {' and '.join(self._names())} (plain or .gz) in one of "
            f"{looked}, found neither; fastnn downloads nothing. Get the files from "
            "https://github.com/zalandoresearch/fashion-mnist and pass their folder as root, or "
            "install Debian's package dataset-fashion-mnist"
        )


def _find(folder: Path, name: str) -> Path | None:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    return None


def _read_bundled(name: str) -> tuple[Path, NDArray[Any]]:
    from importlib import resources

    resource = resources.files("fastnn") / "datasets" / "mnist" / f"{name}.gz"
    with resources.as_file(resource) as path:
        return path, read_idx(path, sha256=_BUNDLED[name])


def _checked(
    images_path: Path, images: NDArray[Any], labels_path: Path, labels: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images and labels that fit each other and the ten classes."""
    if images.dtype != np.uint8 or images.shape[1:] != _SIZE:
        raise FileFormatError(
            f"{images_path}: expected images, uint8 of shape (N, 28, 28), "
            f"got {images.dtype} of shape {images.shape}"
        )
    if labels.dtype != np.uint8 or labels.ndim != 1:
        raise FileFormatError(
            f"{labels_path}: expected labels, uint8 of shape (N,), "
            f"got {labels.dtype} of shape {labels.shape}"
        )
    if len(labels) != len(images):
        raise FileFormatError(
            f"{labels_path}: expected {len(images)} labels for the images in {images_path}, "
            f"got {len(labels)}"
        )
    wrong = np.flatnonzero(labels > 9)
    if wrong.size:
        raise FileFormatError(
            f"{labels_path}: expected labels from 0 to 9, got {labels[wrong[0]]} for image "
            f"{wrong[0]}, at byte {8 + wrong[0]}"
        )
    return images, labels

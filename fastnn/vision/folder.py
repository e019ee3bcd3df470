"""A folder of images, one folder a class, as a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data.collate import default_collate
from fastnn.data.dataset import Dataset, overrides
from fastnn.tensor import Tensor
from fastnn.vision.images import IMG_EXTENSIONS, load_image, pillow
from fastnn.vision.transforms import Lambda, PILToTensor, ToTensor, Transform
from fastnn.vision.transforms.base import apply_batch, steps_of

__all__ = ["ImageFolder"]

Bytes = NDArray[np.uint8]
_CACHE_BYTES = 1 << 29


class ImageFolder(Dataset[tuple[Any, Any]]):
    """Images in `root/<class>/...`, labelled by the folder they are in (torchvision's).

    The classes are the folders in `root`, sorted by name, numbered from 0. All that lies below
    such a folder belongs to its class. Files of other names than images', hidden files and
    folders (a leading dot), and files directly in `root` are left out.

    Images are read as RGB Pillow images, which a transform gets and changes; begin with
    `transforms.Grayscale()` for grey ones. Transforms from `fastnn.vision.transforms` see the
    images of a batch all at once. A batch without any transform is made by `ToTensor`.

    While all images have one size, and fit into 512 MiB as bytes, those once read are kept, so
    that later epochs read no files; `cache=False` reads them anew each time.

    Args:
        root: The folder.
        transform: A callable on images.
        target_transform: A callable on labels, which are ints.
        loader: Called with a path instead of `fastnn.vision.load_image`; what it returns is not
            kept.
        is_valid_file: Called with a path; says whether the file is an image of the set, instead
            of its name's ending.
        allow_empty: Whether classes without images are allowed.
        cache: Whether small images may be kept in memory.

    Attributes:
        classes: The class names.
        class_to_idx: The label of each name.
        samples: Pairs of path and label; also called `imgs`.
        targets: The labels.

    Raises:
        FileNotFoundError: if there is no folder in `root`, or no image in a folder.
        NotADirectoryError: if `root` is a file.
        ValueError: if a link leads back to a folder it lies in.
        FileFormatError: when an image that is read is damaged, larger than 89 megapixels, or not
            of the format its name says; it names the file.
        ImportError: when an image is read and Pillow is not installed.

    >>> import pathlib, tempfile
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> for name in "cat", "dog":
    ...     (root / name).mkdir()
    ...     _ = (root / name / "1.pgm").write_bytes(b"P5 2 1 255 " + bytes(2))
    >>> data = ImageFolder(root)
    >>> data.class_to_idx, data.targets
    ({'cat': 0, 'dog': 1}, [0, 1])
    >>> data.fetch(np.array([1, 0]))[0].shape
    (2, 3, 1, 2)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        *,
        cache: bool = True,
    ) -> None:
        self.root = os.fspath(root)
        self.transform, self.target_transform = transform, target_transform
        self.loader = loader
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = _samples(self.root, self.class_to_idx, is_valid_file, allow_empty)
        self.imgs, self.targets = self.samples, [label for _, label in self.samples]
        self._kept = _Kept(len(self.samples)) if cache and loader is None else None

    def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
        """Return the class names and their labels; override it for other classes."""
        with os.scandir(directory) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
        if not names:
            raise FileNotFoundError(
                f"ImageFolder: expected one folder for each class in {directory}, found no folder"
            )
        return names, {name: label for label, name in enumerate(names)}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int, /) -> tuple[Any, Any]:
        """Return one image, an RGB Pillow image unless transformed, and its label."""
        label = self.samples[index][1]
        image = self._image(range(len(self))[index])
        if self.transform is not None:
            image = self.transform(image)
        return image, self.target_transform(label) if self.target_transform else label

    def fetch(self, indices: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return images (B, C, H, W), unless transformed otherwise, and labels (B,)."""
        rows = indices.tolist()
        steps = steps_of(self.transform or ToTensor())
        images = self._batch(rows, _take_arrays(steps))
        for step in steps:
            images = apply_batch(step, images)
        labels = [self.samples[i][1] for i in rows]
        if self.target_transform is not None:
            labels = [self.target_transform(label) for label in labels]
        if not isinstance(images, Tensor | np.ndarray):
            images = default_collate(images)  # for pictures an error: no ToTensor came
        return images, default_collate(labels)

    def __repr__(self) -> str:
        return (
            f"Dataset {type(self).__name__}\n"
            f"    Number of datapoints: {len(self)}\n"
            f"    Root location: {self.root}"
        )

    def _image(self, row: int) -> Any:
        if self.loader is not None:
            return self.loader(self.samples[row][0])
        return pillow("ImageFolder").fromarray(self._pixels(row))

    def _pixels(self, row: int) -> Bytes:
        """One image as bytes (H, W, 3), from memory where it is there."""
        pixels = self._kept.get(row) if self._kept is not None else None
        if pixels is None:
            pixels = np.asarray(load_image(self.samples[row][0]))
            if self._kept is not None and not self._kept.put(row, pixels):
                self._kept = None
        return pixels

    def _batch(self, rows: list[int], as_array: bool) -> Any:
        """Several images: one array (B, H, W, 3) where asked for and possible, else a list."""
        if self.loader is not None:
            return [self._image(row) for row in rows]
        images = [self._pixels(row) for row in rows]
        if as_array and len({image.shape for image in images}) == 1:
            return np.stack(images)
        return [pillow("ImageFolder").fromarray(image) for image in images]


class _Kept:
    """Images of one size in one array; pages that no image was put in take no memory."""

    def __init__(self, n: int) -> None:
        self.known = np.zeros(n, np.bool_)
        self.pixels: Bytes | None = None

    def get(self, row: int) -> Bytes | None:
        return self.pixels[row] if self.pixels is not None and self.known[row] else None

    def put(self, row: int, image: Bytes) -> bool:
        """Keep an image, if it is like the others and small enough."""
        if self.pixels is None:
            if len(self.known) * image.nbytes > _CACHE_BYTES:
                return False
            self.pixels = np.zeros((len(self.known), *image.shape), np.uint8)
        if image.shape != self.pixels.shape[1:]:
            return False
        self.pixels[row], self.known[row] = image, True
        return True


def _take_arrays(steps: list[Callable[[Any], Any]]) -> bool:
    """Whether all steps up to the Tensor take arrays for pictures: ours do, a person's may not."""
    for step in steps:
        if isinstance(step, Lambda) or not isinstance(step, Transform):
            return False
        if not overrides(step, "batch", than="__call__"):
            return False
        if isinstance(step, PILToTensor):
            return True
    return False


def _samples(
    root: str,
    class_to_idx: dict[str, int],
    is_valid_file: Callable[[str], bool] | None,
    allow_empty: bool,
) -> list[tuple[str, int]]:
    is_image = is_valid_file or _looks_like_an_image
    samples, empty = [], []
    for name in sorted(class_to_idx):
        paths = [path for path in _files(os.path.join(root, name)) if is_image(path)]
        samples += [(path, class_to_idx[name]) for path in paths]
        empty += [] if paths else [name]
    if empty and not allow_empty:
        endings = "" if is_valid_file else f" (files that end in {', '.join(IMG_EXTENSIONS)})"
        raise FileNotFoundError(
            f"ImageFolder: expected images{endings} in each folder of {root}, "
            f"found none in: {', '.join(empty)}"
        )
    return samples


def _looks_like_an_image(path: str) -> bool:
    return path.lower().endswith(IMG_EXTENSIONS) and not os.path.basename(path).startswith(".")


def _files(top: str) -> Iterator[str]:
    """All files below a folder, folder by folder in the order of their paths."""
    found: dict[str, list[str]] = {}
    stack: list[tuple[str, frozenset[tuple[int, int]]]] = [(top, frozenset())]
    while stack:
        folder, above = stack.pop()
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise ValueError(f"ImageFolder: {folder} is a link to a folder that it lies in")
        found[folder] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    if not entry.name.startswith("."):
                        stack.append((entry.path, above | {identity}))
                # a link to nothing is listed, so that reading it says so; pipes and devices are not
                elif entry.is_file() or not os.path.exists(entry.path):
                    found[folder].append(entry.path)
    for folder in sorted(found):
        yield from sorted(found[folder])

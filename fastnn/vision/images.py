"""Reading image files, which are not trusted, by Pillow, which is optional."""

from __future__ import annotations

import errno
import os
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from fastnn.errors import FileFormatError
from fastnn.files import regular_size

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["IMG_EXTENSIONS", "MAX_PIXELS", "load_image", "pillow"]

# Pillow knows some forty formats, many of them seldom tried with hostile files, and one that
# starts a program. A file gets the one parser that its name asks for.
_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".ppm": "PPM",
    ".bmp": "BMP",
    ".pgm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
IMG_EXTENSIONS = tuple(_FORMATS)
MAX_PIXELS = 89_478_485  # 256 MiB as RGB: where Pillow begins to warn of decompression bombs


def pillow(who: str) -> ModuleType:
    """Import `PIL.Image`.

    Raises:
        ImportError: if Pillow is not installed; it says how to install it.

    >>> pillow("example").__name__
    'PIL.Image'
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(f"{who}: needs Pillow: pip install 'fastnn[images]' ({error})") from None
    return Image


def load_image(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> Picture:
    """Read an image file as RGB, whole, as torchvision's loader does.

    The format is the one that the name says. Of several frames the first is read; transparency
    is dropped; a rotation noted in EXIF data is not applied. 16-bit grey becomes its high byte.

    Args:
        path: A file named as one of `IMG_EXTENSIONS`; other names are tried as all their formats.
        max_pixels: Refuse larger images before they are unpacked.

    Raises:
        FileFormatError: if the file is no whole image of its format, or too large.
        ImportError: if Pillow is not installed.
        OSError: if the file cannot be read.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "grey.pgm")
    ...     _ = path.write_bytes(b"P5 2 1 255 " + bytes([0, 200]))
    ...     load_image(path).getpixel((1, 0))
    (200, 200, 200)
    """
    Image = pillow("load_image")
    suffix = os.path.splitext(os.fsdecode(path))[1].lower()
    formats = [_FORMATS[suffix]] if suffix in _FORMATS else sorted(set(_FORMATS.values()))
    regular_size(path, "an image file")
    with open(path, "rb") as file:
        try:
            with Image.open(file, formats=formats) as image:
                _check_size(image, path, max_pixels)
                return _rgb(image, path)
        except (FileFormatError, MemoryError):
            raise
        except Image.UnidentifiedImageError:
            raise FileFormatError(_unknown(path, suffix, formats)) from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise FileFormatError(f"{path}: expected a smaller image: {error}") from None
        except Exception as error:  # Pillow's parsers raise whatever broken bytes lead to
            # EINVAL: a place in the file, taken from its header, that no file has
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise FileFormatError(
                f"{path}: expected an intact {'/'.join(formats)} image, got a damaged or truncated "
                f"one ({type(error).__name__}: {error})"
            ) from error


def _check_size(image: Picture, path: str | os.PathLike[str], max_pixels: int) -> None:
    if not 0 < image.width * image.height <= max_pixels:
        raise FileFormatError(
            f"{path}: expected an image of 1 to {max_pixels} pixels, "
            f"got {image.width} x {image.height}"
        )


def _rgb(image: Picture, path: str | os.PathLike[str]) -> Picture:
    # Pillow's own conversion would cut all values above 255 off.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        high = (np.asarray(image) >> 8).astype(np.uint8)
        grey: Picture = pillow("load_image").fromarray(high)
        return grey.convert("RGB")
    if image.mode in ("I", "F"):
        raise FileFormatError(
            f"{path}: expected values of 8 or 16 bits, got {image.format} values of 32 bits; pass "
            "ImageFolder a loader that scales them"
        )
    return image.convert("RGB")


def _unknown(path: str | os.PathLike[str], suffix: str, formats: list[str]) -> str:
    got = "something else or a damaged one" if os.path.getsize(path) else "an empty file"
    named = f", as its name says {suffix}" if suffix in _FORMATS else ""
    return f"{path}: expected a {'/'.join(formats)} image{named}, got {got}"

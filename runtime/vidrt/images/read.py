"""Pictures from files or from memory: every kind of JPEG, PNG and WebP becomes upright RGB of 8 bits."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from vidrt.arrays import ByteArray
from vidrt.errors import RequestError
from vidrt.images.rgb import DAMAGE, upright_rgb

if TYPE_CHECKING:
    from PIL.Image import Image

ImageSource: TypeAlias = "str | os.PathLike[str] | Image | ByteArray"
"""A picture as a caller may have it: a file, pillow's image, or RGB of 8 bits (H, W, 3)."""

FORMATS = ("JPEG", "PNG", "WEBP")
LEAST_SIDE = 2  # CLIP's blur mirrors the picture at its edges, which takes a neighbour
MOST_SIDE = 1 << 15  # the resize for CLIP holds weights for every pixel of a side
MOST_PIXELS = 1 << 27  # more than a camera's 100 megapixels; 400 MB decoded


def load_image(source: ImageSource) -> ByteArray:
    """Takes a picture as it comes.

    Returns:
        RGB (H, W, 3), as `read_image` gives it.

    Raises:
        RequestError: what came is no picture, or one that `read_image` would refuse.
    """
    from PIL import Image

    if isinstance(source, (str, os.PathLike)):
        return read_image(source)
    if isinstance(source, Image.Image):
        with _told("The image"):
            check_size("The image", *source.size)
            return upright_rgb(source)
    return _checked(source)


def read_image(path: "str | os.PathLike[str]") -> ByteArray:
    """Reads a picture.

    It is turned as its EXIF says. Transparent parts become white, as on a page. Greys of 16 bits keep their brightness.
    Of an animation the first frame is taken. Colour profiles are left aside, as diffusers leaves them.

    Args:
        path: a JPEG, PNG or WebP file, whatever its name ends with.

    Returns:
        RGB (H, W, 3), at least 2 × 2.

    Raises:
        RequestError: the file is missing, is no such picture, is damaged, or has too few or too many pixels, which is
            found before they are decoded.
    """
    from PIL import Image

    path = Path(path)
    what = f"The image {path}"
    with _told(what):
        _check_is_file(path)
        with Image.open(path, formats=FORMATS) as image:
            check_size(what, *image.size)
            return upright_rgb(image)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Turns what pillow raises into a sentence, and leaves its warnings, of large or oddly made pictures, unsaid."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except RequestError:
        raise
    except Image.DecompressionBombError as error:
        raise RequestError(f"{what} is too large: {_limit()}.") from error
    except UnidentifiedImageError as error:
        raise RequestError(f"{what} is of no kind that can be read: take a JPEG, PNG or WebP file.") from error
    except DAMAGE as error:
        raise RequestError(f"{what} {_trouble(error)}.") from error


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise RequestError(f"The image {path} is a folder: name a file in it.")
    if not path.exists():
        raise RequestError(f"There is no image {path}.")
    if not path.is_file():  # a pipe would be waited for without end
        raise RequestError(f"The image {path} is no regular file: take a JPEG, PNG or WebP file.")


def check_size(what: str, width: int, height: int) -> None:
    """Refuses a picture that is too small or too large to go on with, by its header alone.

    Raises:
        RequestError: which, and what the bounds are.
    """
    if min(width, height) < LEAST_SIDE:
        raise RequestError(
            f"{what} is too small with {width}×{height}: it should be {LEAST_SIDE}×{LEAST_SIDE} or more."
        )
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise RequestError(f"{what} is too large with {width}×{height}: {_limit()}.")


def _limit() -> str:
    return f"it should have at most {MOST_PIXELS // 1_000_000} million pixels, and {MOST_SIDE} a side"


def _trouble(error: Exception) -> str:
    reason = getattr(error, "strerror", None)  # pillow's own errors have none
    return f"cannot be read: {reason}" if reason else "is truncated or damaged: save it again"


def _checked(values: Any) -> ByteArray:
    array: ByteArray = np.asarray(values)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:  # noqa: PLR2004 - rows, columns, RGB
        raise RequestError(
            f"An image should be a file, an image of pillow or RGB of 8 bits (height, width, 3), "
            f"not {type(values).__name__} of {array.dtype} {array.shape}."
        )
    check_size("The image", array.shape[1], array.shape[0])
    return array

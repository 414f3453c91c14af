"""Decoded pictures of every mode as upright RGB of 8 bits."""

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from vidrt.arrays import ByteArray

if TYPE_CHECKING:
    from PIL.Image import Image

# pillow lets through whatever its decoders come upon in damaged files
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, struct.error, zlib.error)
_ORIENTATION = 0x0112
_16_TO_8_BITS = 257


def upright_rgb(image: "Image") -> ByteArray:
    """Decodes a picture of any of pillow's modes.

    It is turned as its EXIF says. Transparent parts become white. Greys of 16 bits keep their brightness.

    Returns:
        RGB (H, W, 3).

    Raises:
        one of `DAMAGE`: the file is not whole.
    """
    from PIL import Image

    image.load()
    turn = _turn(image)
    if image.mode.startswith("I"):
        image = Image.fromarray(_in_8_bits(np.asarray(image)))  # pillow would cut all but the darkest off
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("RGB")
    return np.array(image if turn is None else image.transpose(turn))


def _in_8_bits(greys: Any) -> ByteArray:
    """Greys of 16 bits, in a wider type perhaps, rounded to 8."""
    values = np.clip(greys, 0, (1 << 16) - 1).astype(np.uint32)
    rounded: ByteArray = ((values + _16_TO_8_BITS // 2) // _16_TO_8_BITS).astype(np.uint8)
    return rounded


def _turn(image: "Image") -> Any:
    """How the picture is to be turned; one whose EXIF cannot be read stays as it is."""
    from PIL.Image import Transpose

    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except DAMAGE:
        return None
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return turns.get(orientation)

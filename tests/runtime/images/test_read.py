"""Pictures of every kind, whole and broken, from files and from memory."""

import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps
from vidrt.errors import RequestError
from vidrt.images.read import MOST_SIDE, load_image, read_image

FORMATS = [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")]


@pytest.fixture
def saved(tmp_path):
    """Writes a picture, pillow's or an array, and gives its path."""

    def save(image, name="image.png", **options):
        path = tmp_path / name
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
        return path

    return save


@pytest.fixture
def refused(sentence):
    """Reads what cannot be read, and gives what is said of it."""

    def read(source, load=read_image):
        with pytest.raises(RequestError) as error:
            load(source)
        return sentence(error)

    return read


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_size(width, height, depth=8, kind=2):
    """A PNG that says how large it is and has one line of its pixels."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(bytes(1 + 3 * width))) + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "options", [{"name": "a.png"}, {"name": "a.webp", "lossless": True}, {"name": "a.PNG"}], ids=str
)
def test_lossless_files_come_back(noise, saved, options):
    """What was saved without loss comes back to the bit, and may be written to."""
    got = read_image(saved(noise(20, 31), **options))
    assert np.array_equal(got, noise(20, 31))
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous
    assert got.flags.writeable


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
def test_jpegs_are_read(noise, saved, options):
    """A JPEG is what pillow decodes, whatever its name says."""
    path = saved(noise(20, 31), "photo.png", format="JPEG", **options)
    assert np.array_equal(read_image(str(path)), np.asarray(Image.open(path)))


@pytest.mark.parametrize("orientation", [*range(10), 700])
@pytest.mark.parametrize(("ending", "kind"), FORMATS)
def test_pictures_are_turned_as_their_exif_says(noise, saved, ending, kind, orientation):
    """Each of the eight orientations, in every format, is what pillow's own exif_transpose makes; others are none."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(noise(6, 10), f"turned.{ending}", format=kind, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    got = read_image(path)
    assert got.shape == ((10, 6, 3) if orientation in {5, 6, 7, 8} else (6, 10, 3))
    assert np.array_equal(got, expected)


def test_exif_that_cannot_be_read_turns_nothing(noise, saved):
    """A picture with nonsense for EXIF is read as it lies."""
    path = saved(noise(6, 10), exif=b"Exif\0\0nonsense that is no TIFF")
    assert np.array_equal(read_image(path), noise(6, 10))


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_transparent_parts_become_white(saved, ending):
    """Whatever colour hides under full transparency, the page shows; half of it mixes."""
    image = np.zeros((2, 3, 4), np.uint8)
    image[:, 0], image[:, 1], image[:, 2] = (200, 10, 10, 255), (9, 99, 199, 0), (0, 0, 0, 128)
    got = read_image(saved(image, f"a.{ending}", lossless=True, exact=True))
    assert got[0].tolist() == [[200, 10, 10], [255, 255, 255], [127, 127, 127]]


def test_one_transparent_colour_becomes_white(saved):
    """PNGs that name a colour or an entry of their palette as transparent are flattened too."""
    image = np.full((4, 4, 3), 50, np.uint8)
    image[0] = (1, 2, 3)
    assert read_image(saved(image, transparency=(1, 2, 3)))[:2, 0].tolist() == [[255] * 3, [50] * 3]
    palette = Image.fromarray(image).convert("P", palette=Image.Palette.ADAPTIVE)
    path = saved(palette, transparency=palette.getpixel((0, 0)))
    assert read_image(path)[:2, 0].tolist() == [[255] * 3, [50] * 3]
    grey = Image.fromarray(image[..., 0])
    assert read_image(saved(grey, transparency=1))[:2, 0].tolist() == [[255] * 3, [50] * 3]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "PA", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "F"])
def test_every_mode_becomes_rgb(noise, mode):
    """Opaque pictures of any of pillow's modes are what pillow converts them to."""
    image = Image.fromarray(noise(5, 7))
    image = image.convert("P").convert("PA") if mode == "PA" else image.convert("RGB" if mode in {"F", "LAB"} else mode)
    if mode in {"F", "LAB"}:
        image = Image.new(mode, (7, 5), 90)
    assert np.array_equal(load_image(image), np.asarray(image.convert("RGB")))


def test_a_cmyk_jpeg_is_read(saved):
    """A JPEG for print comes back in its colours, not inverted."""
    got = read_image(saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "print.jpg"))
    assert np.abs(got.astype(int) - [255, 0, 0]).max() <= 2


def test_greys_of_16_bits_keep_their_brightness(saved):
    """All 65,536 levels are rounded to 8 bits, where pillow would make all but 256 of them white."""
    levels = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    got = read_image(saved(levels))
    assert np.array_equal(got, np.repeat(np.round(levels / 257)[..., None], 3, axis=2))
    wide = load_image(Image.fromarray(np.array([[-5, 0], [65535, 70000]], np.int32)))
    assert wide[..., 0].tolist() == [[0, 0], [255, 255]]


def test_turning_and_flattening_go_with_16_bits_too(saved):
    """A 16-bit grey that lies on its side is set upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    levels = (np.arange(6, dtype=np.uint16) * 10000).reshape(2, 3)
    assert np.array_equal(read_image(saved(levels, exif=exif))[..., 0], np.rot90(np.round(levels / 257), -1))


@pytest.mark.parametrize(("ending", "kind"), [("png", "PNG"), ("webp", "WEBP"), ("jpg", "MPO")])
def test_of_several_pictures_the_first_is_taken(saved, ending, kind):
    """Animations, and photos with others behind them as phones make them, are read as one."""
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    path = saved(first, f"many.{ending}", format=kind, save_all=True, append_images=[second])
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert np.abs(read_image(path).astype(int) - [255, 0, 0]).max() <= 2


@pytest.mark.parametrize(("ending", "kind"), FORMATS)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_truncated_file_is_refused(noise, saved, refused, ending, kind, part):
    """A file whose end is missing is told from a whole one, not filled with grey."""
    path = saved(noise(64, 64), f"cut.{ending}", format=kind)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    assert refused(path) == f"The image {path} is truncated or damaged: save it again."


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"hello, world", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0\n", b"GIF89a" + bytes(99)]
)
def test_what_is_no_picture_is_refused(tmp_path, refused, content):
    """Empty files, text, a bare signature, and kinds that are not read, however they are named."""
    path = tmp_path / "image.jpg"
    path.write_bytes(content)
    assert refused(path) == f"The image {path} is of no kind that can be read: take a JPEG, PNG or WebP file."


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "EPS"])
def test_other_formats_are_refused(saved, refused, kind):
    """Only three formats are tried: some that pillow knows would start other programs."""
    assert "take a JPEG, PNG or WebP file" in refused(saved(Image.new("RGB", (8, 8)), "image", format=kind))


def test_what_is_no_file_is_refused(tmp_path, refused):
    """Missing files, folders, pipes, and names that no file can have; a pipe is not waited for."""
    assert refused(tmp_path / "none.png") == f"There is no image {tmp_path / 'none.png'}."
    assert refused(tmp_path) == f"The image {tmp_path} is a folder: name a file in it."
    os.mkfifo(tmp_path / "pipe")
    assert "is no regular file" in refused(tmp_path / "pipe")
    assert "\0" in refused("a\0b.png")
    assert "cannot be read: File name too long" in refused("a" * 5000)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(noise, saved, refused):
    """The system's reason is told."""
    path = saved(noise(8, 8))
    path.chmod(0)
    assert "cannot be read: Permission denied" in refused(path)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
def test_what_is_too_small_is_refused(noise, saved, refused, size):
    """A line of pixels has nothing to move."""
    assert f"is too small with {size[1]}×{size[0]}: it should be 2×2 or more." in refused(saved(noise(*size)))
    assert read_image(saved(noise(2, 2))).shape == (2, 2, 3)


BOMBS = [(12000, 12000), (20000, 20000), (100_000, 100_000), (MOST_SIDE + 1, 2), (2, MOST_SIDE + 1)]


@pytest.mark.parametrize("size", BOMBS, ids=str)
def test_what_is_too_large_is_refused_before_it_is_decoded(tmp_path, refused, size):
    """The header is enough, so that a small file cannot fill the memory."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_size(*size))
    tracemalloc.start()
    try:
        told = refused(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert told.startswith(f"The image {path} is too large")
    assert told.endswith("it should have at most 134 million pixels, and 32768 a side.")


def test_a_large_photo_is_no_bomb(tmp_path, refused):
    """A hundred megapixels pass the check, and pillow's warning of them is not heard: the pixels are missing here."""
    path = tmp_path / "large.png"
    path.write_bytes(png_of_size(11656, 8742)[:-30])
    assert refused(path) == f"The image {path} is truncated or damaged: save it again."


def test_pictures_come_from_memory_too(noise, saved):
    """A path as text, pillow's image and an array are the same picture."""
    path = saved(noise(9, 8))
    for source in (path, str(path), Image.open(path), noise(9, 8)):
        assert np.array_equal(load_image(source), noise(9, 8))


@pytest.mark.parametrize(
    "source",
    [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), None, 7, object()],
    ids=["floats", "grey", "alpha", "nothing", "number", "object"],
)
def test_what_is_no_picture_in_memory_is_refused(refused, source):
    """Other types, shapes and objects are told from a picture."""
    assert refused(source, load_image).startswith("An image should be a file, an image of pillow or RGB of 8 bits")


def test_pictures_in_memory_have_limits_too(noise, refused):
    """A single pixel, and a file of which pillow has only the half."""
    assert refused(noise(1, 1), load_image) == "The image is too small with 1×1: it should be 2×2 or more."
    assert "1×3" in refused(Image.new("RGB", (1, 3)), load_image)
    whole = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(whole, "PNG")
    half = Image.open(io.BytesIO(whole.getvalue()[: len(whole.getvalue()) // 2]))
    assert refused(half, load_image) == "The image is truncated or damaged: save it again."

"""Whether an engine was built for the sizes of a run, and what is said if not."""

from pathlib import Path

import pytest
from vidrt.sessions.fitting import VideoSize, axis_sizes, batch_limit, choose_profile, misfit, refusal
from vidrt_engines.manifest import BundleFile, Engine
from vidrt_engines.names import Backend, Component, Precision
from vidrt_engines.profiles import Span
from vidrt_engines.tensors import TensorSpec

SMALL = {"batch": Span(min=1, opt=1, max=1), "tokens": Span(min=1, opt=8, max=16)}
LARGE = {"batch": Span(min=1, opt=1, max=4), "tokens": Span(min=12, opt=64, max=128)}
ROWS = {"rows": Span(min=1, opt=2, max=4), "columns": Span(min=1, opt=2, max=4)}


def engine(*profiles):
    return Engine(
        backend=Backend.TENSORRT, precision=Precision.BF16, files=(BundleFile(path="p", bytes=1, sha256="0"),),
        inputs=(), outputs=(), key={}, profiles=profiles,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"tokens": 16, "batch": 1}, None),
        ({"tokens": 128, "batch": 9}, None),
        ({"tokens": 17, "batch": 4, "frames": 1000}, None),
        ({"tokens": 200, "batch": 1}, "tokens from 1 to 16, not 200"),
        ({"tokens": 0, "batch": 7}, "tokens from 1 to 16, not 0"),
    ],
)
def test_the_axis_that_does_not_fit_is_named(sizes, told):
    """Axes that no profile has are free, batches can be split, and one profile that fits is enough."""
    assert misfit(engine(SMALL, LARGE), sizes) == told


def test_every_axis_of_the_nearest_profile_is_named():
    """The sentence names the axes of the profile that is nearest to fitting."""
    assert misfit(engine(ROWS), {"rows": 5, "columns": 9}) == "rows from 1 to 4, not 5 and columns from 1 to 4, not 9"
    assert misfit(engine(ROWS, {**ROWS, "rows": Span(min=5, opt=5, max=6)}), {"rows": 5, "columns": 9}) == (
        "columns from 1 to 4, not 9"
    )


def test_an_engine_without_profiles_fits_everything():
    """Graphs are not built for sizes."""
    assert misfit(engine(), {"tokens": 10**9}) is None
    assert batch_limit((), {"batch": 3}) is None
    assert choose_profile((), {"batch": 3}) is None


def test_the_batch_is_limited_by_the_profiles_that_fit():
    """The largest batch that is possible at the other sizes."""
    assert batch_limit((SMALL, LARGE), {"tokens": 5, "batch": 3}) == 1
    assert batch_limit((SMALL, LARGE), {"tokens": 14, "batch": 3}) == 4
    assert batch_limit((SMALL, LARGE), {"tokens": 1000, "batch": 3}) is None


def test_a_refusal_ends_with_the_command(sentence):
    """One sentence: what was built, what came, the command with the size of the video where that is known."""
    video = VideoSize(height=512, width=768, num_frames=97)
    folder, sizes = Path("bundle"), {"tokens": 200, "batch": 1}
    told = sentence(refusal(engine(SMALL), Component.TRANSFORMER, sizes, folder, video))
    assert told == (
        "The transformer for tensorrt was built for tokens from 1 to 16, not 200; run: build-engines SOURCE --out "
        "bundle --backend tensorrt --precision bf16 --component transformer --resolution 512x768 --frames 97."
    )
    assert refusal(engine(SMALL), Component.TRANSFORMER, {"tokens": 5, "batch": 1}, folder, video) is None
    assert refusal(engine(SMALL), Component.VAE_DECODER, sizes, folder).endswith("MIN:OPT:MAX --frames MIN:OPT:MAX.")


def test_too_much_text_is_the_prompts_matter():
    """No option builds for longer prompts, so the sentence asks for a shorter one."""
    text = {"text_tokens": Span(min=1, opt=8, max=16)}
    told = refusal(engine(text), Component.TEXT_ENCODER, {"text_tokens": 20}, Path())
    assert (
        told == "The text encoder for tensorrt was built for text_tokens from 1 to 16, not 20: give a shorter prompt."
    )


def test_names_are_spoken():
    """A component is named as people name it."""
    assert [component.spoken for component in Component] == [
        "text encoder", "transformer", "image encoder", "UNet", "VAE encoder", "VAE decoder",
        "latent upsampler",
    ]  # fmt: skip


def test_sizes_are_read_off_shapes():
    """Only named axes have a size to choose by."""
    specs = [TensorSpec(name="x", dtype="float32", axes=("batch", "3", "rows"))]
    assert axis_sizes(specs, {"x": (2, 3, 7)}) == {"batch": 2, "rows": 7}

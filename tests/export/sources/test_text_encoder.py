"""Which text encoder is taken: the folder's own, the file that is named, or one that lies in the folder."""

import shutil

import pytest
import tiny_gguf
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_export.sources.text_encoder import T5Choice, gguf_text_encoder, read_text_encoder
from vidrt_reference.checkpoint.errors import CheckpointError

ORDER = (
    "t5-v1_1-xxl-encoder-Q8_0.gguf",
    "text_encoder_gguf/t5-v1_1-xxl-encoder-Q8_0.gguf",
    "t5-xxl.gguf",
    "text_encoder_gguf/t5-v1_1-xxl-encoder-Q5_K_M.gguf",
    "another.gguf",
    "other.gguf",
    "text_encoder_gguf/a.gguf",
    "text_encoder_gguf/b.gguf",
)
FULL = T5Choice(full=True)


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    """A small encoder in Q8_0."""
    path = tmp_path_factory.mktemp("gguf") / "small.gguf"
    tiny_gguf.save(path, "Q8_0")
    return path


@pytest.fixture
def bare(source):
    """A checkpoint without a text encoder."""
    shutil.rmtree(source / "text_encoder")
    return source


def test_files_in_the_folder_are_taken_in_their_order(bare, gguf):
    """Of all names that are known the first, then any other, nearest first."""
    for name in reversed(ORDER):
        (bare / name).parent.mkdir(exist_ok=True)
        shutil.copy(gguf, bare / name)
        part = read_text_encoder(bare)
        assert next(iter(part.tensors.values())).path == bare / name
        assert (part.origin, part.gguf) == (name.split("/")[-1], "Q8_0")


def test_the_folders_own_weights_come_before_files_beside_them(source, gguf):
    """A GGUF file that lies in the folder takes the place of nothing; one that is named does."""
    shutil.copy(gguf, source / ORDER[0])
    assert read_text_encoder(source).origin is None
    assert read_text_encoder(source, T5Choice(gguf=gguf)).origin == gguf.name


@pytest.mark.parametrize("left", ["config.json", "model.safetensors"])
def test_half_of_a_text_encoder_is_none(source, gguf, left):
    """A folder that lost its weights or its configuration gives way to the file; asked for, it is missed."""
    for path in (source / "text_encoder").iterdir():
        if path.name != left:
            path.unlink()
    shutil.copy(gguf, source / ORDER[2])
    assert read_text_encoder(source).origin == ORDER[2]
    with pytest.raises(CheckpointError, match="text_encoder"):
        read_text_encoder(source, FULL)


def test_without_any_the_folder_is_missed(bare):
    """What could be there, and what else can be given, is in the sentence."""
    with pytest.raises(CheckpointError, match=r"Expected a text encoder in .*, as a folder text_encoder"):
        read_text_encoder(bare)


def test_one_encoder_only_can_be_asked_for(source, gguf):
    """A file and the folder's own weights exclude each other."""
    with pytest.raises(CheckpointError, match="exclude each other"):
        read_text_encoder(source, T5Choice(gguf=gguf, full=True))


def test_a_file_that_is_not_there_is_told(source):
    """Its path is in the sentence."""
    with pytest.raises(CheckpointError, match=r"a GGUF file at /nowhere/t5\.gguf"):
        read_text_encoder(source, T5Choice(gguf=(source.parent / "/nowhere/t5.gguf")))


def test_widths_must_belong_together(source, gguf):
    """The transformer takes embeddings of 16 channels, and the file has 256."""
    with pytest.raises(CheckpointError, match="caption_channels is 16 and the text encoder's d_model is 256"):
        read_diffusers_folder(source, t5=T5Choice(gguf=gguf))


def test_a_family_without_text_refuses_a_text_encoder(svd_checkpoint, gguf):
    """Stable Video Diffusion has none."""
    for choice in (T5Choice(gguf=gguf), FULL):
        with pytest.raises(CheckpointError, match="has no text encoder"):
            read_diffusers_folder(svd_checkpoint, t5=choice)


def test_every_key_and_shape_fits(gguf):
    """Both forms, in blocks and as numbers, have exactly the tensors that their modules take."""
    part = gguf_text_encoder(gguf)
    part.check()
    part.plain.check()
    assert part.weight_bytes < 0.3 * part.plain.weight_bytes

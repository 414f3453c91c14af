"""Final latents in a file: read back to the bit, decoded to the same frames, and refused where they are not."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import save_file
from vidrt import RequestError
from vidrt.latents_file import read_final, write_final
from vidrt.output.errors import OutputError
from vidrt.pipelines.ltx_video.final_latents import FinalLatents
from vidrt.tensor_files import read_latents

RANDOM = np.random.default_rng(0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "latents.safetensors"


def final(**changes):
    latents = RANDOM.standard_normal((2, 3, 2, 4, 5), np.float32).transpose(0, 1, 2, 4, 3)
    maps = tuple(RANDOM.standard_normal((4, 5), np.float32) for _ in range(11))
    values = {
        "latents": latents, "noise": latents + 1, "maps": maps, "timestep": 0.05, "noise_scale": 0.025,
        "noise_before_denormalising": False, "tone_map": 0.6, "height": 96, "width": 128, "fps": 12.5,
        "record": {"seed": 7, "prompt": '\u00e9 a "cat"', "passes": [{"height": 64}]},
    }  # fmt: skip
    return FinalLatents(**{**values, **changes})


def plain(value):
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {
        name: [array.tolist() for array in v] if name == "maps" else v.tolist() if isinstance(v, np.ndarray) else v
        for name, v in fields.items()
    }


@pytest.mark.parametrize("changes", [{}, {"noise": None, "maps": (), "timestep": None}])
def test_what_is_written_is_read_back(path, changes):
    """Every field comes back, arrays to the bit whatever their layout, and no other file is left."""
    written = final(**changes)
    write_final(path, written)
    assert plain(read_final(path)) == plain(written)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_they_are_first_latents_too(path):
    """A run can begin with the file of another."""
    written = final()
    write_final(path, written)
    assert np.array_equal(read_latents(path), written.latents)


def test_latents_that_cannot_be_written_are_told(tmp_path):
    """A folder in the place of the file is an error of writing, and leaves nothing behind."""
    with pytest.raises(OutputError, match="is a folder"):
        write_final(tmp_path, final())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("about", ["", "[]", "{}", '{"fps": 1}', None])
def test_a_file_that_does_not_say_how_to_decode_is_refused(path, about, sentence):
    """Latents from elsewhere, or with metadata that is damaged, are one sentence."""
    metadata = {"record": "{}"} if about is None else {"vidrt": about, "record": "{}"}
    save_file({"initial_latents": np.zeros((1, 2, 3, 4, 5), np.float32)}, path, metadata)
    with pytest.raises(RequestError) as error:
        read_final(path)
    assert "holds no final latents of vidrt" in sentence(error)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"latents": np.full((1, 3, 1, 2, 2), np.nan, np.float32)}, "infinite or no numbers"),
        ({"noise": np.zeros((1, 3, 1, 2, 3), np.float32)}, "noise of the shape (1, 3, 1, 2, 3)"),
        ({"fps": 0}, "not above 0"),
        ({"height": -1}, "not above 0"),
    ],
)
def test_values_that_cannot_be_right_are_refused(path, changes, told, sentence):
    """What a damaged file says is found before a decoder is opened."""
    write_final(path, final(**changes))
    with pytest.raises(RequestError) as error:
        read_final(path)
    assert told in sentence(error)


def test_a_truncated_file_is_refused(path, sentence):
    """A file that broke off is one sentence."""
    write_final(path, final())
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(RequestError) as error:
        read_final(path)
    assert "no whole safetensors file" in sentence(error)


def test_a_run_decodes_the_same_from_its_file(demo, small, path):
    """What a pipeline keeps of a step, another decodes to the same frames and record."""
    *_, last = demo.denoise(**small)
    (wanted,) = demo.decode(last)
    write_final(path, demo.final_latents(last))
    (got,) = demo.decode_final(read_final(path))
    assert np.array_equal(got.frames, wanted.frames)
    assert got.fps == wanted.fps
    assert json.loads(json.dumps(wanted.record)) == got.record


def test_latents_of_another_model_are_refused(demo, sentence):
    """Latents with other channels, or noise that this decoder does not take, say so."""
    with pytest.raises(RequestError) as error:
        demo.decode_final(final())
    assert "should have the shape (videos, 48, frames, rows, columns)" in sentence(error)
    latents = np.zeros((1, 48, 1, 2, 2), np.float32)
    with pytest.raises(RequestError, match="takes other noise"):
        demo.decode_final(final(latents=latents, noise=latents))

"""Embeddings of prompts on disk: found for the same tokens of the same encoder, and never in the way."""

import dataclasses

import numpy as np
import pytest
from vidrt.pipelines.load import load_pipeline
from vidrt.prompt_cache import PromptCache
from vidrt_engines.places import DEFAULT_BUNDLE

IDS = np.array([4, 7, 1])
EMBEDDINGS = np.arange(12, dtype=np.float32).reshape(1, 3, 4)


@pytest.fixture
def engine(demo):
    return demo.components["text_encoder"].engine.engine


@pytest.fixture
def cache(engine, tmp_path):
    return PromptCache(engine, tmp_path / "prompts", most=3)


def test_what_was_kept_is_found(cache, engine, tmp_path):
    """The same tokens give the same numbers, to the bit, in a later process too; others give nothing."""
    assert cache.find(IDS) is None
    cache.keep(IDS, EMBEDDINGS)
    assert np.array_equal(PromptCache(engine, tmp_path / "prompts").find(IDS), EMBEDDINGS)
    assert cache.find(IDS[:2]) is None
    assert cache.find(IDS + 1) is None


def test_another_encoder_finds_nothing(cache, engine, tmp_path):
    """Other weights, another precision or another backend give other embeddings."""
    cache.keep(IDS, EMBEDDINGS)
    others = [
        dataclasses.replace(engine, key={**engine.key, "weights": "other"}),
        dataclasses.replace(engine, precision="bf16"),
        dataclasses.replace(engine, backend="tensorrt"),
    ]
    assert "weights" in engine.key
    assert [PromptCache(other, tmp_path / "prompts").find(IDS) for other in others] == [None] * 3


@pytest.mark.parametrize("length", [40, 8, 0])
def test_a_damaged_file_is_as_good_as_none(cache, tmp_path, length):
    """What cannot be read is not found, and can be kept again."""
    cache.keep(IDS, EMBEDDINGS)
    (path,) = (tmp_path / "prompts").iterdir()
    path.write_bytes(path.read_bytes()[:length])
    assert cache.find(IDS) is None
    cache.keep(IDS, EMBEDDINGS)
    assert np.array_equal(cache.find(IDS), EMBEDDINGS)


def test_what_is_no_number_is_not_found(cache):
    """Embeddings of an encoder that overflowed are computed again."""
    cache.keep(IDS, np.full_like(EMBEDDINGS, np.nan))
    assert cache.find(IDS) is None


def test_a_folder_that_cannot_be_written_to_stops_nothing(engine, tmp_path):
    """A cache in the place of a file keeps nothing and says nothing."""
    (tmp_path / "file").write_text("")
    cache = PromptCache(engine, tmp_path / "file" / "prompts")
    cache.keep(IDS, EMBEDDINGS)
    assert cache.find(IDS) is None


def test_the_oldest_go(cache, tmp_path):
    """No more are kept than it was told; looking one up makes it young again."""
    import os

    for number in range(3):
        cache.keep(IDS + number, EMBEDDINGS)
        os.utime(cache._path(IDS + number), (number, number))
    assert cache.find(IDS) is not None
    cache.keep(IDS + 3, EMBEDDINGS)
    assert [cache.find(IDS + number) is None for number in range(4)] == [False, True, False, False]
    assert len(list((tmp_path / "prompts").iterdir())) == 3


def test_a_prompt_that_was_seen_opens_no_text_encoder(small, opened, own_cache, notes):
    """A second run, in another pipeline, makes the same frames without the encoder; the prompt is in no file's name."""
    frames = []
    for _ in range(2):
        opened.clear()
        with load_pipeline(DEFAULT_BUNDLE, device="cpu", cache_prompts=True, progress=notes) as pipeline:
            frames.append(pipeline(**small, prompt="a red circle").frames)
        is_opened = ("open", "text encoder") in opened
        assert is_opened == (len(frames) == 1)
    assert np.array_equal(*frames)
    assert "The prompt was seen before: its embeddings come from the cache." in notes.lines
    assert len(list((own_cache / "vidrt" / "prompts").iterdir())) == 2


def test_a_pipeline_keeps_nothing_unless_told(demo, small, own_cache):
    """A library leaves no files behind that nobody asked for."""
    demo(**small)
    assert not (own_cache / "vidrt" / "prompts").exists()

"""From a prompt to its embeddings: what the text encoder sees, and what is kept of what it gives."""

import contextlib

import numpy as np
import pytest
from vidrt.pipelines.ltx_video.conventions import conventions
from vidrt.pipelines.ltx_video.prompts import encode_prompts
from vidrt.tokenizer import Tokens
from vidrt_engines.names import Compat
from vidrt_engines.versions import version_named


class Letters:
    """A tokenizer of letters: it remembers the texts, and pads with 0."""

    def __init__(self):
        self.texts = []

    def encode(self, prompt, limit):
        self.texts.append(prompt)
        ids = [ord(letter) for letter in prompt][: limit - 1]
        return Tokens(ids=np.array([*ids, 1]), cut=prompt[limit - 1 :] or None)

    def pad(self, ids, length):
        return np.pad(ids, (0, length - len(ids)))


class Encoder:
    """An encoder whose embeddings say the token's id and how many tokens there were: (B, L, 2)."""

    def held(self):
        return contextlib.nullcontext()

    def __call__(self, input_ids):
        assert input_ids.ndim == 2
        return np.stack([input_ids, np.full_like(input_ids, input_ids.shape[1])], axis=2).astype(np.float32)


@pytest.fixture
def encode(make_settings, notes):
    def run(prompt, compat, pipeline_class="LTXPipeline"):
        rules = conventions(Compat(compat), make_settings(pipeline_class=pipeline_class), version_named("0.9.5"))
        tokenizer = Letters()
        (embeddings,) = encode_prompts([prompt], Encoder(), tokenizer, rules, notes)
        return embeddings, tokenizer.texts, notes.lines

    return run


@pytest.mark.parametrize(
    ("compat", "pipeline_class", "seen"),
    [
        ("official", "LTXPipeline", 3),
        ("official", "LTXConditionPipeline", 3),
        ("diffusers", "LTXPipeline", 128),
        ("diffusers", "LTXImageToVideoPipeline", 128),
        ("diffusers", "LTXConditionPipeline", 3),
    ],
)
def test_the_encoder_sees_padding_only_without_a_mask(encode, compat, pipeline_class, seen):
    """Where the oracle hands no mask the encoder sees the padding, and only the real tokens are kept either way."""
    embeddings, _, lines = encode("ab", compat, pipeline_class)
    assert embeddings.tolist() == [[[97, seen], [98, seen], [1, seen]]]
    assert embeddings.flags.c_contiguous
    assert lines == ["encoding the prompt"]


@pytest.mark.parametrize(("compat", "text"), [("official", "a b"), ("diffusers", " a b\n")])
def test_the_official_code_strips_prompts(encode, compat, text):
    """White space around a prompt goes officially and stays with diffusers."""
    assert encode(" a b\n", compat)[1] == [text]


@pytest.mark.parametrize(
    ("compat", "pipeline_class", "limit"),
    [("official", "LTXPipeline", 256), ("diffusers", "LTXPipeline", 128), ("diffusers", "LTXConditionPipeline", 256)],
)
def test_what_is_over_the_limit_is_told(encode, compat, pipeline_class, limit):
    """A prompt is cut at the limit of its convention, and the words that went are quoted."""
    embeddings, _, lines = encode("x" * (limit - 1) + "yz", compat, pipeline_class)
    assert embeddings.shape == (1, limit, 2)
    assert embeddings[0, -1, 0] == 1
    assert lines == [f"The prompt has more than {limit} tokens; this was cut off: 'yz'", "encoding the prompt"]
    lines.clear()
    assert encode("x" * (limit - 1), compat, pipeline_class)[2] == ["encoding the prompt"]

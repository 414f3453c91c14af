"""From prompts to what the transformer attends to."""

from dataclasses import dataclass

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.components.text_encoder import TextEncoder
from vidrt.pipelines.conventions import Conventions
from vidrt.progress import Progress
from vidrt.tokenizer import Tokenizer, Tokens


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """Embeddings (1, L, D) of the tokens that count, so that no mask is needed; `negative` only for guidance."""

    positive: FloatArray
    negative: FloatArray | None = None


@dataclass(frozen=True, kw_only=True)
class TextLength:
    """How many tokens the text encoder sees, None where embeddings are given, and how many of them count."""

    encoded: int | None
    kept: int


def text_length(prompt: str, tokenizer: Tokenizer, rules: Conventions) -> TextLength:
    """The lengths that `encode_prompt` will meet, without encoding."""
    kept = len(_tokens(prompt, tokenizer, rules).ids)
    return TextLength(encoded=rules.text_limit if rules.pads_text else kept, kept=kept)


def encode_prompt(
    prompt: str, encoder: TextEncoder, tokenizer: Tokenizer, rules: Conventions, progress: Progress
) -> FloatArray:
    """Embeds one prompt.

    Where the text encoder gets no mask it has to see the padding, which changes the embeddings of the tokens that
    count; where it gets one, padding weighs exactly nothing and is not computed.

    Returns:
        (1, L, D) for the prompt's L tokens.
    """
    tokens = _tokens(prompt, tokenizer, rules)
    if tokens.cut is not None:
        progress.note(f"The prompt has more than {rules.text_limit} tokens; this was cut off: {tokens.cut!r}")
    ids = tokenizer.pad(tokens.ids, rules.text_limit) if rules.pads_text else tokens.ids
    return np.ascontiguousarray(encoder(ids[None])[:, : len(tokens.ids)])


def _tokens(prompt: str, tokenizer: Tokenizer, rules: Conventions) -> Tokens:
    return tokenizer.encode(prompt.strip() if rules.strips_prompt else prompt, rules.text_limit)

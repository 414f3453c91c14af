"""From prompts to what the transformer attends to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidrt.arrays import FloatArray, IntArray
from vidrt.components.text_encoder import TextEncoder
from vidrt.pipelines.ltx_video.conventions import Conventions
from vidrt.progress import Progress
from vidrt.prompt_cache import PromptCache
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
    """The lengths that `encode_prompts` will meet, without encoding."""
    kept = len(_tokens(prompt, tokenizer, rules).ids)
    return TextLength(encoded=rules.text_limit if rules.pads_text else kept, kept=kept)


def encode_prompts(
    prompts: Sequence[str], encoder: TextEncoder, tokenizer: Tokenizer, rules: Conventions, progress: Progress,
    cache: PromptCache | None = None,
) -> list[FloatArray]:  # fmt: skip
    """Embeds prompts; the encoder is open for this long, and not at all if the cache has them all.

    Where the text encoder gets no mask it has to see the padding, which changes the embeddings of the tokens that
    count; where it gets one, padding weighs exactly nothing and is not computed.

    Returns:
        (1, L, D) for each prompt's L tokens.
    """
    tokens = [_told(_tokens(prompt, tokenizer, rules), rules, progress) for prompt in prompts]
    seen = [tokenizer.pad(each.ids, rules.text_limit) if rules.pads_text else each.ids for each in tokens]
    embeddings = [None if cache is None else cache.find(ids) for ids in seen]
    if all(found is not None for found in embeddings):
        progress.note("The prompt was seen before: its embeddings come from the cache.")
    else:
        progress.note("encoding the prompt")
        with encoder.held():
            embeddings = [
                _encoded(ids, encoder, cache) if found is None else found
                for ids, found in zip(seen, embeddings, strict=True)
            ]
    pairs = zip(embeddings, tokens, strict=True)
    return [np.ascontiguousarray(values[:, : len(each.ids)]) for values, each in pairs if values is not None]


def _encoded(ids: IntArray, encoder: TextEncoder, cache: PromptCache | None) -> FloatArray:
    values: FloatArray = np.array(encoder(ids[None]))  # onnxruntime's own would keep all that the engine took
    if cache is not None:
        cache.keep(ids, values)
    return values


def _told(tokens: Tokens, rules: Conventions, progress: Progress) -> Tokens:
    if tokens.cut is not None:
        progress.note(f"The prompt has more than {rules.text_limit} tokens; this was cut off: {tokens.cut!r}")
    return tokens


def _tokens(prompt: str, tokenizer: Tokenizer, rules: Conventions) -> Tokens:
    return tokenizer.encode(prompt.strip() if rules.strips_prompt else prompt, rules.text_limit)

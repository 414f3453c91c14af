"""T5's tokenizer over the words of the captions."""

import math
import string
from collections import Counter

from transformers import T5TokenizerFast

from training.clips.captions import phrase
from training.clips.scene import Colour, Motion, Shape

# what the official code asks to stay away from: read as words, never as a caption
NEGATIVE_PROMPT = "worst quality, inconsistent motion, blurry, jittery, distorted"
_SPECIAL = ("<pad>", "</s>", "<unk>")
_LETTER_SCORE = -20.0  # so unlikely that letters are taken only for words that are unknown
_TOKENS = 128


def build_tokenizer() -> T5TokenizerFast:
    """Counts words in all captions there can be; letters stand for any other word."""
    counts = Counter(word for text in (*_captions(), NEGATIVE_PROMPT.replace(",", " ,")) for word in text.split())
    total = sum(counts.values())
    words = [("▁" + word, math.log(count / total)) for word, count in sorted(counts.items()) if word.isalpha()]
    known = {word for word, _ in words}
    letters = ["▁", *string.ascii_lowercase, *string.digits, *",.'-"]
    pieces = [*((name, 0.0) for name in _SPECIAL), *words]
    pieces += [(letter, _LETTER_SCORE) for letter in letters if letter not in known]
    return T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=_TOKENS)


def _captions() -> list[str]:
    """All of them, as they are and as sentences begin."""
    return [
        written(phrase(colour, shape, motion, striped=striped))
        for colour in Colour
        for shape in Shape
        for motion in Motion
        for striped in (False, True)
        for written in (str, str.capitalize)
    ]

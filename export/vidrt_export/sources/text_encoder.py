"""The text encoder of LTX-Video: a folder that transformers saved, or a GGUF file, named or found beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vidrt_engines import components
from vidrt_engines.names import Component
from vidrt_reference.checkpoint.eight_bits import in_sixteen_bits
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import CONFIG, component_tensors, read_config
from vidrt_reference.checkpoint.gguf.t5 import quantised_text_encoder, read_gguf_text_encoder
from vidrt_reference.checkpoint.stored import StoredTensor
from vidrt_reference.text_encoder import TIED_NAMES, TextEncoder, TextEncoderParams

from vidrt_export.part import Part
from vidrt_export.tokenizer import find_tokenizer

_FOLDER, _GGUF_FOLDER = "text_encoder", "text_encoder_gguf"
# The names that people have on disk, in the order in which they are looked for; any others come after them.
_NAMES = (
    "t5-v1_1-xxl-encoder-Q8_0.gguf",
    f"{_GGUF_FOLDER}/t5-v1_1-xxl-encoder-Q8_0.gguf",
    "t5-xxl.gguf",
    f"{_GGUF_FOLDER}/t5-v1_1-xxl-encoder-Q5_K_M.gguf",
)
_SIZES = {"batch": 2, "text_tokens": 7}


@dataclass(frozen=True, kw_only=True)
class T5Choice:
    """Which text encoder is asked for.

    Attributes:
        gguf: a GGUF file, in the place of what the folder has.
        full: only the weights that are not quantised will do.
        folder: where text encoder and tokenizer are, in the place of the checkpoint's folder.
    """

    gguf: Path | None = None
    full: bool = False
    folder: Path | None = None


def read_text_encoder(folder: Path, choice: T5Choice | None = None) -> Part:
    """Looks at a text encoder: the file asked for, else the folder's own weights, else a GGUF file in the folder.

    Args:
        folder: the checkpoint's.
        choice: what is asked for.

    Raises:
        CheckpointError: there is none, or it is damaged or not supported.
    """
    choice = choice or T5Choice()
    if choice.gguf is not None:
        if choice.full or choice.folder:
            other = "--use-bf16-t5" if choice.full else "--text-encoder"
            raise CheckpointError(f"--t5-gguf and {other} exclude each other: give one of them.")
        return gguf_text_encoder(choice.gguf)
    home = _home(folder, choice)
    found = None if choice.full or _has_weights(home / _FOLDER) else _find_gguf(home)
    return gguf_text_encoder(found) if found else _folder_text_encoder(home / _FOLDER)


def tokenizer_of(folder: Path, choice: T5Choice | None = None) -> Path:
    """The file that holds the tokenizer: in the folder of the text encoder, or beside a GGUF file that is asked for.

    Raises:
        CheckpointError: there is none.
    """
    choice = choice or T5Choice()
    return find_tokenizer(_home(folder, choice), *([choice.gguf.parent] if choice.gguf else []))


def _home(folder: Path, choice: T5Choice) -> Path:
    """The folder in which text encoder and tokenizer have their folders; the text encoder's own may stand for it."""
    if choice.folder is None:
        return folder
    if not choice.folder.is_dir():
        raise CheckpointError(f"Expected a folder as --text-encoder, but {choice.folder} is none: check the path.")
    own = choice.folder.resolve()
    return own.parent if own.name == _FOLDER and (own / CONFIG).is_file() else own


def gguf_text_encoder(path: Path) -> Part:
    """Looks at a text encoder in a GGUF file; it stays quantised where a backend can play it so."""
    encoder = read_gguf_text_encoder(path)
    own = {"origin": path.name, "gguf": " and ".join(encoder.types)}
    plain = _part(encoder.params, partial(TextEncoder, encoder.params), encoder.numbers, **own)
    if not encoder.forms:
        return plain
    config = {**plain.config, "blocks": encoder.forms}
    make = partial(quantised_text_encoder, encoder.params, encoder.forms)
    return _part(encoder.params, make, encoder.tensors, config=config, plain=plain, **own)


def _has_weights(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and any(folder.glob("*.safetensors*"))


def _find_gguf(folder: Path) -> Path | None:
    named = (folder / name for name in _NAMES)
    others = (path for place in (folder, folder / _GGUF_FOLDER) for path in sorted(place.glob("*.gguf")))
    return next((path for path in (*named, *others) if path.is_file()), None)


def _folder_text_encoder(folder: Path) -> Part:
    if not folder.is_dir():
        raise CheckpointError(
            f"Expected a text encoder in {folder.parent}, as a folder {_FOLDER} or a GGUF file, but there is none: "
            f"put one there, or give --text-encoder DIR or --t5-gguf FILE."
        )
    params = TextEncoderParams.from_config(read_config(folder))
    weights = in_sixteen_bits(component_tensors(folder))
    note = weights.note("text encoder")
    return _part(params, partial(TextEncoder, params), weights.tensors, optional=TIED_NAMES, note=note)


def _part(params: TextEncoderParams, make: Any, tensors: Mapping[str, StoredTensor], **more: Any) -> Part:
    config = more.pop("config", vars(params))
    return Part(
        component=Component.TEXT_ENCODER, signature=components.text_encoder(width=params.d_model), config=config,
        make=make, tensors=tensors, sizes=_SIZES, **more,
    )  # fmt: skip

"""The tokenizer of a checkpoint, as one tokenizer.json."""

import os
import shutil
import tempfile
from pathlib import Path

from vidrt_reference.checkpoint.errors import CheckpointError

FAST, SLOW = "tokenizer.json", "spiece.model"
# Where folders keep it: its own place, then those of text encoders.
_PLACES = ("tokenizer", "text_encoder", "text_encoder_8bit", "text_encoder_gguf")


def find_tokenizer(*folders: Path) -> Path:
    """The file of a checkpoint that holds its tokenizer: tokenizer.json, or the sentencepiece model it is made from.

    In each folder tokenizer.json comes first, in whichever place it lies, since nothing has to be made of it.

    Args:
        folders: the checkpoint's folder, then others that may have it.

    Raises:
        CheckpointError: there is neither.
    """
    paths = (folder / place / name for folder in folders for name in (FAST, SLOW) for place in _PLACES)
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise CheckpointError(f"{folders[0] / 'tokenizer'} has neither {FAST} nor {SLOW}: download the tokenizer.")
    return found


def write_tokenizer(source: Path, target: Path) -> None:
    """Writes tokenizer.json, converting a sentencepiece model as transformers does.

    Raises:
        CheckpointError: the source is no tokenizer.
    """
    if source.name == FAST:
        shutil.copyfile(source, target)
        return
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(source, Path(folder, SLOW))
        Path(folder, "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer"}', encoding="utf-8")
        try:
            AutoTokenizer.from_pretrained(folder).backend_tokenizer.save(os.fspath(target))
        except Exception as error:  # sentencepiece and tokenizers raise their own
            raise CheckpointError(f"{source} is no sentencepiece model: {str(error).splitlines()[0]}.") from error

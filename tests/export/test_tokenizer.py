"""The tokenizer of a checkpoint, as the one file that the runtime reads."""

import filecmp

import pytest
import transformers
from vidrt.tokenizer import Tokenizer
from vidrt_export.tokenizer import find_tokenizer, write_tokenizer
from vidrt_reference.checkpoint.errors import CheckpointError

SENTENCES = [
    "a red circle moves to the right over the dark sea",
    "the quick brown fox jumps over the lazy dog, and the dog sleeps.",
    "slow motion of a river under a bridge at night in winter",
    "clouds drift by a mountain while a bird flies home",
    "Two people walk along a street in the rain; one of them smiles!",
    "An old boat on a lake, seen from above (aerial view).",
]
TEXTS = [
    *SENTENCES,
    "",
    " ",
    "  a  red \n boat ",
    "Ünïcode — 日本",
    "a</s>b",
    "<pad> the <unk>",
    "a" * 300,
    "1234567890",
]


@pytest.fixture(scope="module")
def spiece_folder(tmp_path_factory):
    """A checkpoint's folder with a sentencepiece model alone, its special tokens numbered as T5's."""
    import sentencepiece

    folder = tmp_path_factory.mktemp("spiece")
    (folder / "tokenizer").mkdir()
    (folder / "text").write_text("\n".join(SENTENCES), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"), model_prefix=str(folder / "tokenizer" / "spiece"), vocab_size=76,
        model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer" / "spiece.vocab").unlink()
    return folder


@pytest.fixture(scope="module")
def oracle(spiece_folder):
    """The same file read by transformers as a T5 tokenizer."""
    return transformers.T5Tokenizer.from_pretrained(spiece_folder / "tokenizer")


@pytest.fixture(scope="module")
def converted(spiece_folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("converted") / "tokenizer.json"
    write_tokenizer(find_tokenizer(spiece_folder), target)
    return Tokenizer(target)


@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_transformers(converted, oracle, text):
    """A sentencepiece model is converted such that every text gets the ids that transformers gives it."""
    assert converted.encode(text, 10_000).ids.tolist() == oracle(text).input_ids


@pytest.mark.parametrize("text", SENTENCES)
def test_cut_ids_are_transformers(converted, oracle, text):
    """Beyond the limit, and padded up to it, they are transformers' as well."""
    for limit in (1, 5, 64):
        wanted = oracle(text, truncation=True, max_length=limit, padding="max_length").input_ids
        assert converted.pad(converted.encode(text, limit).ids, limit).tolist() == wanted


def test_ids_are_sentencepiece(converted, spiece_folder):
    """Words that the model knows get the ids of sentencepiece itself, with the end token behind them."""
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(spiece_folder / "tokenizer" / "spiece.model"))
    for text in SENTENCES:
        ids = converted.encode(text, 10_000).ids.tolist()
        assert ids == [*model.encode(text), 1]
        assert len(ids) > 5


def test_a_tokenizer_json_is_copied(checkpoints, tmp_path):
    """What is there in the right form is taken as it is."""
    found = find_tokenizer(checkpoints("0.9.0"))
    write_tokenizer(found, tmp_path / "tokenizer.json")
    assert filecmp.cmp(found, tmp_path / "tokenizer.json", shallow=False)


def test_places_are_looked_at_in_their_order(tmp_path):
    """tokenizer.json wherever it lies, in a tokenizer's own folder first, then in those of text encoders."""
    for name in ("spiece.model", "tokenizer.json"):
        for place in ("text_encoder_gguf", "text_encoder_8bit", "text_encoder", "tokenizer"):
            (tmp_path / place).mkdir(exist_ok=True)
            (tmp_path / place / name).touch()
            assert find_tokenizer(tmp_path) == tmp_path / place / name


def test_further_folders_come_after_the_first(tmp_path):
    """A sentencepiece model in the first folder is found before anything in the second."""
    for folder, name in (("second", "tokenizer.json"), ("first", "spiece.model")):
        (tmp_path / folder / "tokenizer").mkdir(parents=True)
        (tmp_path / folder / "tokenizer" / name).touch()
        assert find_tokenizer(tmp_path / "first", tmp_path / "second") == tmp_path / folder / "tokenizer" / name


def test_what_is_no_sentencepiece_model_is_refused(tmp_path):
    """A file of that name that is something else is told so in one sentence, and nothing is written."""
    source, target = tmp_path / "spiece.model", tmp_path / "tokenizer.json"
    source.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CheckpointError, match=r"spiece\.model is no sentencepiece model: .*\.$") as error:
        write_tokenizer(source, target)
    assert "\n" not in str(error.value)
    assert not target.exists()

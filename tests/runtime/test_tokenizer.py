"""T5's tokenizer against transformers', from the tokenizer.json that it saves."""

import json

import pytest
import tiny_ltx
from vidrt.tokenizer import Tokenizer
from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import read_bundle
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle

PROMPTS = [
    "a red circle moves to the right",
    "",
    "   a dog   runs \n under trees  ",
    "Ünïcode, and a word that nobody knows: xylophone",
    "a bird flies over the sea, " * 20,
]


@pytest.fixture(scope="module")
def oracle():
    return tiny_ltx.tokenizer()


@pytest.fixture(scope="module")
def saved(oracle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    oracle.save_pretrained(folder)
    return folder / "tokenizer.json"


@pytest.mark.parametrize("limit", [3, 8, 128, 256])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_tokens_are_those_of_transformers(oracle, saved, prompt, limit):
    """Ids are what transformers gives, cut at the limit with the end token kept."""
    wanted = oracle(prompt, truncation=True, max_length=limit).input_ids
    got = Tokenizer(saved).encode(prompt, limit)
    assert got.ids.tolist() == wanted
    assert got.ids.dtype == "int64"
    assert got.ids[-1] == oracle.eos_token_id
    assert (got.cut is None) == (len(oracle(prompt).input_ids) <= limit)


def test_the_text_over_the_limit_is_quoted(saved):
    """What does not fit is told as text, and nothing is told where all fits to the last token."""
    tokenizer = Tokenizer(saved)
    whole = tokenizer.encode("a dog runs under trees", 100)
    assert tokenizer.encode("a dog runs under trees", len(whole.ids)).cut is None
    assert tokenizer.encode("a dog runs", 3).cut == "runs"
    assert tokenizer.encode("a dog runs under water", 4).cut == "under water"
    assert whole.cut is None


@pytest.mark.parametrize("length", [5, 128])
def test_padding_is_that_of_transformers(oracle, saved, length):
    """Ids are filled with the padding token up to a length; those that have it are left as they are."""
    tokenizer = Tokenizer(saved)
    padded = tokenizer.pad(tokenizer.encode("a dog runs", 256).ids, length)
    assert padded.tolist() == oracle("a dog runs", padding="max_length", max_length=length).input_ids
    assert tokenizer.pad(padded, length).tolist() == padded.tolist()


def test_a_saved_limit_and_padding_mean_nothing(oracle, saved, tmp_path):
    """A tokenizer.json that was saved with truncation and padding on gives the same ids as without."""
    content = json.loads(saved.read_text(encoding="utf-8"))
    content["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    content["padding"] = {
        "strategy": {"Fixed": 50}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "<pad>",
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    got = Tokenizer(tmp_path / "tokenizer.json").encode("a dog runs under the trees", 256).ids.tolist()
    assert got == oracle("a dog runs under the trees").input_ids
    assert len(got) > 4


def test_the_embedded_tokenizer_is_t5s():
    """The demo bundle's tokenizer has T5's padding and end tokens in T5's places."""
    folder = find_bundle(DEFAULT_BUNDLE)
    tokenizer = Tokenizer(folder / read_bundle(folder).tokenizer.path)
    assert (tokenizer.pad_id, tokenizer.end_id) == (0, 1)
    assert tokenizer.encode("", 256).ids.tolist() == [1]


@pytest.mark.parametrize("content", [b"", b"{}", b"{", b"[]", b"\xff\x00", None], ids=repr)
def test_a_bad_file_is_told_so(tmp_path, content, sentence):
    """A tokenizer.json that is missing or damaged is one sentence that names it."""
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"tokenizer\.json is no tokenizer\.json: ") as error:
        Tokenizer(path)
    sentence(error)


@pytest.mark.parametrize("token", ["<pad>", "</s>"])
def test_another_models_tokenizer_is_refused(saved, tmp_path, token):
    """A tokenizer without T5's padding or end token is not T5's, and the missing token is named."""
    path = tmp_path / "tokenizer.json"
    path.write_text(saved.read_text(encoding="utf-8").replace(token, "<other>"), encoding="utf-8")
    with pytest.raises(BundleError, match=f"has no token {token}, so it is no T5 tokenizer"):
        Tokenizer(path)

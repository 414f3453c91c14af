"""How models of the hub are spelled."""

import pytest
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from hypothesis import given
from hypothesis import strategies as st
from vidrt_export.hub.names import check_revision, parse_hub_name
from vidrt_reference.checkpoint.errors import CheckpointError


@pytest.mark.parametrize(
    ("text", "repo", "file", "title"),
    [
        ("Lightricks/LTX-Video", "Lightricks/LTX-Video", None, "ltx-video"),
        ("Lightricks/LTX-Video-0.9.7-dev", "Lightricks/LTX-Video-0.9.7-dev", None, "ltx-video-0.9.7-dev"),
        ("a/b:c.safetensors", "a/b", "c.safetensors", "c"),
        ("a/b:c/ltxv-2b-0.9.5.safetensors", "a/b", "c/ltxv-2b-0.9.5.safetensors", "ltxv-2b-0.9.5"),
    ],
)
def test_a_name_is_a_repository_and_perhaps_a_file(text, repo, file, title):
    """OWNER/NAME and OWNER/NAME:FILE are read, and written as they were."""
    name = parse_hub_name(text)
    assert (name.repo, name.file, name.title, str(name)) == (repo, file, title, text)


@pytest.mark.parametrize(
    "text",
    [
        "", "ltx", "/a/b", "./a/b", "../a", "a/..", "a/b/c", "a//b", "a/b/", "a b/c", "a/b.git", "a--b/c", "a/b..c",
        "~/a", "models/ltx.safetensors", "a/-b", "a/b-", "a/b.", "https://huggingface.co/a/b", "a\\b", "C:/models/ltx",
        "a/é", "a/" + "b" * 97,
    ],
)  # fmt: skip
def test_what_has_another_form_is_none(text):
    """A path and a misspelt name are no names of the hub."""
    assert parse_hub_name(text) is None


@given(st.from_regex(r"[A-Za-z0-9._\-]{1,12}/[A-Za-z0-9._\-]{1,12}", fullmatch=True))
def test_every_name_taken_is_one_to_the_hubs_own_client(text):
    """What is read as a name the hub's client does not refuse, and the other way round."""
    try:
        validate_repo_id(text)
    except HFValidationError:
        assert parse_hub_name(text) is None
    else:
        assert parse_hub_name(text) is not None


@pytest.mark.parametrize(
    "file", ["", "a.bin", "a", "/a.safetensors", "a//b.safetensors", "../a.safetensors", "a\\b.safetensors"]
)
def test_a_file_that_cannot_be_is_refused(file):
    """What follows the colon is a safetensors file of the repository or an error."""
    with pytest.raises(CheckpointError, match=r"Expected OWNER/NAME:FILE"):
        parse_hub_name(f"a/b:{file}")


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/4", "a1b2c3", "feature/x-1"])
def test_revisions_are_branches_tags_and_commits(revision):
    """A revision that can be is not refused."""
    check_revision(revision)


@pytest.mark.parametrize("revision", ["", "a b", "../x", "a//b", "/a", "a/", "a\nb", "é"])
def test_what_can_be_no_revision_is_refused(revision):
    """Neither spaces nor ways out of a folder reach the hub or the cache."""
    with pytest.raises(CheckpointError, match="a branch, a tag or a commit"):
        check_revision(revision)

"""The hub of these tests is one to the hub's own client."""

from pathlib import Path

import pytest
import tiny_bundles
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


@pytest.fixture
def api(hub):
    return HfApi(endpoint=hub.endpoint, token=False)


def test_the_client_downloads_a_whole_repository(hub, place, repository):
    """Every file comes as it is, small ones from the hub and large ones from the store, at every revision's name."""
    for revision in (None, "v1", hub.repositories["tiny/ltx"].commit):
        folder = snapshot_download(
            "tiny/ltx", revision=revision, endpoint=place.endpoint, cache_dir=place.cache, token=False
        )
        assert tiny_bundles.contents(Path(folder)) == tiny_bundles.contents(repository)
    assert {ask.half for ask in hub.requests} == {"hub", "store"}


def test_the_client_reads_sizes_and_hashes(api, repository):
    """What the interface says of files is what they are."""
    for sibling in api.model_info("tiny/ltx", files_metadata=True).siblings:
        assert sibling.size == (repository / sibling.rfilename).stat().st_size
        assert (sibling.lfs is not None) == sibling.rfilename.endswith((".safetensors", ".bin", ".model"))


def test_the_client_knows_its_errors(hub, api, repository, tmp_path):
    """What is not there, or not for everyone, is each the client's own error."""
    hub.add("tiny/gated", repository)
    hub.gated["tiny/gated"] = "allowed"
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("tiny/none")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("tiny/ltx", revision="v9")
    assert api.model_info("tiny/gated").id == "tiny/gated"
    with pytest.raises(GatedRepoError):
        api.hf_hub_download("tiny/gated", "model_index.json", cache_dir=tmp_path)
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download("tiny/ltx", "nothing.json", cache_dir=tmp_path)
    allowed = HfApi(endpoint=hub.endpoint, token="allowed")  # noqa: S106 - no secret
    assert allowed.hf_hub_download("tiny/gated", "model_index.json", cache_dir=tmp_path)

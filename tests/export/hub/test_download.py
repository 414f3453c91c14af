"""A whole checkpoint from the hub: what is downloaded, kept, and done without."""

import dataclasses
import io
import shutil

import pytest
import tiny_bundles
import tiny_hub
from huggingface_hub import snapshot_download
from tiny_hub import WEIGHTS
from vidrt_export.console import Console
from vidrt_export.hub.errors import HubError
from vidrt_reference.checkpoint.errors import CheckpointError


@pytest.fixture
def offline(place):
    """The same cache, and a hub that cannot be reached: nobody listens at port 9."""
    return dataclasses.replace(place, offline=True, endpoint="http://127.0.0.1:9")


def test_only_what_is_needed_is_downloaded_and_only_once(hub, plan, fetched, repository):
    """Each needed file comes once; a second run asks what there is, and for no byte of it."""
    folder = fetched()
    assert sorted(hub.downloads()) == sorted(tiny_hub.NEEDED)
    assert tiny_bundles.contents(folder) == {
        name: hashed for name, hashed in tiny_bundles.contents(repository).items() if name in tiny_hub.NEEDED
    }
    hub.requests.clear()
    assert fetched() == folder
    assert [ask.path.partition("?")[0] for ask in hub.requests] == [
        "/api/models/tiny/ltx", f"/api/models/tiny/ltx/revision/{folder.name}"
    ]  # fmt: skip
    assert plan().missing == []


def test_a_single_file_is_given_as_a_file(fetched, repository):
    """The path is the file by its own name, and what belongs to it lies beside."""
    path = fetched("tiny/ltx:ltxv-2b-0.9.8-distilled.safetensors")
    assert path.name == "ltxv-2b-0.9.8-distilled.safetensors"
    assert path.read_bytes() == (repository / path.name).read_bytes()
    assert (path.parent / "text_encoder/model.safetensors").is_file()
    assert not (path.parent / "transformer").exists()


def test_what_other_programs_have_downloaded_is_taken(hub, place, fetched):
    """A repository in the cache, as diffusers leaves it there, is not downloaded again."""
    folder = snapshot_download("tiny/ltx", endpoint=place.endpoint, cache_dir=place.cache, token=False)
    hub.requests.clear()
    assert str(fetched()) == folder
    assert hub.downloads() == []


def test_offline_the_cache_is_enough(hub, fetched, offline):
    """What has been downloaded is found without a request, by branch and by commit."""
    folder = fetched()
    hub.requests.clear()
    assert fetched(place=offline) == folder
    assert fetched(place=offline, revision=folder.name) == folder
    assert hub.requests == []


def test_offline_a_branch_never_seen_is_told(fetched, offline, told):
    """A revision that the cache does not know cannot be resolved offline."""
    fetched()
    with pytest.raises(CheckpointError) as raised:
        fetched(place=offline, revision="v1")
    assert "HF_HUB_OFFLINE is set" in told(raised)
    assert "does not have tiny/ltx at v1" in told(raised)


@pytest.mark.parametrize(
    ("name", "said"),
    [(WEIGHTS, "no safetensors weights in transformer/"), ("vae/config.json", "lacks vae/config.json")],
)
def test_offline_a_file_that_is_missing_is_named(fetched, offline, told, name, said):
    """Half a checkpoint is not taken for a whole one."""
    (fetched() / name).unlink()
    with pytest.raises(CheckpointError) as raised:
        fetched(place=offline)
    assert said in told(raised)
    assert "HF_HUB_OFFLINE is set: unset it" in told(raised)


def test_a_hub_that_cannot_be_reached(fetched, offline, told):
    """Without the network the error says so, and how to use what is there; the cache is not taken silently."""
    fetched()
    with pytest.raises(HubError) as raised:
        fetched(place=dataclasses.replace(offline, offline=False))
    assert "The hub at http://127.0.0.1:9 cannot be reached" in told(raised)
    assert "HF_HUB_OFFLINE=1" in told(raised)


def test_a_revision_is_another_commit(hub, fetched, repository, tmp_path):
    """A tag keeps its commit when the branch goes on, and shared files are not downloaded twice."""
    first = fetched(revision="v1")
    newer = shutil.copytree(repository, tmp_path / "newer")
    (newer / "scheduler/scheduler_config.json").write_text('{"_class_name": "FlowMatchEulerDiscreteScheduler"}')
    old = hub.repositories["tiny/ltx"]
    hub.add("tiny/ltx", newer)
    hub.repositories["tiny/ltx"].revisions |= {"v1": old.commit, old.commit: old.commit}
    hub.requests.clear()
    second = fetched()
    assert second.name != first.name
    assert hub.downloads() == ["scheduler/scheduler_config.json"]
    assert (second / "scheduler/scheduler_config.json").read_bytes() != (
        first / "scheduler/scheduler_config.json"
    ).read_bytes()
    assert fetched(revision=old.commit) == first


def test_a_full_disk_is_told_before_the_first_weight(hub, plan, fetched, monkeypatch, told):
    """What does not fit is one sentence with both sizes; what is there already does not count."""
    free = shutil.disk_usage("/")._replace(free=(64 << 20) + 1_000_000)
    monkeypatch.setattr("vidrt_export.hub.download.shutil.disk_usage", lambda _: free)
    with pytest.raises(CheckpointError) as raised:
        fetched()
    assert "The download of tiny/ltx needs 3 MB and" in told(raised)
    assert "has 68 MB free: make room, or set HF_HUB_CACHE" in told(raised)
    assert hub.downloads() == ["model_index.json"]
    roomy = free._replace(free=(64 << 20) + plan().missing_bytes())
    monkeypatch.setattr("vidrt_export.hub.download.shutil.disk_usage", lambda _: roomy)
    fetched()
    monkeypatch.setattr("vidrt_export.hub.download.shutil.disk_usage", lambda _: free._replace(free=0))
    fetched()


def test_what_was_begun_counts_as_here(hub, plan, fetched, pauses):
    """After an interruption the plan asks for the rest alone."""
    whole = plan().missing_bytes()
    hub.faults.cuts[WEIGHTS] = [100_000] + [0] * 9
    with pytest.raises(HubError):
        fetched()
    assert pauses
    left = plan()
    arrived = whole - sum(file.bytes for file in left.missing)
    assert left.missing_bytes() == whole - arrived - 100_000
    assert WEIGHTS in "\n".join(left.lines())


def test_the_plan_says_what_is_to_come(plan, hub, repository):
    """Every missing file has a line with its size, between the model and the sum."""
    head, *rows, total = plan().lines()
    assert head.startswith(f"tiny/ltx at {hub.repositories['tiny/ltx'].commit[:12]} on {hub.endpoint}")
    assert {row.split()[-1] for row in rows} == tiny_hub.NEEDED - {"model_index.json"}
    size = (repository / WEIGHTS).stat().st_size
    assert f"{size / 1000:,.0f} kB  {WEIGHTS}" in "\n".join(rows)
    assert "to download into" in total


def test_the_console_is_told(plan):
    """A line says how much will be downloaded, on the console and nowhere else; quiet says nothing."""
    said = io.StringIO()
    plan().run(Console(stream=said))
    assert said.getvalue() == "downloading 8 files of tiny/ltx, 3 MB\n"


def test_nothing_is_said_where_nothing_is_done(plan, fetched, capfd):
    """A checkpoint that is here is no news, and the hub's library draws no bars of its own."""
    fetched()
    said = io.StringIO()
    plan().run(Console(stream=said))
    assert (said.getvalue(), *capfd.readouterr()) == ("", "", "")

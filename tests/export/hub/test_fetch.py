"""One file from the hub: broken connections, what was begun, and what arrives damaged."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiny_hub
from huggingface_hub import hf_hub_download
from tiny_hub import WEIGHTS
from vidrt_export.hub.errors import HubError, one_sentence
from vidrt_export.hub.fetch import begun_bytes, fetch_file
from vidrt_export.hub.listing import list_files
from vidrt_export.hub.telling import Telling


@pytest.fixture
def listing(place):
    return list_files(place, "tiny/ltx", None)


@pytest.fixture
def fetch(place, listing):
    """Fetches a file; gives how many bytes were told of, what was said, and the file's path by its name."""

    def run(name=WEIGHTS):
        counts, notes = [], []
        with one_sentence(place, "tiny/ltx", None):
            fetch_file(place, listing, listing.files[name], Telling(advance=counts.append, note=notes.append))
        return sum(counts), notes, place.snapshot("tiny/ltx", listing.commit) / name

    return run


def ranges(hub):
    """The ranges that the store was asked for, None for all."""
    return [ask.headers.get("range") for ask in hub.requests if ask.half == "store"]


@pytest.mark.parametrize("name", [WEIGHTS, "model_index.json"])
def test_a_file_arrives_as_it_is(hub, fetch, repository, name):
    """Large and small files are their owner's, byte for byte, and a second call asks for no byte."""
    count, notes, path = fetch(name)
    assert path.read_bytes() == (repository / name).read_bytes()
    assert (count, notes) == (path.stat().st_size, [])
    before = hub.downloads()
    assert fetch(name)[0] == 0
    assert hub.downloads() == before


def test_two_that_want_the_same_file_share_it(hub, fetch, repository):
    """The second waits for the first and asks for nothing."""
    with ThreadPoolExecutor(4) as threads:
        results = [future.result() for future in [threads.submit(fetch) for _ in range(4)]]
    assert {path.read_bytes() for _, _, path in results} == {(repository / WEIGHTS).read_bytes()}
    assert ranges(hub) == [None]


def test_the_hubs_own_client_finds_it(fetch, place, listing, repository):
    """What was fetched here the hub's client takes for its own, offline too."""
    fetch()
    found = hf_hub_download(
        "tiny/ltx", WEIGHTS, revision=listing.commit, cache_dir=place.cache, local_files_only=True, token=False
    )
    assert Path(found).read_bytes() == (repository / WEIGHTS).read_bytes()


def test_a_broken_connection_goes_on_where_it_broke(hub, fetch, repository, pauses):
    """Each time only what is missing is asked for, and it is said."""
    hub.faults.cuts[WEIGHTS] = [1000, 0, 2500]
    count, notes, path = fetch()
    assert path.read_bytes() == (repository / WEIGHTS).read_bytes()
    assert ranges(hub) == [None, "bytes=1000-", "bytes=1000-", "bytes=3500-"]
    assert count == path.stat().st_size
    assert pauses == [1, 2, 1]
    assert len(notes) == 3
    assert all(WEIGHTS in note and "connection was lost" in note and "\n" not in note for note in notes)


def test_a_later_run_goes_on_where_an_earlier_broke(hub, fetch, place, listing, repository, pauses, told):
    """What came before the connection was lost for good stays, and the next run asks for the rest alone."""
    hub.faults.cuts[WEIGHTS] = [1000] + [0] * 9
    with pytest.raises(HubError) as raised:
        fetch()
    assert "cannot be reached" in told(raised)
    assert pauses == [1, 2, 4, 8]
    assert begun_bytes(place, "tiny/ltx", listing.files[WEIGHTS]) == 1000
    hub.faults.cuts.clear()
    hub.requests.clear()
    count, _, path = fetch()
    assert ranges(hub) == ["bytes=1000-"]
    assert path.read_bytes() == (repository / WEIGHTS).read_bytes()
    assert count == path.stat().st_size - 1000
    assert list(place.cache.rglob("*.incomplete")) == []


def test_a_store_that_knows_no_ranges(hub, fetch, repository, pauses):
    """Where all is sent again, what is there already is passed over."""
    hub.faults.ignores_ranges = True
    hub.faults.cuts[WEIGHTS] = [1000]
    count, _, path = fetch()
    assert path.read_bytes() == (repository / WEIGHTS).read_bytes()
    assert (count, pauses) == (path.stat().st_size, [1])


def test_without_symbolic_links_a_file_lies_there_once(fetch, place, repository, monkeypatch):
    """On systems without them the cache holds the file by its own name alone."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_SYMLINKS", True)
    _, _, path = fetch()
    assert not path.is_symlink()
    assert path.read_bytes() == (repository / WEIGHTS).read_bytes()
    assert list(place.repo("tiny/ltx").glob("blobs/*")) == []


@pytest.mark.parametrize("name", [WEIGHTS, "vae/config.json"])
def test_a_damaged_file_is_refused_and_removed(hub, fetch, place, listing, repository, told, name):
    """Bytes of another hash never get a name in the cache, SHA-256 of large files and git's of small ones."""
    hub.faults.damaged.add(name)
    with pytest.raises(HubError) as raised:
        fetch(name)
    expected = listing.files[name].name
    assert f"{name} arrived damaged: expected bytes of hash {expected[:12]}" in told(raised)
    assert not place.blob("tiny/ltx", expected).exists()
    assert list(place.cache.rglob("*.incomplete")) == []
    assert not (place.snapshot("tiny/ltx", listing.commit) / name).exists()
    hub.faults.damaged.clear()
    assert fetch(name)[2].read_bytes() == (repository / name).read_bytes()


def test_what_was_begun_and_is_damaged_is_refused_too(hub, fetch, place, listing, told):
    """The check is of the whole file, also where a part of it came before."""
    blob = place.blob("tiny/ltx", listing.files[WEIGHTS].name)
    blob.parent.mkdir(parents=True)
    blob.with_name(f"{blob.name}.vidrt.incomplete").write_bytes(b"x" * 1000)
    with pytest.raises(HubError) as raised:
        fetch()
    assert "arrived damaged" in told(raised)
    assert ranges(hub) == ["bytes=1000-"]
    fetch()


def test_a_store_that_sends_too_little(hub, fetch, told):
    """A file that ends early without an error does not pass, and is not asked for without end."""
    hub.faults.short.add(WEIGHTS)
    hub.faults.ignores_ranges = True
    with pytest.raises(HubError) as raised:
        fetch()
    assert "arrived damaged" in told(raised)
    assert len(ranges(hub)) == 2


def test_a_file_of_another_size_in_the_cache_is_fetched_anew(fetch, place, listing, repository):
    """A file that some program left behind cut off is not taken for the whole."""
    blob = place.blob("tiny/ltx", listing.files[WEIGHTS].name)
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"short")
    _, _, path = fetch()
    assert path.read_bytes() == (repository / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    ("status", "headers", "waited"),
    [
        (503, {}, [1, 2]),
        (500, {}, [1, 2]),
        (429, {}, [1, 2]),
        (429, {"Retry-After": "7"}, [8, 8]),
        (429, {"ratelimit": '"resolvers";r=0;t=55'}, [56, 56]),
        (429, {"ratelimit": '"resolvers";r=4;t=55'}, [1, 2]),
    ],
)
def test_a_hub_in_trouble_is_asked_again(hub, fetch, pauses, status, headers, waited):
    """An answer that says later is followed, after the time that it names."""
    hub.faults.statuses[f"--ltx/{WEIGHTS}"] = (status, 2, headers)
    _, notes, path = fetch()
    assert path.is_file()
    assert pauses == waited
    assert all(f"status {status}" in note for note in notes)


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (500, {}, "The hub has trouble (status 500)"),
        (429, {}, "too many requests: run the same command again in a few minutes"),
        (429, {"Retry-After": "900"}, "too many requests: run the same command again in 900 seconds"),
        (416, {}, "The hub has trouble (status 416)"),
    ],
)
def test_in_the_end_it_is_given_up(hub, fetch, pauses, told, status, headers, said):
    """Trouble that lasts, or asks for more patience than there is, is one sentence."""
    hub.faults.statuses[f"--ltx/{WEIGHTS}"] = (status, 99, headers)
    with pytest.raises(HubError) as raised:
        fetch()
    assert said in told(raised)
    assert len(pauses) == (4 if not headers and status != 416 else 0)


def test_a_file_that_was_renamed_meanwhile(hub, fetch, repository, tmp_path, told):
    """A file that is listed and then not there is told as such."""
    folder = shutil.copytree(repository, tmp_path / "renamed")
    (folder / tiny_hub.WEIGHTS).unlink()
    commit = hub.repositories["tiny/ltx"].commit
    hub.add("tiny/ltx", folder).revisions[commit] = commit
    with pytest.raises(HubError) as raised:
        fetch()
    assert "lists a file and does not give it" in told(raised)

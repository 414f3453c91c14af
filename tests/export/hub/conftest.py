"""A hub on this machine with tiny models, and a cache of its own for each test."""

import pytest
import tiny_hub
from hub_standin import StandIn
from vidrt_export.console import Console
from vidrt_export.hub.download import plan_download
from vidrt_export.hub.names import parse_hub_name
from vidrt_export.hub.place import Place


@pytest.fixture(scope="session")
def repository(checkpoints, tmp_path_factory):
    """A folder as it lies on the hub, not to be changed."""
    return tiny_hub.lay_out(checkpoints("0.9.0"), tmp_path_factory.mktemp("hub") / "ltx")


@pytest.fixture(autouse=True)
def nothing_beyond_this_machine(monkeypatch):
    """The hub's client asks its own address besides, for a list of programs that may be calling it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)


@pytest.fixture
def hub(repository):
    """The hub, with that folder as tiny/ltx."""
    with StandIn() as hub:
        hub.add("tiny/ltx", repository)
        yield hub


@pytest.fixture
def place(hub, tmp_path):
    """The hub as this machine sees it: without a token, and with nothing downloaded yet."""
    return Place(endpoint=hub.endpoint, cache=tmp_path / "cache", token=False)


@pytest.fixture
def plan(place):
    """Plans the download of a name; `place` may be another."""

    def planned(name="tiny/ltx", **options):
        return plan_download(parse_hub_name(name), **{"place": place, **options})

    return planned


@pytest.fixture
def fetched(plan):
    """Downloads a name and gives the folder's or file's path."""

    def path(name="tiny/ltx", **options):
        return plan(name, **options).run(Console(quiet=True))

    return path


@pytest.fixture
def pauses(monkeypatch):
    """How long was waited between tries, without waiting."""
    found = []
    monkeypatch.setattr("vidrt_export.hub.fetch.time.sleep", found.append)
    return found


@pytest.fixture
def told():
    """The one sentence of an error."""

    def sentence(raised):
        text = str(raised.value)
        assert text.count("\n") == 0
        assert text.endswith(".")
        return text

    return sentence

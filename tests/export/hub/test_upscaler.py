"""Upscalers of the hub: in a model's own repository, asked for by name, or the official ones."""

import shutil

import pytest
import tiny_hub
import tiny_upscaler
from vidrt_export.console import Console
from vidrt_export.hub.place import Place
from vidrt_export.sources.locate_upscaler import locate_upscaler
from vidrt_reference.checkpoint.errors import CheckpointError

NUMBERS = ("0.9.7", "0.9.8")
FILES = [f"ltxv-spatial-upscaler-{number}.safetensors" for number in NUMBERS]
TEMPORAL = "ltxv-temporal-upscaler-0.9.8.safetensors"
OFFICIAL = "Lightricks/LTX-Video"
BESIDE = "The upscaler for a second pass is {}, which lies beside it"

pytestmark = pytest.mark.usefixtures("here", "no_tracing")


@pytest.fixture
def here(place, monkeypatch):
    """Lets this process take the test's hub for the environment's."""
    monkeypatch.setattr(Place, "of_environment", lambda: place)


@pytest.fixture
def two_passes(hub, checkpoints, tmp_path):
    """A function of files to lay beside: a repository of a version that makes two passes, named by its name."""

    def add(*files, name="tiny/LTX-Video-0.9.8-distilled"):
        folder = tiny_hub.lay_out(checkpoints("0.9.5"), tmp_path / name)
        for file in files:
            tiny_upscaler.save(folder / file)
        hub.add(name, folder)
        return name

    return add


@pytest.fixture
def official(hub, tmp_path):
    """The official repository, of which only the upscalers matter here."""
    (tmp_path / "official").mkdir()
    for file in (*FILES, TEMPORAL):
        tiny_upscaler.save(tmp_path / "official" / file)
    hub.add(OFFICIAL, tmp_path / "official")


def upscalers(hub):
    return [path for path in hub.downloads() if "upscaler" in path or "upsampler" in path]


def test_the_one_in_the_repository_comes_along(hub, two_passes, plan, fetched, build_engines, tmp_path):
    """Of a repository's upscalers the version's own is downloaded with the model and then found beside it."""
    name = two_passes(*FILES, TEMPORAL)
    fetched(name)
    assert upscalers(hub) == [FILES[1]]
    result = build_engines(name, "--out", tmp_path / "out", "--dry-run")
    assert result.status == 0
    assert BESIDE.format(FILES[1]) in result.err
    assert [file.path for file in plan(name, upscaler=False).files if "upscaler" in file.path] == []


def test_a_folder_of_diffusers_comes_before_files(hub, two_passes, fetched, tmp_path):
    """Where a repository has latent_upsampler, that is downloaded, with its configuration."""
    name = two_passes(FILES[1])
    folder = tmp_path / name
    tiny_upscaler.save_folder(folder)
    hub.add(name, folder)
    path = fetched(name)
    assert upscalers(hub) == ["latent_upsampler/config.json", "latent_upsampler/diffusion_pytorch_model.safetensors"]
    assert not (path / FILES[1]).exists()


def test_models_of_one_pass_bring_none(hub, fetched, checkpoints, tmp_path):
    """A repository whose name speaks of no version with two passes is downloaded without its upscalers."""
    folder = tiny_hub.lay_out(checkpoints("0.9.0"), tmp_path / "plain")
    tiny_upscaler.save(folder / FILES[1])
    hub.add("tiny/ltx-0.9.0", folder)
    fetched("tiny/ltx-0.9.0")
    assert upscalers(hub) == []


@pytest.mark.usefixtures("official")
def test_the_official_one_is_taken_where_there_is_none(two_passes, build_engines, tmp_path):
    """A repository without an upscaler is completed by the official file of its version's number."""
    name = two_passes(name="tiny/LTX-Video-0.9.7-dev")
    result = build_engines(name, "--out", tmp_path / "out", "--dry-run")
    assert result.status == 0
    assert f"{OFFICIAL}:{FILES[0]} at " in result.out
    assert FILES[1] not in result.out


def test_that_it_cannot_be_had_is_said(two_passes, build_engines, tmp_path):
    """Without the official repository the model is planned all the same, for a single pass."""
    result = build_engines(two_passes(), "--out", tmp_path / "out", "--dry-run")
    assert result.status == 0
    assert result.err.startswith("No upscaler for a second pass was found (")
    assert result.err.endswith("): see --upscaler.\n")


@pytest.mark.usefixtures("official")
@pytest.mark.parametrize("asked", [OFFICIAL, f"{OFFICIAL}:{FILES[0]}"])
def test_one_is_asked_for_by_name(hub, checkpoints, build_engines, tmp_path, asked):
    """A repository's newest or a file of it, for a folder on this disk; nothing else is downloaded."""
    source = shutil.copytree(checkpoints("0.9.5"), tmp_path / "ltxv-0.9.8-2b-distilled")
    arguments = (source, "--out", tmp_path / "out", "--upscaler", asked)
    result = build_engines(*arguments, "--dry-run")
    file = FILES[0] if ":" in asked else FILES[1]
    assert (result.status, hub.downloads()) == (0, [])
    assert file in result.out
    locate_upscaler(asked, None).fetch(Console(quiet=True))
    assert hub.downloads() == [file]
    assert f" of {file}\n" in build_engines(*arguments, "--dry-run").out


def test_what_is_no_upscaler_is_refused(plan):
    """A repository or a file that has none is one sentence."""
    with pytest.raises(CheckpointError, match="tiny/ltx has no upscaler of LTX-Video"):
        plan("tiny/ltx", only_upscaler=True)
    with pytest.raises(CheckpointError, match=r"tiny/ltx has no file none\.safetensors"):
        plan("tiny/ltx:none.safetensors", only_upscaler=True)

"""The `build-engines` command."""

import shutil

import pytest
import tiny_bundles
from traces import patch_tracing
from vidrt_engines.manifest import read_bundle

pytestmark = pytest.mark.usefixtures("cached_traces")


@pytest.mark.usefixtures("no_tracing")
def test_a_dry_run_prints_the_plan_and_writes_nothing(source, tmp_path, build_engines):
    """Every engine with its size, the sum and the memory stand on stdout; --out is not made."""
    result = build_engines(source, "--out", tmp_path / "out", "--dry-run", "--precision", "bf16")
    assert result.status == 0
    first, *rows, total = result.out.splitlines()
    assert first == "LTX-Video 0.9.0"
    assert [row.split()[0] for row in rows] == list(tiny_bundles.COMPONENTS)
    assert all("onnxruntime bf16" in row and " tensors" in row for row in rows)
    assert "of disk" in total
    assert "of memory" in total
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_tracing")
def test_openvino_is_another_word_for_onnxruntime(source, tmp_path, build_engines):
    """It plays those engines: asked for by both words they are planned once."""
    told = build_engines(source, "--out", tmp_path, "--dry-run", "--backend", "openvino", "--backend", "onnxruntime")
    rows = told.out.splitlines()[1:-1]
    assert [row.split()[:2] for row in rows] == [[name, "onnxruntime"] for name in tiny_bundles.COMPONENTS]


@pytest.mark.usefixtures("no_tracing")
def test_a_dry_run_leaves_a_bundle_alone(source, bundles, build_engines):
    """A plan for a bundle that is there changes none of its files."""
    before = tiny_bundles.contents(bundles("0.9.0"))
    assert build_engines(source, "--out", bundles("0.9.0"), "--dry-run", "--component", "transformer").status == 0
    assert tiny_bundles.contents(bundles("0.9.0")) == before


def test_the_plan_says_the_size_of_the_weights(source, bundles, build_engines, tmp_path):
    """The sizes in the plan are those of the files that are then written."""
    rows = build_engines(source, "--out", tmp_path / "out", "--dry-run").out.splitlines()[1:-1]
    for row, component in zip(rows, tiny_bundles.COMPONENTS, strict=True):
        size = tiny_bundles.engine_of(bundles("0.9.0"), component).files[1].bytes
        assert f" {size / 1000:,.0f} kB " in row or f" {size / 1e6:,.0f} MB " in row


def test_progress_is_told_on_stderr(source, tmp_path, build_engines, bundles):
    """Each component is announced and finished; stdout stays free; the command that plays the bundle comes last."""
    result = build_engines(source, "--out", tmp_path / "out")
    assert result.status == 0
    assert not result.out
    for number, component in enumerate(tiny_bundles.COMPONENTS, 1):
        assert f"[{number}/4] {component} onnxruntime fp32" in result.err
    assert result.err.count("done in") == 4
    assert result.err.splitlines()[-1].endswith(f"vidrt generate --bundle {tmp_path / 'out'}")
    assert tiny_bundles.contents(tmp_path / "out") == tiny_bundles.contents(bundles("0.9.0"))
    again = build_engines(source, "--out", tmp_path / "out")
    assert again.err.count("up to date") == 4


def test_quiet_prints_nothing(source, tmp_path, build_engines):
    """With --quiet a build that goes well says nothing at all."""
    result = build_engines(source, "--out", tmp_path / "out", "--quiet", "--note", "for tests")
    assert (result.status, result.out, result.err) == (0, "", "")
    assert read_bundle(tmp_path / "out").note == "for tests"


def test_components_are_chosen(source, tmp_path, build_engines):
    """--component may be repeated, and builds in the order of a run."""
    arguments = ["--component", "vae_decoder", "--component", "text_encoder", "--quiet"]
    assert build_engines(source, "--out", tmp_path / "out", *arguments).status == 0
    assert list(read_bundle(tmp_path / "out").engines) == ["text_encoder", "vae_decoder"]


def test_other_versions_that_fit_are_named(checkpoints, tmp_path, build_engines):
    """Where several versions fit, one line names the others and the option; a version asked for is taken silently."""
    source, out = shutil.copytree(checkpoints("0.9.5"), tmp_path / "ltx-video"), tmp_path / "out"
    told = build_engines(source, "--out", out, "--dry-run")
    assert told.err == (
        "Taken for 0.9.5; its files also fit 0.9.6-dev, 0.9.6-distilled, 0.9.8-2b-distilled: see --ltxv-version.\n"
    )
    asked = build_engines(source, "--out", out, "--dry-run", "--ltxv-version", "0.9.6-distilled")
    assert asked.err == ""
    assert asked.out.startswith("LTX-Video 0.9.6-distilled\n")


BAD_REQUESTS = {
    "no source": (["{tmp}/nothing", "--out", "{tmp}/out"], "nothing is no folder"),
    "a source that is a file": (["{source}/model_index.json", "--out", "{tmp}/out"], "Expected a safetensors file"),
    "out is a file": (["{source}", "--out", "{source}/model_index.json"], "is a file: give a folder to --out"),
    "out is the checkpoint": (["{source}", "--out", "{source}"], "is a checkpoint: give another folder to --out"),
    "no out": (["{source}"], "'--out'"),
    "an unknown version": (["{source}", "--out", "{tmp}/out", "--ltxv-version", "1.0"], "known: 0.9.0, 0.9.1"),
    "another version": (["{source}", "--out", "{tmp}/out", "--ltxv-version", "0.9.5"], "those of 0.9.0, not of 0.9.5"),
    "an unknown precision": (["{source}", "--out", "{tmp}/out", "--precision", "fp64"], "'fp64'"),
    "an unknown backend": (["{source}", "--out", "{tmp}/out", "--backend", "x"], "'x'"),
    "an unknown component": (["{source}", "--out", "{tmp}/out", "--component", "upsampler"], "'upsampler'"),
    "an unknown family": (["{source}", "--out", "{tmp}/out", "--family", "sd"], "'sd'"),
    "an unknown option": (["{source}", "--out", "{tmp}/out", "--fast"], "--fast"),
}


@pytest.mark.usefixtures("no_tracing")
@pytest.mark.parametrize("request_name", BAD_REQUESTS)
def test_bad_requests_are_one_sentence(source, tmp_path, build_engines, request_name):
    """A request that cannot be right is one sentence on stderr and status 2, and writes nothing."""
    arguments, told = BAD_REQUESTS[request_name]
    before = tiny_bundles.contents(source)
    result = build_engines(*(word.format(tmp=tmp_path, source=source) for word in arguments))
    assert result.status == 2
    assert told in result.err
    assert result.err.count("\n") == 1
    assert result.err.startswith("build-engines: ")
    assert result.err.endswith(".\n")
    assert not result.out
    assert not (tmp_path / "out").exists()
    assert tiny_bundles.contents(source) == before


def test_a_full_disk_is_told_before_the_work(source, tmp_path, build_engines, monkeypatch):
    """Where the engines do not fit, one sentence says how much is needed and free."""
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    for more in ([], ["--dry-run"]):
        result = build_engines(source, "--out", tmp_path / "out", *more)
        assert result.status == 2
        assert "The bundle needs" in result.err
        assert result.err.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_what_fails_on_the_way_is_status_1(source, tmp_path, build_engines, monkeypatch):
    """An error of the system is one sentence, and a traceback only with --debug."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vidrt_export.backends.onnxruntime.write_weights", full)
    arguments = [source, "--out", tmp_path / "out", "--component", "transformer", "--quiet"]
    result = build_engines(*arguments)
    assert result.status == 1
    assert result.err == "build-engines: [Errno 28] No space left on device.\n"
    debugged = build_engines(*arguments, "--debug")
    assert debugged.status == 1
    assert debugged.err.startswith("Traceback")
    assert debugged.err.endswith(result.err)


def test_an_interruption_is_status_130(source, tmp_path, build_engines, monkeypatch):
    """Control-C is no error: what was finished is kept, and no traceback shown."""

    def stopped(*_, **__):
        raise KeyboardInterrupt

    patch_tracing(monkeypatch, stopped)
    result = build_engines(source, "--out", tmp_path / "out", "--quiet")
    assert result.status == 130
    # click ends the terminal's line, on which ^C stands
    assert result.err == "\nbuild-engines: stopped; what was finished is kept.\n"

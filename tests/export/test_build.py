"""Building: only what changed, whole or not at all, the same bytes each time."""

import json
import shutil

import pytest
import tiny_bundles
import tiny_ltx
import torch
from halves import by_halves
from safetensors.torch import load_file, save_file
from traces import patch_tracing
from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import MANIFEST, read_bundle

pytestmark = pytest.mark.usefixtures("cached_traces")


# graphs of the VAE besides the whole ones: the decoder's for each rate of frames, and the encoder's
STAGES = 5


def states(folder):
    """What changes when a file is written anew, for each file of the engines."""
    files = (path for kind in ("model.*", "stage_*.onnx") for path in sorted(folder.rglob(kind)) if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


def engine_folders(folder):
    return sorted(path.parent.relative_to(folder).as_posix() for path in folder.rglob("model.onnx"))


def change_weights(source, component):
    """Give a component other weights of the same shapes."""
    (path,) = (source / component).glob("*.safetensors")
    save_file({name: value * 1.25 for name, value in load_file(path).items()}, path, metadata={"format": "pt"})


@pytest.fixture
def bundle(bundles, tmp_path):
    """A whole bundle of `source` that a test may change."""
    return shutil.copytree(bundles("0.9.0"), tmp_path / "bundle")


@pytest.fixture
def tracing(monkeypatch, traces):
    """Count tracings, and fail at a number of them: a list of how many there were, and the number to fail at."""
    state = {"count": 0, "fail_at": None, "error": RuntimeError("stopped here")}

    def traced(*arguments, **options):
        state["count"] += 1
        if state["count"] == state["fail_at"]:
            raise state["error"]
        return traces(*arguments, **options)

    patch_tracing(monkeypatch, traced)
    return state


@pytest.mark.usefixtures("no_tracing")
def test_a_second_build_touches_nothing(source, bundle):
    """Where nothing changed, no file is written, no graph traced and the manifest stays what it was."""
    before, manifest = states(bundle), (bundle / MANIFEST).read_bytes()
    tiny_bundles.build(source, bundle)
    assert states(bundle) == before
    assert len(before) == 8 + STAGES
    assert (bundle / MANIFEST).read_bytes() == manifest


@pytest.mark.usefixtures("no_tracing")
@pytest.mark.parametrize("counts", [("activations", "operations"), ("operations",)])
def test_what_an_older_build_did_not_count_is_added(source, bundle, counts):
    """A bundle without counts is read, and gets them from a build that writes no engine anew."""
    counted, engines = read_bundle(bundle), states(bundle)
    content = json.loads((bundle / MANIFEST).read_text())
    for engine in (engine for group in content["engines"].values() for engine in group):
        for one in (engine, *engine["stages"]):
            for name in counts:
                del one[name]
    (bundle / MANIFEST).write_text(json.dumps(content))
    assert read_bundle(bundle).engines["transformer"][0].operations is None
    assert tiny_bundles.build(source, bundle) == read_bundle(bundle) == counted
    assert states(bundle) == engines


@pytest.mark.parametrize("component", ["text_encoder", "transformer"])
def test_changed_weights_rebuild_their_component_alone(source, bundle, tracing, component):
    """Other weights give another engine in the old one's place; the others are not touched."""
    before = states(bundle)
    change_weights(source, component)
    tiny_bundles.build(source, bundle)
    after = states(bundle)
    assert tracing["count"] == 1
    assert len(after) == 8 + STAGES  # the engine that was replaced is gone
    changed = {path.split("/")[0] for path in before.keys() ^ after.keys()}
    assert changed == {component}
    assert all(before[path] == after[path] for path in before.keys() & after.keys())


def test_both_halves_of_a_changed_vae_are_rebuilt(source, bundle, tracing):
    """The VAE's one file belongs to two components."""
    change_weights(source, "vae")
    tiny_bundles.build(source, bundle)
    assert tracing["count"] == 2 + STAGES
    old_mean = json.loads((bundle / MANIFEST).read_text())["settings"]["latents_mean"]
    assert old_mean == pytest.approx([1.25 * value for value in tiny_ltx.vae("0.9.0").latents_mean.tolist()])


def test_a_changed_configuration_rebuilds_its_component(source, bundle, tracing):
    """A value that no weight's shape shows still decides the graph."""
    path = source / "transformer" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "norm_eps": 1e-3}))
    tiny_bundles.build(source, bundle)
    assert tracing["count"] == 1


@pytest.mark.parametrize("field", ["exporter", "precision", "architecture", "weights"])
def test_every_field_of_the_key_counts(source, bundle, tracing, field):
    """An engine of which any field of the key differs is built anew."""
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["engines"]["transformer"][0]["key"][field] = "other"
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    tiny_bundles.build(source, bundle)
    assert tracing["count"] == 1
    assert tiny_bundles.engine_of(bundle, "transformer").key[field] != "other"


def test_another_precision_stands_beside(source, bundle):
    """Another precision adds engines and leaves those that are there."""
    before = states(bundle)
    tiny_bundles.build(source, bundle, precision="fp16")
    after = states(bundle)
    assert {path: state for path, state in after.items() if path in before} == before
    assert len(after) == 17 + 2 * STAGES  # in half precision the transformer has a graph for CUDA besides
    for component in tiny_bundles.COMPONENTS:
        assert {engine.precision for engine in read_bundle(bundle).engines[component]} == {"fp32", "fp16"}


def test_no_engine_of_other_weights_stays(source, bundle):
    """A precision that is built of other weights leaves no engine of the old weights to be played instead."""
    tiny_bundles.build(source, bundle, precision="fp16")
    change_weights(source, "transformer")
    tiny_bundles.build(source, bundle, precision="fp16")
    assert [engine.precision for engine in read_bundle(bundle).engines["transformer"]] == ["fp16"]
    assert len([name for name in engine_folders(bundle) if name.startswith("transformer/")]) == 1
    assert len(read_bundle(bundle).engines["vae_decoder"]) == 2


def test_one_component_alone(source, tmp_path):
    """Only what was asked for is built, and the rest can be added later."""
    out = tmp_path / "out"
    tiny_bundles.build(source, out, components=("vae_decoder",))
    assert list(read_bundle(out).engines) == ["vae_decoder"]
    first = states(out)
    tiny_bundles.build(source, out)
    assert set(read_bundle(out).engines) == set(tiny_bundles.COMPONENTS)
    assert {path: state for path, state in states(out).items() if path in first} == first


def test_one_component_of_a_whole_bundle(source, bundle):
    """Asked for one component, the others stay as they are, in the manifest too."""
    before = states(bundle)
    tiny_bundles.build(source, bundle, components=("transformer",))
    assert states(bundle) == before
    assert set(read_bundle(bundle).engines) == set(tiny_bundles.COMPONENTS)


@pytest.mark.parametrize("error", [RuntimeError("x"), OSError("x"), KeyboardInterrupt()])
def test_a_failure_keeps_what_was_finished(source, tmp_path, tracing, bundles, error):
    """What was built before a failure is whole and in the manifest; of what failed nothing is left."""
    out = tmp_path / "out"
    tracing.update(fail_at=3, error=error)
    with pytest.raises(type(error)):
        tiny_bundles.build(source, out)
    assert list(read_bundle(out).engines) == ["text_encoder", "transformer"]
    tiny_bundles.open_graph(tiny_bundles.graph_path(out, "transformer"))
    assert not list(out.glob(".*"))
    assert len(engine_folders(out)) == 2
    tracing.update(count=0, fail_at=None)
    tiny_bundles.build(source, out)
    assert tracing["count"] == 2 + STAGES
    assert tiny_bundles.contents(out) == tiny_bundles.contents(bundles("0.9.0"))


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyboardInterrupt()])
def test_a_failure_before_anything_was_finished_leaves_nothing(source, tmp_path, tracing, error):
    """A folder that was made for the bundle is gone again."""
    tracing.update(fail_at=1, error=error)
    with pytest.raises(type(error)):
        tiny_bundles.build(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_there_stays(source, tmp_path, tracing):
    """A failure removes no folder and no file that was there before."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    tracing.update(fail_at=1)
    with pytest.raises(RuntimeError):
        tiny_bundles.build(source, out)
    assert (out / "mine.txt").read_text() == "mine"
    assert not engine_folders(out)


def test_a_value_beyond_fp16_is_refused(source, tmp_path, build_engines):
    """A weight that fp16 cannot hold is one sentence and status 2, and leaves nothing."""
    path = source / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["proj_out.bias"][0] = 65536.0
    save_file(tensors, path)
    arguments = [source, "--out", tmp_path / "out", "--component", "transformer", "--precision", "fp16", "--quiet"]
    result = build_engines(*arguments)
    assert result.status == 2
    assert result.err == (
        "build-engines: proj_out.bias has values that F16 cannot hold; build with --precision bf16 or fp32.\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_shrinks_meanwhile_is_told_so(source, tmp_path, build_engines, monkeypatch, traces):
    """Weights cut off after they were looked at are one sentence, and leave nothing."""
    path = source / "transformer" / "diffusion_pytorch_model.safetensors"

    def cut(*arguments, **options):
        path.write_bytes(path.read_bytes()[:-1001])
        return traces(*arguments, **options)

    patch_tracing(monkeypatch, cut)
    result = build_engines(source, "--out", tmp_path / "out", "--component", "transformer", "--quiet")
    assert result.status == 2
    assert result.err.count("\n") == 1
    assert "it has been changed meanwhile" in result.err
    assert not (tmp_path / "out").exists()


def test_left_over_partial_folders_are_cleared(source, bundle):
    """What a killed build left is gone after the next."""
    (bundle / ".partial-transformer-1").mkdir()
    (bundle / ".partial-transformer-1" / "model.weights").write_bytes(b"half")
    tiny_bundles.build(source, bundle)
    assert not list(bundle.glob(".*"))


def test_engines_that_nobody_names_are_removed(source, bundle):
    """A folder among the engines that the manifest does not know is gone after a build."""
    stray = bundle / "transformer" / "onnxruntime-fp32-00000000"
    shutil.copytree(next((bundle / "transformer").iterdir()), stray)
    tiny_bundles.build(source, bundle)
    assert not stray.exists()


@pytest.mark.parametrize("damage", ["no manifest", "no JSON", "a graph that is gone", "weights that are cut"])
def test_a_damaged_bundle_is_made_whole(source, bundle, bundles, damage):
    """Whatever is missing or cut short, building again gives the bundle that it should be."""
    (graph,) = (bundle / "transformer").rglob("model.onnx")
    spoilt = {
        "no manifest": (bundle / MANIFEST).unlink,
        "no JSON": lambda: (bundle / MANIFEST).write_text("{"),
        "a graph that is gone": graph.unlink,
        "weights that are cut": lambda: graph.with_name("model.weights").write_bytes(b"x"),
    }
    spoilt[damage]()
    with pytest.raises(BundleError):
        read_bundle(bundle)
    tiny_bundles.build(source, bundle)
    assert tiny_bundles.contents(bundle) == tiny_bundles.contents(bundles("0.9.0"))


def test_two_builds_give_the_same_bytes(source, bundles, tmp_path):
    """Built from a copy elsewhere, every file is the same, the manifest included."""
    tiny_bundles.build(source, tmp_path / "out")
    assert tiny_bundles.contents(tmp_path / "out") == tiny_bundles.contents(bundles("0.9.0"))


def test_the_manifest_knows_its_files(bundles):
    """Size and hash of each file are those on disk, and there is no file besides."""
    folder = bundles("0.9.1")
    entries = {file.path: file.sha256 for file in read_bundle(folder).files()}
    assert len(entries) == 9 + STAGES
    assert {path: digest for path, digest in tiny_bundles.contents(folder).items() if path != MANIFEST} == entries


def test_the_pipeline_class_changes_no_engine(bundles):
    """A checkpoint saved by another pipeline has the same engines; only the settings tell them apart."""
    plain, condition = (read_bundle(bundles("0.9.5", name)) for name in ("LTXPipeline", "LTXConditionPipeline"))
    assert plain.engines == condition.engines
    assert plain.settings.pipeline_class == "LTXPipeline"
    assert condition.settings.pipeline_class == "LTXConditionPipeline"


def test_weights_are_the_checkpoints(checkpoints, bundles):
    """Every weight of every component is found in the engine's file with the values that diffusers saved."""
    import onnx
    from onnx import numpy_helper

    for component, prefix in (("text_encoder", ""), ("transformer", ""), ("vae", "encoder."), ("vae", "decoder.")):
        (path,) = (checkpoints("0.9.1") / component).glob("*.safetensors")
        name = component if component != "vae" else f"vae_{prefix[:-1]}"
        graph = onnx.load(tiny_bundles.graph_path(bundles("0.9.1"), name)).graph
        values = {value.name: value for value in graph.initializer}
        stored = {key.removeprefix(prefix): value for key, value in load_file(path).items() if key.startswith(prefix)}
        assert len(stored) > 10
        for key, value in stored.items():
            if not key.startswith("latents_"):
                wanted = by_halves(key, value, tiny_ltx.TRANSFORMER["num_attention_heads"])
                assert torch.equal(torch.from_numpy(numpy_helper.to_array(values[key]).copy()), wanted), key

"""The command builds text encoders of GGUF files, and says what it takes."""

import shutil

import pytest
import tiny_gguf
import tiny_ltx
from vidrt_engines.manifest import read_bundle

ONLY = ("--component", "text_encoder")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkpoint whose text encoder is as wide as super-blocks are long, and the same in a GGUF file."""
    folder = tmp_path_factory.mktemp("gguf")
    pipeline = tiny_ltx.build("0.9.0", changes=tiny_gguf.WIDE)
    tiny_gguf.save(folder / "t5.gguf", "Q8_0", pipeline.text_encoder)
    pipeline.save_pretrained(folder / "ltx-video")
    return folder


@pytest.fixture
def source(made, tmp_path):
    """The checkpoint, which a test may change."""
    return shutil.copytree(made / "ltx-video", tmp_path / "ltx-video")


@pytest.fixture
def gguf(made):
    return made / "t5.gguf"


def test_the_plan_names_the_file(build_engines, source, gguf, tmp_path):
    """--dry-run shows the precision, the size and the file; the other components stay as they are."""
    found = build_engines(source, "--out", tmp_path / "bundle", "--t5-gguf", gguf, "--dry-run")
    assert found.status == 0
    line, *others, _ = found.out.splitlines()[1:]
    assert line.startswith("text_encoder  onnxruntime gguf ")
    assert line.endswith("tensors of t5.gguf")
    assert all("fp32" in other and "gguf" not in other for other in others)


@pytest.mark.usefixtures("cached_traces")
def test_a_bundle_is_built_and_known_again(build_engines, source, gguf, tmp_path):
    """The engine's key has the types; a second build changes nothing, another file gives another engine."""
    bundle = tmp_path / "bundle"
    assert build_engines(source, "--out", bundle, "--t5-gguf", gguf, *ONLY).status == 0
    (engine,) = read_bundle(bundle).engines["text_encoder"]
    assert (engine.precision, engine.key["gguf"]) == ("gguf", "Q8_0")
    assert len(engine.files) == 2  # no graph for CUDA in half precision
    weights = next(bundle.rglob("model.weights"))
    assert weights.stat().st_size < 1.05 * gguf.stat().st_size
    again = build_engines(source, "--out", bundle, "--t5-gguf", gguf, *ONLY)
    assert "up to date" in again.err
    tiny_gguf.save(tmp_path / "q4.gguf", "Q4_K")
    assert build_engines(source, "--out", bundle, "--t5-gguf", tmp_path / "q4.gguf", *ONLY).status == 0
    (other,) = read_bundle(bundle).engines["text_encoder"]
    assert other.key["gguf"] == "Q4_K"
    assert other.key["weights"] != engine.key["weights"]


@pytest.mark.usefixtures("cached_traces")
def test_changed_blocks_are_built_anew(build_engines, source, gguf, tmp_path):
    """One byte of one block, in a file of the same name and size."""
    bundle, changed = tmp_path / "bundle", shutil.copy(gguf, tmp_path / "t5.gguf")
    assert build_engines(source, "--out", bundle, "--t5-gguf", changed, *ONLY).status == 0
    before = read_bundle(bundle).engines["text_encoder"][0].key["weights"]
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    assert build_engines(source, "--out", bundle, "--t5-gguf", changed, *ONLY).status == 0
    assert read_bundle(bundle).engines["text_encoder"][0].key["weights"] != before


def test_the_folders_own_weights_can_be_insisted_on(build_engines, source, gguf, tmp_path):
    """--use-bf16-t5 takes the folder's, and refuses a folder that has only a GGUF file."""
    arguments = (source, "--out", tmp_path / "bundle", "--dry-run", *ONLY)
    shutil.copy(gguf, source / "t5-xxl.gguf")
    assert " fp32 " in build_engines(*arguments, "--use-bf16-t5").out
    shutil.rmtree(source / "text_encoder")
    assert "of t5-xxl.gguf" in build_engines(*arguments).out
    refused = build_engines(*arguments, "--use-bf16-t5")
    assert (refused.status, refused.out) == (2, "")
    assert "text_encoder" in refused.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--t5-gguf", "nowhere.gguf"), "Expected a GGUF file at nowhere.gguf, but there is none: check the path."),
        (("--t5-gguf", "{gguf}", "--use-bf16-t5"), "exclude each other"),
        (("--t5-gguf", "{gguf}", "--precision", "fp16", *ONLY), "stays in Q8_0 as t5.gguf has it"),
        (("--precision", "gguf"), "'gguf' is not one of"),
        (("--t5-gguf", "{source}/model_index.json"), "something else"),
    ],
)
def test_what_cannot_be_right_is_refused(build_engines, source, gguf, tmp_path, arguments, told):
    """In one sentence and with status 2, before anything is built."""
    filled = [argument.format(gguf=gguf, source=source) for argument in arguments]
    found = build_engines(source, "--out", tmp_path / "bundle", *filled)
    assert found.status == 2
    assert told in found.err
    assert found.err.count("\n") == 1
    assert not (tmp_path / "bundle").exists()


def test_a_precision_for_all_leaves_blocks_alone(build_engines, source, gguf, tmp_path):
    """--precision is for what is not quantised."""
    found = build_engines(source, "--out", tmp_path / "b", "--t5-gguf", gguf, "--precision", "bf16", "--dry-run")
    text, *others, _ = found.out.splitlines()[1:]
    assert " gguf " in text
    assert all(" bf16 " in other for other in others)


def test_compiled_engines_get_numbers(build_engines, source, gguf, tmp_path):
    """TensorRT has no product with such blocks: its plan is of the decoded weights, in half precision."""
    pytest.importorskip("tensorrt_rtx")
    found = build_engines(
        source, "--out", tmp_path / "bundle", "--t5-gguf", gguf, "--backend", "tensorrt-rtx", "--dry-run", *ONLY
    )
    assert found.status == 0, found.err
    line = found.out.splitlines()[1]
    assert line.startswith("text_encoder  tensorrt-rtx bf16 ")
    assert line.endswith("of t5.gguf")


@pytest.mark.usefixtures("cached_traces")
def test_a_plan_is_compiled_of_the_numbers(build_engines, source, gguf, tmp_path):
    """TensorRT for RTX compiles the decoded weights, narrowed to bf16 and checked beside fp32."""
    pytest.importorskip("tensorrt_rtx")
    found = build_engines(
        source, "--out", tmp_path / "bundle", "--t5-gguf", gguf, "--backend", "tensorrt-rtx", "--resolution", "32x32",
        "--frames", "9", "--tolerance", "0.1", *ONLY,
    )  # fmt: skip
    assert found.status == 0, found.err
    assert "bf16 is " in found.err
    (engine,) = read_bundle(tmp_path / "bundle").engines["text_encoder"]
    assert (engine.backend, engine.precision) == ("tensorrt-rtx", "bf16")
    (plan,) = engine.files
    assert plan.bytes > 2 * 2 * 7 * 256 * 256  # two bytes for each number of both blocks' matrices, and more

"""Every component of every form, in both half precisions, compiled by TensorRT for RTX with two profiles."""

import pytest
import tiny_bundles
from vidrt_engines.manifest import MANIFEST, read_bundle
from vidrt_engines.names import Component
from vidrt_engines.profiles import Span
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_export.tensorrt import flavour

HALVES = ("bf16", "fp16")
# What the checkpoint with fused heads, of form 0.9.5, does not show: other VAEs, and attentions taken apart.
_IN_ONE = [
    ("0.9.0", "text_encoder", "bf16"),
    ("0.9.0", "transformer", "fp16"),
    ("0.9.0", "vae_encoder", "fp16"),  # 0.9.1's is the same
    ("0.9.0", "vae_decoder", "bf16"),
    ("0.9.1", "vae_decoder", "fp16"),
]
_IN_THE_OTHER = [(form, component, {"bf16": "fp16", "fp16": "bf16"}[half]) for form, component, half in _IN_ONE]
OTHERS = [*_IN_ONE, *(pytest.param(*case, marks=pytest.mark.slow) for case in _IN_THE_OTHER)]
FUSED = {"text_encoder": 2, "transformer": 4, "vae_encoder": 0, "vae_decoder": 0}


def said_of(said, component, precision):
    """What a build told while it worked on a component."""
    return said.partition(f"{component} {tiny_bundles.RTX} {precision}")[2].partition("done in")[0]


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
def test_a_plan_is_compiled(rtx_bundles, fused_checkpoint, component, precision):
    """The engine is one plan with its weights inside, and every attention in it is fused."""
    folder, said = rtx_bundles(precision)
    engine = tiny_bundles.engine_of(folder, component)
    (file,) = engine.files
    assert (engine.backend, engine.precision) == (tiny_bundles.RTX, precision)
    assert file.path.endswith("/model.plan")
    fused = FUSED[component]
    assert f"{fused} of {fused} attentions fused" in said_of(said, component, precision)
    in_fp32 = read_diffusers_folder(fused_checkpoint).parts[component].weight_bytes
    assert in_fp32 / 2 < file.bytes


@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
def test_bf16_was_compared_with_fp32(rtx_bundles, component):
    """At the minimum, optimum and maximum of each profile, before anything was compiled."""
    _, said = rtx_bundles("bf16")
    told = said_of(said, component, "bf16")
    checked, _, compiled = told.partition("compiled in")
    assert checked.count("from fp32 at") == {"text_encoder": 3}.get(component, 4 + (component == "transformer") * 2)
    assert "not checked" not in told
    assert "from fp32" not in compiled


@pytest.mark.parametrize("precision", HALVES)
def test_a_bundle_holds_plans_alone(rtx_bundles, precision):
    """Beside the manifest and the tokenizer there is nothing but a plan for each component."""
    folder, _ = rtx_bundles(precision)
    files = [path.name for path in folder.rglob("*") if path.is_file()]
    assert sorted(files) == sorted([MANIFEST, "tokenizer.json", *["model.plan"] * 4])


def test_the_manifest_says_what_the_plan_is_for(rtx_bundles):
    """Two profiles with a span for each axis, the library, and all GPUs that it compiles for."""
    bundle = read_bundle(rtx_bundles("bf16")[0])
    (transformer,) = bundle.engines[Component.TRANSFORMER]
    first, second = transformer.profiles
    assert first["tokens"] == Span(min=2, opt=4, max=12)
    assert second["tokens"] == Span(min=6, opt=6, max=6)
    assert first["text_tokens"] == second["text_tokens"] == Span(min=1, opt=128, max=256)
    assert transformer.key["tensorrt"] == flavour.load(transformer.backend).__version__
    assert (transformer.key["gpu"], transformer.key["compute_capability"]) == ("any", flavour.RTX_TARGETS)
    assert len(bundle.engines[Component.TEXT_ENCODER][0].profiles) == 1  # it sees the prompt alone


@pytest.mark.parametrize(("form", "component", "precision"), OTHERS)
@pytest.mark.usefixtures("cached_traces")
def test_other_forms_compile(checkpoints, tmp_path, form, component, precision):
    """The VAEs of the other forms, and attentions with heads too narrow for a kernel, become plans as well."""
    tiny_bundles.build(
        checkpoints(form), tmp_path / "out", precision=precision, components=(component,),
        backends=(tiny_bundles.RTX,), options=tiny_bundles.unchecked(),
    )  # fmt: skip
    engine = tiny_bundles.engine_of(tmp_path / "out", component)
    assert engine.precision == precision
    assert [path.name for path in (tmp_path / "out" / engine.files[0].path).parent.iterdir()] == ["model.plan"]

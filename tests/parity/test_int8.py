"""int8 on the embedded models, which are trained: engines against diffusers and transformers in fp32, and frames."""

import shutil
from pathlib import Path

import diffusers
import numpy as np
import pytest
import tiny_bundles
import torch
import transformers
from closeness import relative_l2
from PIL import Image
from vidrt.pipelines.load import load_pipeline
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import Precision
from vidrt_engines.places import find_bundle
from vidrt_engines.precisions import BOUNDS
from vidrt_reference.ltx_video.rope import rope_tables

pytestmark = pytest.mark.slow  # builds both embedded models anew
ROOT = Path(__file__).resolve().parents[2]
BOUND = BOUNDS[Precision.INT8]
LEAST_PSNR = 30
ROUNDED = {"ltx-video": ("text_encoder", "transformer"), "svd": ("image_encoder", "unet")}
DEFAULTS = ("height", "width", "num_frames", "fps", "num_inference_steps")
PROMPT = "a green triangle moves up and to the left"


@pytest.fixture(scope="module")
def in_int8(tmp_path_factory):
    """A function of an embedded model's name: a copy of its bundle with engines in int8 before the others."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "bundle"
            shutil.copytree(find_bundle(f"demo:{name}"), made[name])
            tiny_bundles.build(ROOT / "demo" / name, made[name], components=ROUNDED[name], precision="int8")
        return made[name]

    return make


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


def played(folder, component, **inputs):
    session = tiny_bundles.open_graph(tiny_bundles.graph_path(folder, component, "int8"))
    (output,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    return torch.from_numpy(output)


def drawn(*shape, seed=5):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def oracle(kind, name, folder):
    return kind.from_pretrained(ROOT / "demo" / name / folder).float().eval()


def test_the_text_encoder_is_near_transformers(in_int8):
    """Embeddings of a prompt's tokens."""
    encoder = oracle(transformers.T5EncoderModel, "ltx-video", "text_encoder")
    tokens = torch.randint(3, 80, (1, 12), generator=torch.Generator().manual_seed(5))
    got = played(in_int8("ltx-video"), "text_encoder", input_ids=tokens)
    assert 1e-4 < relative_l2(got, encoder(tokens).last_hidden_state) <= BOUND


@pytest.mark.parametrize("timestep", [1000.0, 600.0, 100.0])
def test_the_transformer_is_near_diffusers(in_int8, timestep):
    """Velocities at both ends of the noise levels, of a prompt that it knows."""
    model = oracle(diffusers.LTXVideoTransformer3DModel, "ltx-video", "transformer")
    encoder = oracle(transformers.T5EncoderModel, "ltx-video", "text_encoder")
    tokens = transformers.AutoTokenizer.from_pretrained(ROOT / "demo/ltx-video/tokenizer")(PROMPT, return_tensors="pt")
    context, latents = encoder(tokens.input_ids).last_hidden_state, drawn(1, 48, model.config.in_channels)
    axes = (torch.arange(3.0), torch.arange(4.0) * 32, torch.arange(4.0) * 32)
    coordinates = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    width = model.config.num_attention_heads * model.config.attention_head_dim
    mask, at = torch.ones(context.shape[:2]), torch.full((1, 1), timestep)
    wanted = model(latents, context, at, mask, video_coords=coordinates.T[None]).sample
    cos, sin = rope_tables(coordinates, width)
    got = played(
        in_int8("ltx-video"), "transformer", latents=latents, context=context, timestep=at, rope_cos=cos, rope_sin=sin,
        perturbation=torch.zeros(1, model.config.num_layers, 3),
    )  # fmt: skip
    assert 1e-4 < relative_l2(got, wanted) <= BOUND


def test_the_image_encoder_is_near_transformers(in_int8):
    """Embeddings of pictures."""
    encoder = oracle(transformers.CLIPVisionModelWithProjection, "svd", "image_encoder")
    pixels = drawn(2, 3, 224, 224)
    got = played(in_int8("svd"), "image_encoder", pixel_values=pixels)
    assert 1e-4 < relative_l2(got, encoder(pixels).image_embeds) <= BOUND


@pytest.mark.parametrize("timestep", [1.6, 0.0, -1.0])
def test_the_unet_is_near_diffusers(in_int8, timestep):
    """Velocities at both ends of the noise levels."""
    model = oracle(diffusers.UNetSpatioTemporalConditionModel, "svd", "unet")
    sample = drawn(1, 6, model.config.in_channels, 16, 16)
    embeds, ids = drawn(1, 1, model.config.cross_attention_dim), torch.tensor([[6.0, 127.0, 0.02]])
    got = played(
        in_int8("svd"), "unet", sample=sample, timestep=torch.tensor([timestep]), image_embeds=embeds,
        added_time_ids=ids,
    )  # fmt: skip
    assert 1e-4 < relative_l2(got, model(sample, timestep, embeds, ids).sample) <= BOUND


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ltx-video", {"prompt": PROMPT, "seed": 1}),
        pytest.param("svd", {"motion_bucket_id": 200, "seed": 1}, marks=pytest.mark.slow),
    ],
)
def test_frames_are_near_those_of_fp32(in_int8, name, options):
    """Whole runs of the embedded bundle's size: 30 dB and more; `auto` plays what was built last."""
    defaults = read_bundle(find_bundle(f"demo:{name}")).settings.defaults
    options |= {field: getattr(defaults, field) for field in DEFAULTS}  # a build takes the checkpoint's own
    if name == "svd":
        options["image"] = Image.open(ROOT / "docs/images/red-circle.png")
    with load_pipeline(in_int8(name), device="cpu") as ours, load_pipeline(f"demo:{name}", device="cpu") as theirs:
        precisions = {part: str(component.engine.engine.precision) for part, component in ours.components.items()}
        assert {part for part, precision in precisions.items() if precision == "int8"} == set(ROUNDED[name])
        got, wanted = ours(**options).frames, theirs(**options).frames
    error = np.square(got.astype(float) - wanted).mean()
    assert 10 * np.log10(255**2 / error) >= LEAST_PSNR
    assert got.std() > 10

"""The image encoder against transformers' CLIP on the same weights."""

import pytest
import tiny_svd
import torch
from closeness import BF16, FP32, relative_l2
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import component_tensors, read_config
from vidrt_reference.checkpoint.load import load
from vidrt_reference.svd.image_encoder import COUNTED_NAMES, ImageEncoder, ImageEncoderParams

LAYOUTS = {
    "as the real one": {},
    "another form of GELU, other sizes": {"hidden_act": "quick_gelu", "image_size": 64, "patch_size": 16},
}

pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


def reference(oracle):
    module = ImageEncoder(ImageEncoderParams.from_config(oracle.config.to_dict())).eval()
    module.load_state_dict(oracle.state_dict(), strict=True)
    return module


def pixels(batch, size):
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(batch))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_embeddings_are_transformers(layout, batch):
    """The projected embeddings are transformers', in either form of GELU."""
    oracle = tiny_svd.image_encoder(**LAYOUTS[layout])
    given = pixels(batch, oracle.config.image_size)
    assert relative_l2(reference(oracle)(given), oracle(given).image_embeds) <= FP32


def test_bfloat16_stays_near_fp32():
    """It runs in bfloat16 and stays near fp32."""
    oracle = tiny_svd.image_encoder()
    got = reference(oracle).to(torch.bfloat16)(pixels(1, 224).bfloat16())
    assert got.dtype == torch.bfloat16
    assert relative_l2(got.float(), reference(oracle)(pixels(1, 224))) <= BF16


@pytest.mark.parametrize("counted", [False, True])
def test_loads_what_transformers_saved(tmp_path, counted):
    """A saved folder loads strictly, also one of the older files that hold the positions' numbers too."""
    oracle = tiny_svd.image_encoder()
    oracle.save_pretrained(tmp_path)
    if counted:
        from safetensors.torch import save_file

        state = {**oracle.state_dict(), COUNTED_NAMES[0]: torch.arange(257).unsqueeze(0)}
        save_file(state, tmp_path / "model.safetensors")
    with torch.device("meta"):
        module = ImageEncoder(ImageEncoderParams.from_config(read_config(tmp_path)))
    load(module, component_tensors(tmp_path), optional=COUNTED_NAMES)
    assert relative_l2(module(pixels(1, 224)), oracle(pixels(1, 224)).image_embeds) <= FP32


def test_defaults_are_vit_h():
    """The defaults are ViT-H/14's, with exactly the names and shapes that transformers' module has."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    sizes = {"hidden_size": 1280, "intermediate_size": 5120, "projection_dim": 1024, "num_hidden_layers": 32}
    config = CLIPVisionConfig(**sizes, num_attention_heads=16, patch_size=14, hidden_act="gelu")
    assert ImageEncoderParams.from_config(config.to_dict()) == ImageEncoderParams()
    with torch.device("meta"):
        models = ImageEncoder(ImageEncoderParams()), CLIPVisionModelWithProjection(config)
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in models]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hidden_act": "silu"}, "'gelu' or 'quick_gelu' at 'hidden_act', but has 'silu'"),
        ({"model_type": "siglip_vision_model"}, "'clip_vision_model' at 'model_type'"),
        ({"quantization_config": {"bits": 8}}, "at 'quantization_config'"),
        ({"hidden_size": 0}, "a positive integer at 'hidden_size', but has 0"),
        ({"num_attention_heads": 5}, "to divide its hidden_size, 32"),
        ({"image_size": [224, 224]}, "a positive integer at 'image_size'"),
    ],
)
def test_refuses_what_it_does_not_implement(change, told):
    """A value that is of the wrong type or not implemented is refused in one sentence that quotes it."""
    with pytest.raises(CheckpointError, match=told):
        ImageEncoderParams.from_config({"model_type": "clip_vision_model", **tiny_svd.IMAGE_ENCODER, **change})

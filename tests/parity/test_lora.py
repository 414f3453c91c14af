"""Videos with LoRAs merged into the bundle against diffusers with the same files as adapters."""

import numpy as np
import pytest
import tiny_bundles
import tiny_lora
from oracle import Oracle
from traces import patch_tracing
from vidrt import load_pipeline

COMPONENTS = ("text_encoder", "transformer", "vae_decoder")
CLIP = {"height": 64, "width": 96, "num_frames": 9, "num_inference_steps": 3, "guidance_scale": 3.0, "seed": 7}
PROMPT = {"prompt": "a red bird flies over the dark sea", "negative_prompt": "worst"}
CONFIG = {"r": 3, "lora_alpha": 5, "target_modules": ["to_q", "net.2"]}


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")  # two adapters are meant
def test_every_frame_is_diffusers(checkpoints, tmp_path, traces, monkeypatch):
    """Two files of other ranks, alphas and scales: every value of every frame within 1."""
    patch_tracing(monkeypatch, traces)
    source = checkpoints("0.9.5")
    one = tiny_lora.save(tmp_path / "one.safetensors", spell="diffusion_model.{}".format)
    tiny_lora.trained(1, **CONFIG).save_lora_adapter(tmp_path, weight_name="two.safetensors")
    two = tmp_path / "two.safetensors"
    tiny_bundles.build(source, tmp_path / "bundle", components=COMPONENTS, loras=(f"{one}:0.7", f"{two}:-0.3"))

    oracle = Oracle(source)
    plain = oracle.frames(**CLIP, **PROMPT)[0]
    oracle.pipeline.load_lora_weights(str(one), adapter_name="one")
    options = {"adapter_name": "two", "prefix": None, "use_safetensors": True}
    oracle.pipeline.transformer.load_lora_adapter(str(two), **options)
    oracle.pipeline.set_adapters(["one", "two"], [0.7, -0.3])
    wanted = oracle.frames(**CLIP, **PROMPT)[0]

    with load_pipeline(tmp_path / "bundle", device="cpu") as ours:
        video = ours(**CLIP, **PROMPT, compat="diffusers")
    assert video.frames.shape == wanted.shape
    assert int(np.abs(video.frames.astype(int) - wanted).max()) <= 1
    assert np.abs(plain.astype(int) - wanted).max() > 20
    assert "one.safetensors:0.7" in video.record["engines"]["transformer"]["loras"]

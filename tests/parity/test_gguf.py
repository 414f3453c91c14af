"""Videos from a quantised text encoder against diffusers on the numbers that gguf decodes."""

import numpy as np
import tiny_bundles
import tiny_gguf
import tiny_ltx
from oracle import Oracle
from traces import patch_tracing
from vidrt import load_pipeline
from vidrt_export.sources.text_encoder import T5Choice

COMPONENTS = ("text_encoder", "transformer", "vae_decoder")
KINDS = {"attn_v": "Q6_K", "ffn_down": "Q5_1", "ffn_gate": "Q8_0", "ffn_up": "Q2_K", "token_embd": "Q3_K"}
CLIP = {"height": 64, "width": 96, "num_frames": 9, "num_inference_steps": 3, "guidance_scale": 3.0, "seed": 7}
PROMPT = {"prompt": "a red bird flies over the dark sea", "negative_prompt": "worst"}


def test_every_frame_is_diffusers(tmp_path, traces, monkeypatch):
    """A file of many types: every value of every frame within 1 of diffusers' on the same, decoded, weights."""
    pipeline = tiny_ltx.build("0.9.5", changes=tiny_gguf.WIDE)
    tiny_gguf.save(tmp_path / "t5.gguf", lambda name: KINDS.get(name.split(".")[-2], "Q4_K"), pipeline.text_encoder)
    pipeline.save_pretrained(tmp_path / "ltx-video")
    patch_tracing(monkeypatch, traces)
    tiny_bundles.build(
        tmp_path / "ltx-video", tmp_path / "bundle", components=COMPONENTS, t5=T5Choice(gguf=tmp_path / "t5.gguf")
    )
    with load_pipeline(tmp_path / "bundle", device="cpu") as ours:
        assert ours.components["text_encoder"].engine.engine.precision == "gguf"
        video = ours(**CLIP, **PROMPT, compat="diffusers")
    wanted = Oracle(tmp_path / "ltx-video").frames(**CLIP, **PROMPT)[0]
    assert video.frames.shape == wanted.shape
    assert int(np.abs(video.frames.astype(int) - wanted).max()) <= 1
    assert video.frames.std() > 10

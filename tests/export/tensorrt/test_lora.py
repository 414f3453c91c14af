"""LoRAs in plans for TensorRT: what they change is made and written, the rest is compiled from the checkpoint."""

import pytest
import tiny_bundles
import tiny_lora
import tiny_ltx
import torch
from safetensors.torch import load_file
from vidrt_export.backends import tensorrt

pytestmark = pytest.mark.usefixtures("cached_traces")
TYPES = {2: torch.bfloat16, 4: torch.float32}


@pytest.mark.slow
def test_merged_weights_are_compiled(monkeypatch, fused_checkpoint, tmp_path):
    """The compiler gets diffusers' fused weights, and for all others the checkpoint's own bytes; both are keyed."""
    real, seen = tensorrt.compile_plan, {}

    def compiled(job, folder, *arguments):
        for name, place in job.initializers.items():
            with open(place.path, "rb") as file:  # noqa: PTH123 - a path as a string
                file.seek(place.offset)
                seen[name] = place.path, bytearray(file.read(place.nbytes))
        return real(job, folder, *arguments)

    monkeypatch.setattr(tensorrt, "compile_plan", compiled)
    wide = tiny_ltx.transformer(**tiny_ltx.FUSED_HEADS["transformer"])
    path = tiny_lora.save(tmp_path / "lora.safetensors", model=wide)
    tiny_bundles.build(
        fused_checkpoint, tmp_path / "out", precision="bf16", components=("transformer",),
        backends=(tiny_bundles.RTX,), options=tiny_bundles.unchecked(), loras=(f"{path}:0.5",),
    )  # fmt: skip
    oracle = type(wide).from_pretrained(fused_checkpoint / "transformer")
    oracle.load_lora_adapter(load_file(path))
    oracle.fuse_lora(lora_scale=0.5)
    oracle.unload_lora()
    state = oracle.state_dict()
    assert seen.keys() == state.keys()
    for name, wanted in state.items():
        content = seen[name][1]
        got = torch.frombuffer(content, dtype=TYPES[len(content) // wanted.numel()]).reshape(wanted.shape)
        assert torch.allclose(got.float(), wanted.to(got.dtype).float(), rtol=2**-8, atol=1e-6), name
    merged = {f"{name}.weight" for name in tiny_lora.RANKS}
    assert all(seen[name][0].endswith("model.weights") for name in merged)
    engine = tiny_bundles.engine_of(tmp_path / "out", "transformer")
    assert engine.key["loras"].startswith("lora.safetensors:0.5 sha256 ")
    assert engine.options[-2:] == ("--lora", "lora.safetensors:0.5")

"""Saves an LTX-Video checkpoint of true size with random weights, as diffusers would.

    python benchmarks/full_size_checkpoint.py FOLDER [LAYERS [VAE]]

The 2B transformer and a VAE in full, in bf16, and a T5 of full width with 2 of its 24 layers. VAE is 0.9.5, or 0.9.0
for what plays nothing newer. The tokenizer is that of the embedded demo bundle, whose ids lie below T5's vocabulary.
"""

import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXPipeline, LTXVideoTransformer3DModel
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

ROOT = Path(__file__).resolve().parent.parent
TOKENIZER = ROOT / "engines/vidrt_engines/demo/ltx-video/tokenizer/tokenizer.json"

VAE_095 = {
    "block_out_channels": (128, 256, 512, 1024, 2048),
    "down_block_types": ("LTXVideo095DownBlock3D",) * 4,
    "decoder_block_out_channels": (256, 512, 1024),
    "layers_per_block": (4, 6, 6, 2, 2),
    "decoder_layers_per_block": (5, 5, 5, 5),
    "spatio_temporal_scaling": (True, True, True, True),
    "decoder_spatio_temporal_scaling": (True, True, True),
    "decoder_inject_noise": (False, False, False, False),
    "downsample_type": ("spatial", "temporal", "spatiotemporal", "spatiotemporal"),
    "upsample_residual": (True, True, True),
    "upsample_factor": (2, 2, 2),
    "timestep_conditioning": True,
    "spatial_compression_ratio": 32,
    "temporal_compression_ratio": 8,
}
VAES = {"0.9.5": VAE_095, "0.9.0": {}}  # diffusers' own defaults are the first version's
T5_XXL = {
    "vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_heads": 64, "num_layers": 2,
    "feed_forward_proj": "gated-gelu", "is_encoder_decoder": False,
}  # fmt: skip


def main(folder: Path, layers: int, form: str) -> None:
    """Builds each component in bf16 from one seed and saves the pipeline."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    transformer = LTXVideoTransformer3DModel(num_layers=layers)
    vae = AutoencoderKLLTXVideo(**VAES[form])
    text_encoder = T5EncoderModel(T5Config(**T5_XXL))
    torch.set_default_dtype(torch.float32)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(TOKENIZER), pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    LTXPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae.to(torch.bfloat16),
        text_encoder=text_encoder.to(torch.bfloat16),
        tokenizer=tokenizer,
        transformer=transformer.to(torch.bfloat16),
    ).save_pretrained(folder, max_shard_size="5GB")
    print(f"{folder}: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file()) / 1e9:.2f} GB")


def _options(layers: str = "28", form: str = "0.9.5") -> tuple[int, str]:
    return int(layers), form


if __name__ == "__main__":
    target = Path(sys.argv[1])
    shutil.rmtree(target, ignore_errors=True)
    main(target, *_options(*sys.argv[2:]))

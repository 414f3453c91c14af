"""How often the trained model shows what was asked for, in combinations that training never saw."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import LTXConditionPipeline
from PIL import Image

from training.clips.captions import phrase
from training.clips.draw import Bytes
from training.clips.measure import colour_of, motion_of, shape_of
from training.clips.scene import Colour, Motion, Shape, combinations
from training.ltx_video import config
from training.ltx_video.tokenizer import NEGATIVE_PROMPT

Combination = tuple[Colour, Shape, Motion]
_BATCH = 8
_SHOWN = 5  # frames of each clip on the contact sheet


def check(pipeline: LTXConditionPipeline, sheet: Path, guidance: float = 3.0, every: int = 1) -> dict[str, float]:
    """Asks for held-out combinations, draws what came on a contact sheet, and counts what is as it was asked for."""
    asked = combinations(held_out=True)[::every]
    clips = [clip for i in range(0, len(asked), _BATCH) for clip in _sample(pipeline, asked[i : i + _BATCH], guidance)]
    _draw_sheet(clips, sheet)
    found = [(colour_of(clip), shape_of(clip), motion_of(clip)) for clip in clips]
    hits = np.array([[a == b for a, b in zip(*pair, strict=True)] for pair in zip(asked, found, strict=True)])
    return dict(zip(("colour", "shape", "motion"), hits.mean(axis=0).tolist(), strict=True))


@torch.no_grad()
def _sample(pipeline: LTXConditionPipeline, asked: Sequence[Combination], guidance: float) -> list[Bytes]:
    pipeline.set_progress_bar_config(disable=True)
    frames = pipeline(
        prompt=[phrase(*combination) for combination in asked],
        negative_prompt=[NEGATIVE_PROMPT] * len(asked),
        height=config.SIDE, width=config.SIDE, num_frames=config.FRAMES, frame_rate=int(config.FPS),
        num_inference_steps=config.STEPS, guidance_scale=guidance,
        decode_timestep=0.05, decode_noise_scale=0.025,
        generator=torch.Generator().manual_seed(config.SEED), output_type="np",
    ).frames  # fmt: skip
    return [np.rint(clip * 255).astype(np.uint8) for clip in frames]


def _draw_sheet(clips: Sequence[Bytes], file: Path) -> None:
    """One row a clip."""
    shown = np.linspace(0, config.FRAMES - 1, _SHOWN).astype(int)
    rows = [np.concatenate(clip[shown], axis=1) for clip in clips]
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(file)

"""What `peers.py` compares: who takes part, and in what."""

from dataclasses import dataclass
from pathlib import Path

DEMO = Path(__file__).resolve().parent.parent / "demo" / "ltx-video"
BASE, OTHER = "diffusers fp32", "openvino-genai bf16"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One that takes part: the kind of its runs, what they play, and how.

    Attributes:
        kind: diffusers, compiled, genai or vidrt.
        plays: checkpoint, genai, or the precision of vidrt's bundle.
        how: a type, OpenVINO's precision, or vidrt's backend.
        computes: in what, for readers.
    """

    kind: str
    plays: str
    how: str
    computes: str


PEERS = {
    "diffusers fp32": Peer(kind="diffusers", plays="checkpoint", how="float32", computes="fp32"),
    "diffusers bf16": Peer(kind="diffusers", plays="checkpoint", how="bfloat16", computes="bf16"),
    "diffusers fp32, compiled": Peer(kind="compiled", plays="checkpoint", how="float32", computes="fp32"),
    "diffusers bf16, compiled": Peer(kind="compiled", plays="checkpoint", how="bfloat16", computes="bf16"),
    "openvino-genai bf16": Peer(kind="genai", plays="genai", how="bf16", computes="bf16, weights in fp16"),
    "vidrt, onnxruntime": Peer(kind="vidrt", plays="bf16", how="onnxruntime", computes="fp32, weights in bf16"),
    "vidrt, OpenVINO bf16": Peer(kind="vidrt", plays="bf16", how="openvino", computes="bf16"),
    "vidrt, onnxruntime int8": Peer(
        kind="vidrt", plays="int8", how="onnxruntime", computes="int8; VAE fp32, weights in bf16"
    ),
    "vidrt, int8 and OpenVINO": Peer(
        kind="vidrt", plays="int8", how="auto", computes="int8 by onnxruntime; VAE bf16 by OpenVINO"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint of `full_size_checkpoint.py`, of `full_size_svd.py` if it has no layers, or one that is there."""

    layers: int | None = None
    vae: str = "0.9.0"
    folder: Path | None = None
    components: tuple[str, ...] = ("text_encoder", "transformer", "vae_decoder")

    @property
    def name(self) -> str:
        if self.folder is not None:
            return self.folder.name
        return "svd" if self.layers is None else f"{self.layers}-layers-{self.vae}"

    @property
    def genai_plays_it(self) -> bool:
        return self.folder is None and self.layers is not None and self.vae == "0.9.0"


@dataclass(frozen=True, kw_only=True)
class Video:
    """Whole runs: from the start of a process to frames.

    Attributes:
        checkpoint: what is played.
        size: height, width, frames.
        steps: with guidance.
        minutes: how long all peers take, about, with one warm-up and two rounds on two cores with nothing else to do.
        prompts: the quality of frames is measured on so many seeds; 0 for random weights, whose frames say nothing.
    """

    checkpoint: Checkpoint
    size: tuple[int, int, int]
    steps: int = 4
    guidance: float = 3.0
    minutes: int
    prompts: int = 0

    @property
    def title(self) -> str:
        height, width, frames = self.size
        return f"{self.checkpoint.name}, {height}x{width}, {frames} frames, {self.steps} guided steps"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Single calls of one component; its sizes are frames, rows and columns of latents."""

    checkpoint: Checkpoint
    component: str
    size: tuple[int, int, int]
    minutes: int

    @property
    def title(self) -> str:
        return f"{self.component} of {self.checkpoint.name}, latents {'x'.join(map(str, self.size))}"


_QUARTER, _WHOLE = Checkpoint(layers=7), Checkpoint(layers=28)
_NEWER = Checkpoint(layers=1, vae="0.9.5", components=("vae_decoder",))
CASES: dict[str, Video | Part] = {
    "video-9": Video(checkpoint=_QUARTER, size=(256, 384, 9), minutes=9),
    "video-25": Video(checkpoint=_QUARTER, size=(256, 384, 25), minutes=14),
    "video-768": Video(checkpoint=_QUARTER, size=(512, 768, 25), minutes=40),
    "demo": Video(checkpoint=Checkpoint(folder=DEMO), size=(128, 128, 17), steps=20, minutes=6, prompts=4),
    "step-long": Part(checkpoint=_QUARTER, component="transformer", size=(4, 16, 24), minutes=10),
    "video-2b": Video(checkpoint=_WHOLE, size=(256, 384, 25), steps=3, minutes=40),
    "step-2b": Part(checkpoint=_WHOLE, component="transformer", size=(4, 8, 12), minutes=20),
    "step-2b-long": Part(checkpoint=_WHOLE, component="transformer", size=(4, 16, 24), minutes=50),
    "vae-0.9.0": Part(checkpoint=_QUARTER, component="vae_decoder", size=(4, 8, 12), minutes=12),
    "vae-0.9.5": Part(checkpoint=_NEWER, component="vae_decoder", size=(4, 8, 12), minutes=20),
    "svd": Part(checkpoint=Checkpoint(components=("unet",)), component="unet", size=(14, 32, 32), minutes=40),
    "trial": Video(checkpoint=Checkpoint(layers=1), size=(128, 128, 9), minutes=4),
}
ESSENTIAL = ("video-9", "video-25")

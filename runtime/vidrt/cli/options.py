"""The options of the commands that play a bundle."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from vidrt_engines.guidance import StgMode
from vidrt_engines.names import Compat
from vidrt_engines.places import DEFAULT_BUNDLE

_FILE = click.Path(path_type=Path)

_DIR_OR_DEMO = f"A bundle's folder or demo:NAME.  [default: {DEFAULT_BUNDLE}]"
_BUILDS = "A diffusers folder: builds its bundle once, keeps it, plays it."
_ONE_FILE = "An official .safetensors file instead: builds its bundle once, keeps it, plays it."
_DOWNLOADS = "OWNER/NAME of a model of the Hugging Face hub instead: downloads it and builds its bundle once."
_PIXELS = "Pixels; divisible by 32, for SVD by 8."
_COMPAT = "Whose conventions to follow where the official code and diffusers differ."

_CONDITION = (
    "LTX-Video: a picture or a video that the result shows from FRAME on (0), as strongly as STRENGTH says, "
    "0 to 1 (1); repeatable."
)
_SINGLE = "Versions of two passes: the first alone, a preview of two thirds of the size."
_UPSCALER = (
    "With a checkpoint: the spatial upscaler of a second pass, a file, a folder or a model of the hub.  "
    "[default: the one beside the checkpoint]"
)
_CACHE = "Keep prompts' embeddings on disk: a prompt that was seen before needs no text encoder.  [default: on]"
_TILING = "LTX-Video: decode in tiles that overlap and blend as diffusers'."
_TILE_SIZE = "The size of tiles; implies --vae-tiling.  [default: 512x512, all frames]"
_SLICING = "LTX-Video: decode several videos one after the other, or all in one call.  [default: one after the other]"
_LIMIT = (
    "On the CPU the process's own memory, such as 2GB: decodes in tiles where that does not fit, or says what would.  "
    "With TensorRT GPU memory for each engine: weights beyond are streamed."
)
_STEP_CACHE = (
    "LTX-Video: guess what has changed by less than this since it was computed, such as 0.1; auto is the version's "
    "threshold, off computes every step.  [default: off]"
)
_STG_MODE = f"How blocks are perturbed for --stg-scale.  [default: {StgMode.ATTENTION_VALUES}]"

_Option = tuple[str, Any, str | None, str]

# One row an option: its name, its type (bool for a flag), what to call its value, its help.
_OPTIONS: tuple[_Option, ...] = (
    ("--bundle", str, "BUNDLE", _DIR_OR_DEMO),
    ("--local-weights", _FILE, "DIR", _BUILDS),
    ("--unified-weights", _FILE, "FILE", _ONE_FILE),
    ("--model-id", str, "ID", _DOWNLOADS),
    ("--use-bf16-t5", bool, None, "With --local-weights: the folder's own text encoder, no GGUF file that lies in it."),
    ("--upscaler", str, "FILE", _UPSCALER),
    ("--revision", str, "REVISION", "The hub's branch, tag or commit.  [default: the main branch]"),
    ("--prompt", str, "TEXT", "What to show.  [default: the bundle's own]"),
    ("--negative-prompt", str, "TEXT", "What to avoid, where there is guidance."),
    ("--image", _FILE, "FILE", "The picture that the video begins with."),
    ("--condition", str, "FILE[@FRAME][:STRENGTH]", _CONDITION),
    ("--height", int, None, _PIXELS),
    ("--width", int, None, _PIXELS),
    ("--num-frames", int, None, "8·n + 1; for SVD any number."),
    ("--fps", float, None, "Frames a second; motion follows it."),
    ("--num-videos", int, None, "How many videos, from one seed.  [default: 1]"),
    ("--steps", int, None, "Denoising steps.  [default: the model version's]"),
    ("--guidance-scale", float, None, "1 is none.  [default: the model version's]"),
    ("--stg-scale", float, None, "Spatio-temporal guidance, 0 is none.  [default: the model version's]"),
    ("--rescaling-scale", float, None, "Of guided results, with --stg-scale; 1 is none.  [default: the version's]"),
    ("--stg-mode", click.Choice([mode.value for mode in StgMode]), None, _STG_MODE),
    ("--step-cache", str, "THRESHOLD|auto|off", _STEP_CACHE),
    ("--ltxv-version", str, "VERSION", "Runs the bundle as this version of LTX-Video."),
    ("--single-pass", bool, None, _SINGLE),
    ("--motion-bucket-id", int, None, "SVD: how much moves, 0 to 255.  [default: 127]"),
    ("--noise-aug-strength", float, None, "SVD: how much noise the picture gets.  [default: 0.02]"),
    ("--min-guidance-scale", float, None, "SVD: of the first frame.  [default: 1]"),
    ("--max-guidance-scale", float, None, "SVD: of the last frame.  [default: 3]"),
    ("--decode-chunk-size", int, None, "SVD: frames decoded at once.  [default: all]"),
    ("--resize-mode", click.Choice(["crop", "stretch", "pad"]), None, "SVD: how the picture fits.  [default: crop]"),
    ("--seed", int, None, "From 0 up.  [default: random, and printed]"),
    ("--generator", str, "NAME", "Draws noise as torch does on the CPU (cpu) or on a GPU, as in H200.  [default: cpu]"),
    ("--compat", click.Choice([compat.value for compat in Compat]), None, f"{_COMPAT}  [default: {Compat.OFFICIAL}]"),
    ("--embeddings-file", _FILE, "FILE", "Prompt embeddings (safetensors) instead of a prompt."),
    ("--prompt-cache/--no-prompt-cache", bool, None, _CACHE),
    ("--initial-latents-file", _FILE, "FILE", "First latents (safetensors) instead of noise."),
    ("--save-final-latents", _FILE, "FILE", "Writes the denoised latents, before decoding."),
    ("--vae-tiling", bool, None, _TILING),
    ("--vae-tile-size", str, "HEIGHTxWIDTH[xFRAMES]", _TILE_SIZE),
    ("--vae-slicing/--no-vae-slicing", bool, None, _SLICING),
    ("--output-dir", _FILE, "DIR", "Where the files go.  [default: output]"),
    ("--gif", bool, None, "Write video.gif; this is the default."),
    ("--mp4", bool, None, "Write video.mp4."),
    ("--frames", bool, None, "Write frame_0000.png …"),
    ("--device", str, "DEVICE", "auto, cpu, cuda or cuda:N.  [default: auto]"),
    ("--cpu", bool, None, "The same as --device cpu."),
    ("--backend", str, "BACKEND", "auto, onnxruntime, openvino, tensorrt or tensorrt-rtx.  [default: auto]"),
    ("--memory-limit", str, "SIZE", _LIMIT),
    ("--quiet", bool, None, "Print nothing but errors."),
    ("--debug", bool, None, "Show a traceback when something fails."),
)
_PLAYING = frozenset({
    "--bundle", "--output-dir", "--gif", "--mp4", "--frames", "--device", "--cpu", "--backend", "--memory-limit",
    "--quiet", "--debug", "--vae-tiling", "--vae-tile-size", "--vae-slicing/--no-vae-slicing",
})  # fmt: skip
_REPEATABLE = frozenset({"--condition"})
_DEFAULTS: dict[str, object] = {
    "--prompt-cache/--no-prompt-cache": True,
    "--vae-slicing/--no-vae-slicing": True,
    "--num-videos": 1,
    "--generator": "cpu",
    "--compat": Compat.OFFICIAL.value,
    "--output-dir": Path("output"),
    "--device": "auto",
    "--backend": "auto",
}


def with_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command all options of `vidrt generate`."""
    return _with(_OPTIONS)(function)


def with_playing_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that say what plays a bundle, where, and where its videos go."""
    return _with([option for option in _OPTIONS if option[0] in _PLAYING])(function)


def _with(options: Sequence[_Option]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = _decorated(function, option)
        return function

    return decorate


def _decorated(function: Callable[..., None], option: _Option) -> Callable[..., None]:
    name, kind, metavar, help_text = option
    shape: dict[str, Any] = {"is_flag": True} if kind is bool else {"type": kind, "metavar": metavar}
    shape["multiple"] = name in _REPEATABLE
    return click.option(name, help=help_text, default=_DEFAULTS.get(name), **shape)(function)

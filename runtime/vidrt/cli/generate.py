"""`vidrt generate`: from a prompt to a video file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from vidrt_engines.names import Compat
from vidrt_engines.places import DEFAULT_BUNDLE

_FILE = click.Path(path_type=Path)

# One row an option: its declarations, then what click takes besides.
_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--bundle",), {"metavar": "BUNDLE", "help": f"A bundle's folder or demo:NAME.  [default: {DEFAULT_BUNDLE}]"}),
    (("--local-weights",), {"type": _FILE, "metavar": "DIR", "help": "A diffusers folder: builds its bundle once, keeps it, plays it."}),
    (("--prompt",), {"metavar": "TEXT", "help": "What to show.  [default: the bundle's own]"}),
    (("--negative-prompt",), {"metavar": "TEXT", "help": "What to avoid, where there is guidance."}),
    (("--height",), {"type": int, "help": "Pixels; divisible by 32 for most models."}),
    (("--width",), {"type": int, "help": "Pixels; divisible by 32 for most models."}),
    (("--num-frames",), {"type": int, "help": "8·n + 1 for most models."}),
    (("--fps",), {"type": float, "help": "Frames a second; motion follows it."}),
    (("--num-videos",), {"type": int, "default": 1, "show_default": True, "help": "How many videos, from one seed."}),
    (("--steps",), {"type": int, "help": "Denoising steps.  [default: the model version's]"}),
    (("--guidance-scale",), {"type": float, "help": "1 is none.  [default: the model version's]"}),
    (("--ltxv-version",), {"metavar": "VERSION", "help": "Runs the bundle as this version of LTX-Video."}),
    (("--seed",), {"type": int, "help": "From 0 up.  [default: random, and printed]"}),
    (("--compat",), {"type": click.Choice(list(Compat)), "default": Compat.OFFICIAL, "show_default": True, "help": "Whose conventions to follow where the official code and diffusers differ."}),
    (("--embeddings-file",), {"type": _FILE, "metavar": "FILE", "help": "Prompt embeddings (safetensors) instead of a prompt."}),
    (("--initial-latents-file",), {"type": _FILE, "metavar": "FILE", "help": "First latents (safetensors) instead of noise."}),
    (("--save-final-latents",), {"type": _FILE, "metavar": "FILE", "help": "Writes the denoised latents, before decoding."}),
    (("--output-dir",), {"type": _FILE, "default": Path("output"), "show_default": True, "help": "Where the files go."}),
    (("--gif",), {"is_flag": True, "help": "Write video.gif; this is the default."}),
    (("--mp4",), {"is_flag": True, "help": "Write video.mp4."}),
    (("--frames",), {"is_flag": True, "help": "Write frame_0000.png …"}),
    (("--device",), {"default": "auto", "show_default": True, "help": "auto, cpu, cuda or cuda:N."}),
    (("--cpu",), {"is_flag": True, "help": "The same as --device cpu."}),
    (("--backend",), {"default": "auto", "show_default": True, "help": "Which of the bundle's engines to use."}),
    (("--quiet",), {"is_flag": True, "help": "Print nothing but errors."}),
    (("--debug",), {"is_flag": True, "help": "Show a traceback when something fails."}),
)  # fmt: skip


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    for declarations, attributes in reversed(_OPTIONS):
        function = click.option(*declarations, **attributes)(function)
    return function


@click.command()
@_with_options
def generate(**options: Any) -> None:
    """Generate a video from a prompt."""
    from vidrt.cli.generation import run_generation

    run_generation(options)

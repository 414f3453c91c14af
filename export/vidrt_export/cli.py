"""The `build-engines` command."""

import math
import sys
import traceback
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
from vidrt_engines.names import Backend, Component, Family, Precision
from vidrt_engines.sizes import parse_size

BAD_REQUEST, FAILED, INTERRUPTED = 2, 1, 130
_INSTALL = "pip install 'vidrt[export]'"
_COMPILED = "TensorRT: "
DEFAULT_RESOLUTION, DEFAULT_FRAMES = "256x384:512x768:704x1216", "9:97:161"


def _choice(words: Iterable[StrEnum]) -> click.Choice[str]:
    return click.Choice([word.value for word in words])


class _Number(click.FloatRange):
    """A number in a range, of which click takes NaN for one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reads a number; refuses what is none."""
        number = super().convert(value, param, ctx)
        return self.fail(f"{number} is not in the range.", param, ctx) if math.isnan(number) else number


def _bytes(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from error


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The bundle's folder.")
@click.option("--family", type=_choice(Family), help="Default: found from the files.")
@click.option("--ltxv-version", metavar="VERSION", help="Default: found from the files, where they say it.")
@click.option("--revision", metavar="REVISION", help="The hub's branch, tag or commit.  [default: the main branch]")
@click.option(
    "--num-frames", type=click.IntRange(min=1), metavar="N",
    help="Stable Video Diffusion from a single file whose name does not say it: the frames it was trained on.",
)  # fmt: skip
@click.option(
    "--backend", "backends", multiple=True, type=_choice(Backend), default=[Backend.ONNXRUNTIME.value],
    show_default=True, help="What is to play the engines; repeatable. OpenVINO plays those of onnxruntime.",
)  # fmt: skip
@click.option(
    "--precision", type=_choice(precision for precision in Precision if precision is not Precision.GGUF),
    help="Default: the type the weights are stored in; for TensorRT bf16, or fp16 where they are stored so.",
)  # fmt: skip
@click.option(
    "--resolution", "resolutions", multiple=True, metavar="MIN:OPT:MAX",
    help=f"TensorRT: each HEIGHTxWIDTH, or one for all three; repeatable. Default: {DEFAULT_RESOLUTION}.",
)  # fmt: skip
@click.option(
    "--frames", multiple=True, metavar="MIN:OPT:MAX",
    help=f"TensorRT: frames of a video; repeatable, as often as --resolution or once. Default: {DEFAULT_FRAMES}.",
)  # fmt: skip
@click.option("--batch", type=int, default=1, show_default=True, help="TensorRT: the most videos in one run.")
@click.option(
    "--memory-limit", metavar="SIZE", callback=_bytes, help="TensorRT: device memory for a kernel's workspace, as 4GiB."
)
@click.option("--strip-weights", is_flag=True, help="TensorRT: leave the weights out of the plans, beside them.")
@click.option("--stream-weights", is_flag=True, help="TensorRT: plans that can run with weights in host memory.")
@click.option(
    "--check-minutes", type=_Number(min=0), default=10, show_default=True,
    help="TensorRT: how long the check against fp32 may take on the CPU, for each component.",
)  # fmt: skip
@click.option("--tolerance", type=_Number(min=0, min_open=True), help="TensorRT: the relative L2 allowed.")
@click.option(
    "--component", "parts", multiple=True, type=_choice(Component),
    help="Build only this component; repeatable.",
)  # fmt: skip
@click.option(
    "--t5-gguf", metavar="FILE", type=click.Path(path_type=Path),
    help="LTX-Video: the text encoder from a GGUF file, which onnxruntime plays as it is quantised.",
)  # fmt: skip
@click.option(
    "--text-encoder", metavar="DIR", type=click.Path(path_type=Path),
    help="LTX-Video: the folder with text_encoder and tokenizer, where they are not beside SOURCE.",
)  # fmt: skip
@click.option("--use-bf16-t5", is_flag=True, help="LTX-Video: the folder's own text encoder or none, no GGUF file.")
@click.option(
    "--upscaler", metavar="FILE|DIR|ID",
    help="LTX-Video: the spatial upscaler of a second pass.  [default: one beside SOURCE, or the hub's]",
)  # fmt: skip
@click.option(
    "--lora", "loras", multiple=True, metavar="FILE[:SCALE]",
    help="Merge a LoRA into the transformer (SVD: the UNet); repeatable, and several add up.",
)  # fmt: skip
@click.option("--note", help="A sentence shown wherever the bundle is used.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def command(*, debug: bool, **options: Any) -> None:
    """Build the engines of SOURCE into a bundle that vidrt plays without PyTorch.

    SOURCE is a folder that diffusers saved, an original single file, or OWNER/NAME of a model of the Hugging Face hub.
    """
    del debug  # read where errors end up
    _refuse_unused(options["backends"])
    from vidrt_export.run import Request, run

    run(Request(**options))


def main() -> None:
    """Entry point: an error is one sentence on stderr, a traceback only with --debug.

    The exit status is 0, 2 for a request that cannot be right, 1 for what failed on the way.
    """
    try:
        command.main(prog_name="build-engines", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _stop("stopped; what was finished is kept.", INTERRUPTED)
    except click.ClickException as error:
        _stop(error.format_message(), BAD_REQUEST)
    except ImportError as error:
        told = str(error) if "pip install" in str(error) else f"{error.name} is not installed; run: {_INSTALL}"
        _stop(told, BAD_REQUEST)
    except ValueError as error:  # CheckpointError and BundleError, whose modules need what may not be installed
        if type(error).__name__ not in {"CheckpointError", "BundleError"}:
            raise
        _stop(str(error), BAD_REQUEST)
    except OSError as error:
        _stop(str(error), FAILED)


def _refuse_unused(backends: tuple[str, ...]) -> None:
    """An option that no backend asked for takes is refused rather than passed over."""
    if any(Backend(backend).plays is not Backend.ONNXRUNTIME for backend in backends):
        return
    context = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    for option in context.command.params:
        told = (getattr(option, "help", None) or "").startswith(_COMPILED)
        if told and context.get_parameter_source(str(option.name)) is given:
            raise click.UsageError(f"{option.opts[0]} concerns compiled engines: give --backend tensorrt-rtx as well.")


def _stop(sentence: str, status: int) -> None:
    if "--debug" in sys.argv:
        traceback.print_exc()
    click.echo(f"build-engines: {sentence.rstrip('.')}.", err=True)
    sys.exit(status)

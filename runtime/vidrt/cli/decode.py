"""`vidrt decode`: from final latents to a video file."""

from pathlib import Path
from typing import Any

import click

from vidrt.cli.options import with_playing_options


@click.command()
@click.argument("latents", type=click.Path(path_type=Path))
@with_playing_options
def decode(**options: Any) -> None:
    """Decode LATENTS: finishes a run whose decoding failed, or makes its video again.

    LATENTS is a file of --save-final-latents, or the latents.safetensors that a run leaves in its output folder if it
    ends while it decodes. --bundle is the one that the run was made with.
    """
    from vidrt.cli.decoding import run_decoding

    run_decoding(options)

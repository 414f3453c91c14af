"""`vidrt generate`: from a prompt to a video file."""

from typing import Any

import click

from vidrt.cli.options import with_options


@click.command()
@with_options
@click.option("--dry-run", is_flag=True, help="Print what it takes in memory, as vidrt plan does, and make nothing.")
def generate(**options: Any) -> None:
    """Generate a video from a prompt, from pictures and videos, or with Stable Video Diffusion from a picture."""
    from vidrt.cli.generation import run_generation

    run_generation(options)

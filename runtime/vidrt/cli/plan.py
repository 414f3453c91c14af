"""`vidrt plan`: what a run takes, before anything is loaded."""

from typing import Any

import click

from vidrt.cli.options import with_options


@click.command()
@with_options
def plan(**options: Any) -> None:
    """Print what `vidrt generate` with the same options takes in memory, phase by phase, and whether it fits here."""
    from vidrt.cli.generation import run_generation

    run_generation({**options, "dry_run": True})

"""`vidrt bench`: how long each phase of a run takes here, how much memory, and which to look at first."""

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("bundle", required=False)
@click.option("--prompt", metavar="TEXT", help="What to show.  [default: the bundle's own]")
@click.option("--image", type=click.Path(path_type=Path), metavar="FILE", help="The picture to begin with.")
@click.option("--height", type=int, help="Pixels.")
@click.option("--width", type=int, help="Pixels.")
@click.option("--num-frames", type=int, help="Frames.")
@click.option("--steps", type=int, help="Denoising steps.")
@click.option("--guidance-scale", type=float, help="LTX-Video: 1 is none.  [default: the model version's]")
@click.option("--step-cache", metavar="THRESHOLD|auto|off", help="LTX-Video: guess velocities, as vidrt generate does.")
@click.option(
    "--embeddings-file", type=click.Path(path_type=Path), metavar="FILE", help="LTX-Video: embeddings for a prompt."
)
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="How often; medians are told.")
@click.option("--keep-loaded", is_flag=True, help="Engines stay open between runs, as in a service.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--cpu", is_flag=True, help="The same as --device cpu.")
@click.option("--backend", default="auto", show_default=True, help="What plays the engines.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the figures here too."
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def bench(**options: Any) -> None:
    """Time the phases of a run of BUNDLE, a folder or demo:NAME, on this machine.

    The first run is told apart: it reads the files that the others find in memory.
    """
    from vidrt.cli.benching import run_bench

    run_bench(options)

"""The `build-engines` command."""

import sys
from pathlib import Path

import click
from vidrt_engines.errors import BundleError
from vidrt_engines.names import COMPONENTS, Backend, Component, Family, Precision


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The bundle's folder.")
@click.option("--family", type=click.Choice(list(Family)), help="Default: found from the files.")
@click.option("--ltxv-version", metavar="VERSION", help="Default: found from the files, where they say it.")
@click.option(
    "--backend", "backends", multiple=True, type=click.Choice(list(Backend)), default=[Backend.ONNXRUNTIME],
    show_default=True, help="What is to play the engines; repeatable.",
)  # fmt: skip
@click.option("--precision", type=click.Choice(list(Precision)), help="Default: the type the weights are stored in.")
@click.option(
    "--component", "parts", multiple=True, type=click.Choice(COMPONENTS[Family.LTX_VIDEO]),
    help="Build only this component; repeatable.",
)  # fmt: skip
@click.option("--note", help="A sentence shown wherever the bundle is used.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def command(
    source: Path,
    out: Path,
    family: Family | None,  # noqa: ARG001 - one family so far, checked by click
    ltxv_version: str | None,
    backends: tuple[Backend, ...],
    precision: Precision | None,
    parts: tuple[Component, ...],
    note: str | None,
    dry_run: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Build the engines of SOURCE, a folder that diffusers saved, into a bundle that vidrt plays without PyTorch."""
    from vidrt_reference.checkpoint.errors import CheckpointError

    try:
        _run(source, out, ltxv_version, backends, precision, parts, note, dry_run=dry_run, quiet=quiet)
    except (CheckpointError, BundleError) as error:
        _fail(error, 2, debug=debug)
    except OSError as error:
        _fail(error, 1, debug=debug)


def main() -> None:
    """Entry point; exit status 2 for a request that cannot be right, 1 for what failed on the way."""
    command(prog_name="build-engines")


def _run(
    source: Path, out: Path, version: str | None, backends: tuple[Backend, ...], precision: Precision | None,
    parts: tuple[Component, ...], note: str | None, *, dry_run: bool, quiet: bool,
) -> None:  # fmt: skip
    from vidrt_reference.checkpoint.errors import CheckpointError

    from vidrt_export.build import build
    from vidrt_export.console import Console
    from vidrt_export.plan import check_disk, make_plan
    from vidrt_export.sources.diffusers_folder import read_diffusers_folder

    if not source.is_dir():
        raise CheckpointError(f"{source} is no folder: give the one that diffusers' save_pretrained wrote.")
    if out.exists() and not out.is_dir():
        raise CheckpointError(f"{out} is a file: give a folder to --out.")
    console = Console(quiet=quiet)
    checkpoint = read_diffusers_folder(source, version)
    if version is None and len(checkpoint.versions) > 1:
        others = ", ".join(checkpoint.versions[1:])
        console.note(f"Taken for {checkpoint.model_version}; its files also fit {others}: see --ltxv-version.")
    plan = make_plan(checkpoint, precision=precision, components=parts, backends=backends)
    if dry_run:
        check_disk(plan, out)
        click.echo("\n".join(plan.lines()))
        return
    build(plan, out, console, note)
    console.note(f"The bundle is ready: vidrt generate --bundle {out}")


def _fail(error: Exception, status: int, *, debug: bool) -> None:
    if debug:
        raise error
    click.echo(f"build-engines: {error}", err=True)
    sys.exit(status)

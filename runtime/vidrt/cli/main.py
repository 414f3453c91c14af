"""Entry point of the `vidrt` command."""

import sys
import traceback

import click
from vidrt_engines.errors import BundleError

from vidrt.cli.bench import bench
from vidrt.cli.decode import decode
from vidrt.cli.doctor import doctor
from vidrt.cli.generate import generate
from vidrt.cli.plan import plan
from vidrt.errors import RequestError
from vidrt.output.errors import OutputError

BAD_REQUEST, FAILED, INTERRUPTED = 2, 1, 130


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vidrt")
def commands() -> None:
    """Play video diffusion bundles without PyTorch."""


commands.add_command(generate)
commands.add_command(bench)
commands.add_command(decode)
commands.add_command(plan)
commands.add_command(doctor)


def main() -> None:
    """Runs a command; an error is one sentence on stderr, a traceback only with --debug.

    The exit status is 0, 2 for a request that cannot be right, 1 for what failed on the way.
    """
    try:
        commands.main(prog_name="vidrt", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _stop("stopped.", INTERRUPTED)
    except click.ClickException as error:
        _stop(error.format_message(), BAD_REQUEST)
    except (RequestError, BundleError) as error:
        _stop(str(error), BAD_REQUEST)
    except (OutputError, OSError, RuntimeError, MemoryError) as error:
        _stop(str(error) or "out of memory.", FAILED)


def _stop(sentence: str, status: int) -> None:
    if "--debug" in sys.argv:
        traceback.print_exc()
    click.echo(f"vidrt: {sentence.rstrip('.')}.", err=True)
    sys.exit(status)

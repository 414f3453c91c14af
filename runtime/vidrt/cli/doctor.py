"""`vidrt doctor`: what this machine can run, and whether it can play a bundle."""

import click

_VERIFY = "Read every file of the bundle and compare its SHA-256."


@click.command()
@click.argument("bundle", required=False)
@click.option("--verify", is_flag=True, help=_VERIFY)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def doctor(bundle: str | None, *, verify: bool, quiet: bool, debug: bool) -> None:
    """Tell what this machine can run.

    With BUNDLE, a folder or demo:NAME, also whether it can play that, and why not. The exit status is 1 if nothing
    here can play the bundle, or any.
    """
    from vidrt_engines.names import Backend

    from vidrt.cli.doctor_text import bundle_lines, machine_lines
    from vidrt.diagnosis import cause, diagnose_bundle, diagnose_machine
    from vidrt.errors import EngineError, RequestError
    from vidrt.progress import make_progress

    del debug  # the entry point reads it
    if verify and bundle is None:
        raise RequestError("--verify reads a bundle's files: say which bundle.")
    report = None if bundle is None else diagnose_bundle(bundle, make_progress(quiet=quiet), verify=verify)
    machine = diagnose_machine()
    if not quiet:
        click.echo("\n".join([*machine_lines(machine), *(bundle_lines(report) if report else [])]))
    if report and (reason := cause(report)):
        raise EngineError(f"{report.folder} cannot be played here: {reason}.")
    if all(ready.obstacle for ready in machine):
        least = next(ready for ready in reversed(machine) if ready.backend is Backend.ONNXRUNTIME)
        raise EngineError(f"nothing here can play engines: {least.obstacle}.")

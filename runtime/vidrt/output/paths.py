"""Where results go: whole files or none, and folders that can be written to."""

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vidrt.output.errors import OutputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a name to write to, which becomes `path` at the end and disappears on any failure.

    The name lies beside `path`, so that the last step is a rename within one file system, and has its ending.

    Raises:
        OutputError: `path` is a folder, its folder is missing, or an OSError came up meanwhile (a full disk, say).
    """
    temporary = path.parent / f".{secrets.token_hex(8)}{path.suffix}"
    try:
        _check_file_path(path)
        yield temporary
        temporary.replace(path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} could not be written: {_reason(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_output_dir(path: Path) -> None:
    """Tries that the folder for results can be made and written to, and leaves everything as it was.

    Raises:
        OutputError: A file is in its place, or there is no permission, no space or the like.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"the output folder {path} cannot be made: a file is in its place") from error
    except OSError as error:
        raise OutputError(f"the output folder {path} cannot be written to: {_reason(error)}") from error
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


def check_output_file(path: Path) -> None:
    """Tries that a file can be written at `path`, and leaves everything as it was.

    Raises:
        OutputError: A folder is in its place, or its folder is missing or cannot be written to.
    """
    _check_file_path(path)
    check_output_dir(path.parent)


def _check_file_path(path: Path) -> None:
    if path.is_dir():
        raise OutputError(f"{path} is a folder, and a file was to be written there: add a file name")
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)

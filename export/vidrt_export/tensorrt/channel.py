"""How a process of ours talks with the one that started it: lines of JSON on standard output."""

import json
import os
import sys
import threading
from typing import TextIO


def open_channel() -> TextIO:
    """Standard output for messages alone: what libraries print goes to standard error from here on.

    The process ends when its standard input does, so that it does not outlive who started it.
    """
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return channel


def tell(channel: TextIO, message: dict[str, object]) -> None:
    """Sends one message."""
    print(json.dumps(message), file=channel, flush=True)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)

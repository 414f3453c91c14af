"""What can go wrong while a result is written."""


class OutputError(OSError):
    """A result could not be written; the message is one sentence that says why."""

"""The error of this package."""


class CheckpointError(ValueError):
    """A checkpoint is not what it should be; one sentence says what was expected, what came and what to do."""

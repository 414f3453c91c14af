"""What can go wrong in a run, by cause; each message is one sentence."""


class RequestError(ValueError):
    """A request that cannot be right, found before any weight is read."""


class DeviceError(RequestError):
    """A device or backend that was asked for and cannot be had."""


class MissingExtraError(RequestError):
    """A library that the request needs and that is not installed; the message has the line that installs it."""


class EngineError(RuntimeError):
    """An engine that does not load or fails while it runs."""


class OutOfMemoryError(EngineError):
    """A machine or a device that has less free memory than a run needs, whichever backend says so."""

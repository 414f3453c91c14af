"""What can be wrong with a bundle."""


class BundleError(ValueError):
    """A bundle that is missing, damaged, of a newer format, or lacks what was asked; the message is one sentence."""

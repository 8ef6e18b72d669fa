"""What is wrong with the user's images."""


class DataError(ValueError):
    """Images that a model cannot be trained on; the message says which and how to mend it."""

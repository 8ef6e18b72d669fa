"""Errors that a user can fix: commands print their message and no traceback."""


class UserError(ValueError):
    """Base class of errors in a user's input or environment.

    The message names the file, key or value and says how to fix it.
    """


class DataError(UserError):
    """Images that a model cannot be trained or judged on."""


class StorageError(UserError):
    """A file system that cannot be used."""

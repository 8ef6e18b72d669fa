"""Errors that a user can fix: commands print their message and no traceback."""

from typing import ClassVar


class UserError(ValueError):
    """Base class of errors in a user's input or environment.

    The message names the file, key or value and says how to fix it.

    Attributes:
        exit_code: Of a command that it ends: 2 for wrong use; 1 where what was asked for failed.
    """

    exit_code: ClassVar[int] = 2


class DataError(UserError):
    """Images that a model cannot be trained or judged on."""


class StorageError(UserError):
    """A file system that cannot be used."""

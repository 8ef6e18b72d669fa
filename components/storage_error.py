"""What is raised where files cannot be reached."""


class StorageError(ValueError):
    """A file system that cannot be used; the message says why, and how to mend it."""

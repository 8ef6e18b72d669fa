"""The SQLite database of a traffic store: opened, checked for its version, made where needed."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from base.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import Self

_VERSION = 1
_DATABASE = "traffic.db"
_BUSY_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE answers (
  id INTEGER PRIMARY KEY, time REAL NOT NULL, model TEXT NOT NULL, version INTEGER NOT NULL,
  label TEXT NOT NULL, known INTEGER NOT NULL, valid INTEGER NOT NULL, reason TEXT NOT NULL,
  score REAL, margin REAL, probability REAL, embedding BLOB, digest TEXT NOT NULL,
  other_version INTEGER, other_label TEXT NOT NULL, request TEXT UNIQUE);
CREATE INDEX answers_by_time ON answers (time);
CREATE INDEX answers_by_digest ON answers (digest);
CREATE TABLE images (
  digest TEXT PRIMARY KEY, time REAL NOT NULL, kept TEXT NOT NULL, size INTEGER NOT NULL,
  source TEXT NOT NULL, given_label TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX images_by_time ON images (time);
CREATE TABLE reviews (
  digest TEXT PRIMARY KEY REFERENCES images (digest), time REAL NOT NULL, decision TEXT NOT NULL,
  label TEXT NOT NULL, reviewer TEXT NOT NULL, grp TEXT NOT NULL, span INTEGER) WITHOUT ROWID;
"""


class TrafficError(UserError):
    """A traffic store that cannot be used, or a decision that does not fit what it holds."""


class Database:
    """A folder with a database, for one thread at a time; several processes may open the same one.

    Args:
        folder: Where it lies, a local folder.
        create: Whether to make it where there is none.

    Raises:
        TrafficError: There is none, it is of a newer version, or it cannot be opened.
    """

    def __init__(self, folder: Path, create: bool = False) -> None:
        self.folder = Path(folder)
        database = self.folder / _DATABASE
        if not create and not database.exists():
            raise TrafficError(
                f"{folder}: is no traffic store; `siamese record` makes one (traffic.store)"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Autocommit: transactions are opened by name.
            self._db = sqlite3.connect(
                database, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._migrate()
        except (OSError, sqlite3.Error) as error:
            raise TrafficError(f"{database}: cannot be opened ({error})") from error

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _migrate(self) -> None:
        with self._transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise TrafficError(
                    f"{self.folder / _DATABASE}: was written by a newer siamese-tfx (store version "
                    f"{version}, this one knows {_VERSION}); install the newer one"
                )
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")

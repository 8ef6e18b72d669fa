"""A folder with a SQLite database of answers and reviews, and the images that are kept.

    FOLDER/traffic.db       answers, images, reviews
    FOLDER/images/ab/ab12…  the images' files, named by their SHA-256

SQLite's write-ahead log lets one process record while others read and review. An image's file is
complete before its row is written, and its row is gone before the file is.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from base.errors import UserError
from base.printable import printable
from traffic.rows import Answer, Decision, Kept, Review, StoredImage

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
_ANSWER = (
    "time, model, version, label, known, valid, reason, score, margin, probability, embedding, "
    "digest, other_version, other_label, request"
)


class TrafficError(UserError):
    """A traffic store that cannot be used, or a decision that does not fit what it holds."""


class AlreadyReviewed(TrafficError):
    """Another decision about the image exists: two people review the same queue.

    Attributes:
        review: That decision.
    """

    def __init__(self, review: Review) -> None:
        said = review.label or review.decision.value
        by = f" by {printable(review.reviewer)}" if review.reviewer else ""
        super().__init__(f"image {review.digest[:12]}: has been reviewed{by} as {said!r}")
        self.review = review


class TrafficStore:
    """A traffic store, for one thread at a time; several processes may open the same one.

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

    def __enter__(self) -> TrafficStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Answers

    def add_answers(self, answers: Iterable[Answer]) -> None:
        """Append answers, all or none; those whose request is there already are left out.

        Raises:
            sqlite3.Error: The disk is full or the database stays locked for 5 s.
        """
        holes = ", ".join("?" * len(Answer._fields))
        with self._transaction():
            self._db.executemany(
                f"INSERT OR IGNORE INTO answers ({_ANSWER}) VALUES ({holes})",
                [_answer_row(each) for each in answers],
            )

    def answers(
        self, since: float = 0.0, until: float = math.inf, model: str | None = None
    ) -> list[Answer]:
        """Return the answers of a period, oldest first.

        Args:
            since: First time, Unix time, s.
            until: Time at which the period has ended.
            model: Of this model alone; None: of all.
        """
        rows = self._db.execute(
            f"SELECT {_ANSWER} FROM answers WHERE time >= ? AND time < ? "
            "AND (? IS NULL OR model = ?) ORDER BY time, id",
            (since, until, model, model),
        )
        return [_answer(row) for row in rows]

    def count_answers(self, since: float) -> list[tuple[str, bool, int]]:
        """Return how often valid images got each class since a time: class, known, number."""
        rows = self._db.execute(
            "SELECT label, known, COUNT(*) FROM answers WHERE time >= ? AND valid "
            "GROUP BY label, known ORDER BY label, known",
            (since,),
        )
        return [(label, bool(known), count) for label, known, count in rows]

    def last_answer(self, digest: str) -> Answer | None:
        """Return the latest answer about an image; None if there is none."""
        row = self._db.execute(
            f"SELECT {_ANSWER} FROM answers WHERE digest = ? ORDER BY time DESC, id DESC", (digest,)
        ).fetchone()
        return _answer(row) if row else None

    def remove_answers(self, before: float) -> int:
        """Remove the answers given before a time; return how many."""
        return self._db.execute("DELETE FROM answers WHERE time < ?", (before,)).rowcount

    # Images

    def add_image(
        self, content: bytes, kept: Kept, time: float, source: str = "", given_label: str = ""
    ) -> str:
        """Keep an image's file; one that is kept already stays as it is.

        Returns:
            Its digest.

        Raises:
            OSError: The disk is full, or the folder cannot be written.
            sqlite3.Error: The database cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self.image_path(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{digest}.{uuid.uuid4().hex}")
            try:
                unfinished.write_bytes(content)
                os.replace(unfinished, path)
            except OSError:
                unfinished.unlink(missing_ok=True)
                raise
        self._db.execute(
            "INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?, ?)",
            (digest, time, kept.value, len(content), source, given_label),
        )
        return digest

    def images(self, unreviewed: bool = False) -> list[StoredImage]:
        """Return the images, oldest first.

        Args:
            unreviewed: Those alone of which nobody has said anything.
        """
        unless = "WHERE digest NOT IN (SELECT digest FROM reviews)" if unreviewed else ""
        rows = self._db.execute(f"SELECT * FROM images {unless} ORDER BY time, digest")
        return [_image(row) for row in rows]

    def image(self, digest: str) -> StoredImage | None:
        """Return what is known of an image; None if it is not kept."""
        row = self._db.execute("SELECT * FROM images WHERE digest = ?", (digest,)).fetchone()
        return _image(row) if row else None

    def image_path(self, digest: str) -> Path:
        """Return the place of an image's file.

        Raises:
            TrafficError: `digest` is no SHA-256.
        """
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise TrafficError(f"{digest[:80]!r}: is no image's SHA-256")
        return self.folder / "images" / digest[:2] / digest

    def bytes_kept(self) -> int:
        """Return the size of the images that `remove_oldest_images` may remove, bytes."""
        return sum(image.size for image in self._removable())

    def _removable(self) -> list[StoredImage]:
        images = self.images(unreviewed=True)
        return [one for one in images if one.kept not in (Kept.ADDED, Kept.SUSPECT)]

    def remove_oldest_images(self, limit: int) -> int:
        """Remove the oldest recorded images of which nobody has said anything, until these fit.

        Reviewed images, suspects and what a person has added stay, and do not count.

        Args:
            limit: Size that these images together may have, bytes.

        Returns:
            How many were removed.
        """
        excess, removed = self.bytes_kept() - limit, 0
        for image in self._removable():
            if excess <= 0:
                break
            done = self._db.execute(
                "DELETE FROM images WHERE digest = ? "
                "AND digest NOT IN (SELECT digest FROM reviews)",
                (image.digest,),
            )
            if done.rowcount:
                self.image_path(image.digest).unlink(missing_ok=True)
                excess, removed = excess - image.size, removed + 1
        return removed

    # Reviews

    def review(self, review: Review, replace: bool = False) -> None:
        """Keep a person's decision.

        Args:
            review: The decision.
            replace: Whether it may take the place of another one. If that one was written to a
                span, the next span has this one.

        Raises:
            AlreadyReviewed: There is another one, which is not to be replaced.
            TrafficError: The image is not kept, or a label is missing or not wanted.
        """
        if (review.decision == Decision.LABEL) != bool(review.label):
            raise TrafficError(f"a decision {review.decision.value!r} with label {review.label!r}")
        with self._transaction():
            if self.image(review.digest) is None:
                raise TrafficError(f"image {review.digest[:12]}: is not kept (any more)")
            if (other := self.review_of(review.digest)) is not None:
                if other._replace(time=0, span=None) == review._replace(time=0, span=None):
                    return  # sent twice
                if not replace:
                    raise AlreadyReviewed(other)
            self._db.execute(
                "INSERT OR REPLACE INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*review[:2], review.decision.value, *review[3:]),
            )

    def undo_review(self, digest: str) -> None:
        """Remove the decision about an image, if there is one.

        Raises:
            AlreadyReviewed: It has been trained on.
        """
        with self._transaction():
            if (other := self.review_of(digest)) is not None and other.span is not None:
                raise AlreadyReviewed(other)
            self._db.execute("DELETE FROM reviews WHERE digest = ?", (digest,))

    def review_of(self, digest: str) -> Review | None:
        """Return the decision about an image; None if there is none."""
        row = self._db.execute("SELECT * FROM reviews WHERE digest = ?", (digest,)).fetchone()
        return _review(row) if row else None

    def reviews(self, not_in_a_span: bool = False) -> list[Review]:
        """Return the decisions, oldest first.

        Args:
            not_in_a_span: Those alone that have not been written to a span.
        """
        only = "WHERE span IS NULL" if not_in_a_span else ""
        rows = self._db.execute(f"SELECT * FROM reviews {only} ORDER BY time, digest")
        return [_review(row) for row in rows]

    def set_span(self, labels: Mapping[str, str], span: int | None) -> None:
        """Say that reviewed images have been written to a span, or None: to none; all or none.

        Args:
            labels: The class of each image in the span, by digest; empty: none. An image whose
                decision is another one meanwhile is left out.
            span: The span's number.
        """
        with self._transaction():
            self._db.executemany(
                "UPDATE reviews SET span = ? WHERE digest = ? AND label = ?",
                [(span, digest, label) for digest, label in labels.items()],
            )

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


def _answer_row(answer: Answer) -> tuple:
    row = answer._asdict()
    if answer.embedding is not None:
        row["embedding"] = np.asarray(answer.embedding, "<f4").tobytes()
    row["request"] = answer.request or None  # NULL is not unique
    return tuple(row.values())


def _answer(row: tuple) -> Answer:
    answer = Answer(*row)

    def number(value: float | None) -> float:
        return math.nan if value is None else value  # SQLite stores NaN as NULL

    return answer._replace(
        known=bool(answer.known),
        valid=bool(answer.valid),
        score=number(answer.score),
        margin=number(answer.margin),
        probability=number(answer.probability),
        embedding=None if answer.embedding is None else np.frombuffer(answer.embedding, "<f4"),
        request=answer.request or "",
    )


def _image(row: tuple) -> StoredImage:
    return StoredImage(*row)._replace(kept=Kept(row[2]))


def _review(row: tuple) -> Review:
    return Review(*row)._replace(decision=Decision(row[2]))

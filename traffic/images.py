"""The images of a traffic store: files named by their SHA-256, and what is known of them.

An image's file is complete before its row is written, and its row is gone before the file is.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path

from traffic.database import Database, TrafficError
from traffic.rows import Kept, StoredImage


class Images(Database):
    """Images that are kept; see `traffic.store`."""

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


def _image(row: tuple) -> StoredImage:
    return StoredImage(*row)._replace(kept=Kept(row[2]))

"""What people said of the images of a traffic store."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from base.printable import printable
from traffic.database import TrafficError
from traffic.images import Images
from traffic.rows import Decision, Review


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


class Reviews(Images):
    """Decisions about images; see `traffic.store`."""

    def review(self, *reviews: Review, replace: bool = False) -> None:
        """Keep people's decisions, all or none.

        Args:
            reviews: The decisions.
            replace: Whether they may take the place of others. If one of these was written to a
                span, the next span has the new one.

        Raises:
            AlreadyReviewed: There is another one, which is not to be replaced.
            TrafficError: The image is not kept, or a label is missing or not wanted.
        """
        with self._transaction():
            for review in reviews:
                self._keep(review, replace)

    def _keep(self, review: Review, replace: bool) -> None:
        if (review.decision == Decision.LABEL) != bool(review.label):
            raise TrafficError(f"a decision {review.decision.value!r} with label {review.label!r}")
        if self.image(review.digest) is None:
            raise TrafficError(f"image {review.digest[:12]}: is not kept (any more)")
        if (other := self.review_of(review.digest)) is not None:
            if _said(other) == _said(review):
                return  # sent twice, or by two people who agree
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

    def reopen(self, digests: Collection[str]) -> int:
        """Remove the decisions about images, also those that were trained on, all or none.

        The data set keeps what was written to it, until there is another decision.

        Returns:
            How many there were.
        """
        with self._transaction():
            return self._db.executemany(
                "DELETE FROM reviews WHERE digest = ?", [(one,) for one in digests]
            ).rowcount

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


def _said(review: Review) -> Review:
    return review._replace(time=0, reviewer="", span=None)


def _review(row: tuple) -> Review:
    return Review(*row)._replace(decision=Decision(row[2]))

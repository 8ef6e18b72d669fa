"""The answers of a model, in the database of a traffic store."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from traffic.database import Database
from traffic.rows import Answer

_ANSWER = ", ".join(Answer._fields)


class Answers(Database):
    """Answers, oldest first; see `traffic.store`."""

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
        self,
        since: float = 0.0,
        until: float = math.inf,
        model: str | None = None,
        version: int | None = None,
    ) -> list[Answer]:
        """Return the answers of a period, oldest first.

        Args:
            since: First time, Unix time, s.
            until: Time at which the period has ended.
            model: Of this model alone; None: of all.
            version: Of this version alone; None: of all.
        """
        rows = self._db.execute(
            f"SELECT {_ANSWER} FROM answers WHERE time >= ? AND time < ? "
            "AND (? IS NULL OR model = ?) AND (? IS NULL OR version = ?) ORDER BY time, id",
            (since, until, model, model, version, version),
        )
        return [_answer(row) for row in rows]

    def count_by_version(self, since: float, until: float) -> dict[tuple[str, int], int]:
        """Return how many answers each model and version gave in a period, see `answers`."""
        rows = self._db.execute(
            "SELECT model, version, COUNT(*) FROM answers WHERE time >= ? AND time < ? "
            "GROUP BY model, version",
            (since, until),
        )
        return {(model, version): count for model, version, count in rows}

    def count_answers(self, since: float) -> list[tuple[str, bool, int]]:
        """Return how often valid images got each class since a time: class, known, number."""
        rows = self._db.execute(
            "SELECT label, known, COUNT(*) FROM answers WHERE time >= ? AND valid "
            "GROUP BY label, known ORDER BY label, known",
            (since,),
        )
        return [(label, bool(known), count) for label, known, count in rows]

    def last_answers(self) -> dict[str, Answer]:
        """Return the latest answer about each image that is kept, by digest."""
        columns = ", ".join(f"answers.{name}" for name in Answer._fields)
        rows = self._db.execute(
            f"SELECT {columns} FROM images JOIN answers ON answers.id = (SELECT id FROM answers "
            "WHERE digest = images.digest ORDER BY time DESC, id DESC LIMIT 1)"
        )
        return {answer.digest: answer for answer in map(_answer, rows)}

    def remove_answers(self, before: float) -> int:
        """Remove the answers given before a time; return how many."""
        return self._db.execute("DELETE FROM answers WHERE time < ?", (before,)).rowcount


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

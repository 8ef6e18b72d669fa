"""The artifact that the Judge writes."""

from __future__ import annotations

from tfx import types


class Judgement(types.Artifact):
    """Folder of `components.judge.judgement.Judgement`'s files and of the embeddings."""

    TYPE_NAME = "Judgement"

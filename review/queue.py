"""The order in which people should look at recorded images: what helps the next training most.

Suspects of the last judgement come first: a wrong label costs more than a missing one. Of the other
images, every fifth place belongs to one that was kept at random; these come in the order of their
digests and by no other way, so that those reviewed are at any time a random sample of the traffic,
from which accuracy can be estimated. The other places go to images that the model is unsure of and
that differ from each other and from those reviewed (`review.priority`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from review.priority import by_priority
from traffic.rows import Answer, Kept, StoredImage
from traffic.store import TrafficStore

RANDOM_EVERY = 5
"""Of so many places, one is for an image that was kept at random."""

_ALL = 1_000_000


class QueueItem(NamedTuple):
    """An image that waits for a decision.

    Attributes:
        image: The image; `image.kept` says why it is here, `image.given_label` its class in the
            data set.
        answer: What the model said of it last; None if it was not asked.
    """

    image: StoredImage
    answer: Answer | None


def review_queue(store: TrafficStore, limit: int | None = None) -> list[QueueItem]:
    """Return the images of which nobody has said anything, the most helpful first.

    The order is the same for everyone until somebody decides; then it takes that into account.

    Args:
        store: The traffic store.
        limit: At most this many; None: all.
    """
    most = _ALL if limit is None else limit
    answers = store.last_answers()
    items = [QueueItem(image, answers.get(image.digest)) for image in store.images(unreviewed=True)]
    suspects = [one for one in items if one.image.kept is Kept.SUSPECT]
    random = [one for one in items if one.image.kept is Kept.RANDOM]
    random.sort(key=lambda one: one.image.digest)
    rest = [one for one in items if one.image.kept not in (Kept.SUSPECT, Kept.RANDOM)]
    reviewed = [answers[one.digest] for one in store.reviews() if one.digest in answers]
    most_left = max(0, min(most, len(items)) - len(suspects))
    ranked = _ranked(rest, reviewed, min(most_left, len(rest)))
    return [*suspects, *_interleaved(ranked, random)][:most]


def _interleaved(ranked: Sequence[QueueItem], random: Sequence[QueueItem]) -> Iterator[QueueItem]:
    """Yield both in their order, with `random` at every `RANDOM_EVERY`-th place while it lasts."""
    left, drawn = iter(ranked), iter(random)
    for place in range(1, len(ranked) + len(random) + 1):
        first, second = (drawn, left) if place % RANDOM_EVERY == 0 else (left, drawn)
        yield next(first, None) or next(second)


def _ranked(items: Sequence[QueueItem], reviewed: Sequence[Answer], count: int) -> list[QueueItem]:
    """Return the first images by priority.

    Embeddings of two versions of a model cannot be compared, so those of the most frequent one
    count. They order their images among themselves; whether a place is for one of these or for
    another image goes by uncertainty alone.
    """
    spaces = Counter(space for one in items if (space := _space(one.answer)))
    common = spaces.most_common(1)[0][0] if spaces else None
    inside = [i for i, one in enumerate(items) if common and _space(one.answer) == common]
    unsure = _uncertainties([one.answer for one in items])
    by_unsure = sorted(range(len(items)), key=lambda i: -unsure[i])
    ordered: list[int] = []
    if inside:
        seen = [one.embedding for one in reviewed if _space(one) == common]
        order = by_priority(
            np.stack([items[i].answer.embedding for i in inside]),  # type: ignore[union-attr]
            unsure[inside],
            np.stack(seen) if seen else None,
            count,
        )
        ordered = [inside[i] for i in order]
    compared, first = set(inside), set(ordered)
    ordered += [i for i in by_unsure if i in compared and i not in first]
    left = iter(ordered)
    return [items[next(left) if i in compared else i] for i in by_unsure][:count]


def _space(answer: Answer | None) -> tuple[str, int, int] | None:
    """Return what must be equal for two embeddings to be compared; None if there is none."""
    if answer is None or answer.embedding is None or not answer.valid:
        return None
    return answer.model, answer.version, len(answer.embedding)


def _uncertainties(answers: Sequence[Answer | None]) -> np.ndarray:
    """Return how unsure the model is of each image, float [n] in [0, 1], by rank of the margin.

    1 for an image that it does not know or that two versions disagree on, 0.5 for one without an
    answer or a margin, -1 for one that the model could not use.
    """
    margins = np.array([np.nan if one is None else one.margin for one in answers], float)
    known = np.sort(margins[np.isfinite(margins)])
    places = np.searchsorted(known, margins) / max(len(known), 1)
    unsure = np.where(np.isfinite(margins), 1 - places, 0.5)
    for i, answer in enumerate(answers):
        if answer is None:
            continue
        if not answer.valid:
            unsure[i] = -1
        elif not answer.known or (answer.other_label and answer.other_label != answer.label):
            unsure[i] = 1
    return unsure

"""Which images are kept, by the rules and within the caps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from traffic.rows import Answer, Kept, StoredImage
from traffic.settings import Keeping

_HOUR, _DAY = 3600.0, 86400.0


def why_kept(answer: Answer, rules: Keeping) -> Kept | None:
    """Return why an image is kept; None if it is not.

    Images at random come first: those of other rules among them would be missing from the sample.
    The draw goes by the image's digest, so that an image that is asked about often is not drawn
    more often than others.

    Args:
        answer: About the image.
        rules: Which images are kept.
    """
    if not rules.images or not answer.valid:
        return None
    if _drawn(answer.digest, rules.random):
        return Kept.RANDOM
    if rules.unknown and not answer.known:
        return Kept.UNKNOWN
    disagrees = answer.other_version is not None and answer.other_label != answer.label
    if rules.disagreement and disagrees:
        return Kept.DISAGREEMENT
    if answer.margin < rules.low_margin:
        return Kept.LOW_MARGIN
    return None


def _drawn(digest: str, share: float) -> bool:
    # Of its end: what is sorted by the digest is not sorted by this.
    return int(digest[-8:] or "0", 16) / 2**32 < share


class Caps:
    """How many images may still be kept for each reason.

    Args:
        rules: With the caps of an hour and of a day.
        images: Those that a store holds count, so that a restart gives no further ones.

    Attributes:
        count: Images that were added.
    """

    def __init__(self, rules: Keeping, images: Iterable[StoredImage] = ()) -> None:
        self._rules = rules
        self._times: dict[Kept, deque[float]] = {each: deque() for each in Kept}
        self.count = 0
        for image in images:
            self._times[image.kept].append(image.time)

    def room(self, kept: Kept, now: float) -> bool:
        """Return whether one more image may be kept for a reason."""
        times = self._times[kept]
        while times and times[0] <= now - _DAY:
            times.popleft()
        if len(times) >= self._rules.per_day:
            return False
        # The last `per_hour` of them suffice to know the hour.
        return len(times) < self._rules.per_hour or times[-self._rules.per_hour] <= now - _HOUR

    def add(self, kept: Kept, now: float) -> None:
        """Count an image that is kept."""
        self._times[kept].append(now)
        self.count += 1

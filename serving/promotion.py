"""Moves the labels of a model's versions: promotes, and takes a promotion back.

Nothing here speaks to a server: servers poll the file of labels (`serving.version_labels`).
TensorFlow Serving refuses a file as a whole if a label moves to a version that is not loaded. So a
label moves in two steps unless the version is loaded already: first the file makes servers load it,
and after their next poll it moves the label. A server that has not loaded it by then keeps the old
labels, and takes the new ones at a later poll.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

from base.errors import UserError
from serving.next_version import TEMPORARY
from serving.promotion_history import Promotion, add_promotion, previous_stable, read_promotions
from serving.version_labels import (
    CANARY,
    POLL_SECONDS,
    STABLE,
    Labels,
    labels_file,
    read_labels,
    write_labels,
)
from storage.file_systems import is_remote
from storage.lineage import BLESSED, Verdict, now, read_lineage
from storage.model_versions import complete_versions

WAIT_SECONDS = 2.0 * POLL_SECONDS + 2
"""Time in which each server has read the file."""


class PromotionError(UserError):
    """A label that cannot be moved; the message says why."""


class NotBlessed(PromotionError):
    """A version that was never judged, or not blessed."""


class Served(NamedTuple):
    """How servers see a model; of an existing file of labels only what is given is changed.

    Attributes:
        name: The model's name, which clients ask for.
        base_path: Folder of the versions, if it has another path there.
        pipeline: The pipeline's name, which becomes the model's if nothing else names that.
    """

    name: str = ""
    base_path: str = ""
    pipeline: str = ""


class Moved(NamedTuple):
    """The result.

    Attributes:
        label: The label.
        version: The version that has it now; None if it was removed.
        before: The version that had it; if there were no labels, what was served until then.
        labels: All labels.
    """

    label: str
    version: int | None
    before: int | None
    labels: Labels


class Shelf:
    """The versions in a base path, and their labels.

    Args:
        base_path: A local folder, or an address.
        served: How servers see it.
        wait: Seconds until each server has read the file again; 0: no server is running.
        sleep: Waits so long.

    Raises:
        PromotionError: There is no version.
        LabelsError: The file of labels cannot be used.
        OSError: A file cannot be read.
    """

    def __init__(
        self,
        base_path: str | os.PathLike[str],
        served: Served = Served(),  # noqa: B008 -- immutable
        wait: float = WAIT_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base = os.fspath(base_path)
        self._file = labels_file(self._base)
        self._wait, self._sleep = wait, sleep
        self.versions: Mapping[int, str] = complete_versions(self._base)
        if not self.versions:
            raise PromotionError(f"{self._base}: holds no version of a model")
        self._written = read_labels(self._file)
        self.history = read_promotions(self._base)
        before = self._written or Labels("", "")
        self.labels = replace(
            before,
            name=served.name or before.name or served.pipeline or self._pipeline(),
            base_path=served.base_path or before.base_path or os.path.abspath(self._base),
        )

    @property
    def served(self) -> int:
        """The version that is served: the stable one; without labels, the newest."""
        return self.labels.stable or max(self.versions)

    @property
    def previous(self) -> int | None:
        """The version to which a rollback would go; None if there is none."""
        if self.labels.stable is None:
            return max((one for one in self.versions if one != self.served), default=None)
        return previous_stable(self.history, self.labels.stable, self.versions)

    def promote(
        self,
        version: int | None = None,
        label: str = STABLE,
        not_gated: bool = False,
        verdict: Verdict | None = None,
    ) -> Moved:
        """Give a version a label.

        Args:
            version: Its number; None: the canary becomes stable.
            label: The label.
            not_gated: Whether it may be a version that was not judged and blessed.
            verdict: The version's, where its lineage does not know it.

        Raises:
            NotBlessed: It was not judged and blessed, and `not_gated` does not allow it.
            PromotionError: There is no such version, or it cannot have this label.
            OSError: A file cannot be written.
        """
        if version is None:
            version = self._canary_for(label)
        if version not in self.versions:
            newest = ", ".join(map(str, list(self.versions)[:5]))
            raise PromotionError(f"{self._base}: has no version {version}; the newest are {newest}")
        if label == CANARY and self.labels.stable is None:
            raise PromotionError(
                "no version is stable yet, and servers would load the canary alone: first promote "
                "the version that is to be stable"
            )
        if label == CANARY and version == self.labels.stable:
            raise PromotionError(f"version {version} is stable already; a canary is another one")
        if verdict is None and (lineage := read_lineage(self.versions[version])):
            verdict = lineage.verdict
        if not not_gated:
            _refuse_unblessed(version, self.versions[version], verdict)
        before = self.labels.versions.get(label)
        if before is None and label == STABLE:
            before = max((one for one in self.versions if one != version), default=None)
        versions = {**self.labels.versions, label: version}
        if label == STABLE and versions.get(CANARY) == version:
            del versions[CANARY]
        return self._move(label, version, before, versions, "promote", verdict)

    def rollback(self, label: str = STABLE) -> Moved:
        """Give a label back to the version that had it before; a canary's is removed.

        Raises:
            PromotionError: There is no such version.
            OSError: A file cannot be written.
        """
        if label != STABLE:
            if label not in self.labels.versions:
                raise PromotionError(f"no version has the label '{label}'")
            rest = {key: one for key, one in self.labels.versions.items() if key != label}
            return self._move(label, None, self.labels.versions[label], rest, "rollback")
        version, before = self.previous, self.served
        if version is None:
            raise PromotionError(
                f"{self._base}: no version was stable before {before}, or it is gone; name one: "
                "siamese promote"
            )
        versions = {**self.labels.versions, STABLE: version}
        if versions.get(CANARY) == version:
            del versions[CANARY]
        return self._move(STABLE, version, before, versions, "rollback")

    def prune(self, keep: int) -> list[int]:
        """Delete versions that servers do not load, but for the newest; return their numbers.

        Args:
            keep: How many of them are kept.

        Raises:
            PromotionError: The versions are not on this machine.
            OSError: One cannot be deleted.
        """
        if is_remote(self._base):
            raise PromotionError(
                f"{self._base}: is not on this machine; delete versions there by its own tools"
            )
        held = {self.served, *self.labels.versions.values(), *self.labels.loaded}
        others = [number for number in self.versions if number not in held]
        for number in others[keep:]:
            # Out of sight at once: no server shall load what is left of it.
            unseen = os.path.join(self._base, f"{TEMPORARY}{uuid.uuid4().hex}")
            os.rename(self.versions[number], unseen)
            shutil.rmtree(unseen)
        return others[keep:]

    def _canary_for(self, label: str) -> int:
        if label != STABLE:
            raise PromotionError(f"name the version that is to have the label '{label}'")
        if self.labels.canary is None:
            raise PromotionError("no version has the label 'canary'; name the version to promote")
        return self.labels.canary

    def _move(
        self,
        label: str,
        version: int | None,
        before: int | None,
        versions: dict[str, int],
        how: Literal["promote", "rollback"],
        verdict: Verdict | None = None,
    ) -> Moved:
        if not self.labels.name:
            raise PromotionError("how do servers name the model? give its name by --name")
        change = Promotion(
            time=now(),
            how=how,
            label=label,
            version=version,
            before=before,
            outcome=verdict.outcome if verdict else "",
        )
        changed = version != self.labels.versions.get(label)
        history = [*self.history, change] if changed else self.history
        after = replace(self.labels, versions=versions, loaded=self._loaded(versions, history))
        held = {*self.labels.versions.values(), *self.labels.loaded}
        moves = changed and label in self.labels.versions
        if moves and version is not None and version not in held and self._wait:
            self._write(replace(self.labels, loaded=tuple(sorted({*held, version}))))
            self._sleep(self._wait)
        self._write(after)
        if changed:
            add_promotion(self._base, change)
        self.labels, self.history = after, history
        return Moved(label, version, before, after)

    def _loaded(self, versions: dict[str, int], history: list[Promotion]) -> tuple[int, ...]:
        """Return the versions that servers load: those with a label, and the previous stable one.

        With that one loaded, a rollback is immediate. A newer one than the stable version is left
        out: requests without a label go to the newest that is loaded.
        """
        stable = versions.get(STABLE, 0)
        previous = previous_stable(history, stable, self.versions)
        older = {previous} if previous is not None and previous < stable else set()
        return tuple(sorted({*versions.values(), *older}))

    def _write(self, labels: Labels) -> None:
        if read_labels(self._file) != self._written:
            raise PromotionError(f"{self._file}: was changed meanwhile; start again")
        write_labels(self._file, labels)
        self._written = read_labels(self._file)

    def _pipeline(self) -> str:
        """Return the name of the pipeline that a version comes from, if one knows."""
        found = (read_lineage(path) for path in self.versions.values())
        return next((one.pipeline for one in found if one and one.pipeline), "")


def _refuse_unblessed(version: int, path: str, verdict: Verdict | None) -> None:
    if verdict is None:
        raise NotBlessed(
            f"version {version} was never gated: judge it, siamese gate --model {path} --images "
            "LABELLED --record, or promote it all the same by --not-gated"
        )
    if verdict.outcome != BLESSED:
        why = "; ".join(verdict.reasons)
        raise NotBlessed(
            f"version {version} is {verdict.outcome.replace('_', ' ')}{f': {why}' if why else ''}; "
            "--not-gated promotes it all the same"
        )

"""What reviewed images change in a data set: which files are added, corrected or left out.

An image is recognized by the SHA-256 of its file. One that the data set holds already is not added
again: it keeps its split or takes part in the next assignment of splits as before, so that no
image that a model is judged by slips into training beside itself.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from base.errors import UserError
from review.class_names import LabelError, class_label
from traffic.rows import Decision, Kept, Review

LEAST_OF_NEW_CLASS = 5
"""Images from which on a new class is added; all splits of such a class have a pair."""

TRAIN = "train"


class SpanError(UserError):
    """A data set to which reviewed images cannot be written; the message says what to change."""


class BadDecision(UserError):
    """One decision that cannot be written to a span; the message says what to change."""


class Existing(NamedTuple):
    """A file of the current data set.

    Attributes:
        path: Relative to the data root.
        label: Its class.
        split: The split that the data set gives it, if any.
        group: Its group, if it has one.
    """

    path: str
    label: str
    split: str | None = None
    group: str | None = None


class Layout(NamedTuple):
    """How the data set names classes, splits and groups.

    Attributes:
        kind: `class_folders`, `split_folders` or `manifest`.
        manifest: The CSV file, relative to the data root; None: folders.
        group_rule: `splits.group`; None: none.
        group_of: Returns the group of a file, given its path within the class folder.
        classes: `data.classes`, if that is set.
    """

    kind: str = "class_folders"
    manifest: str | None = None
    group_rule: str | None = None
    group_of: Callable[[str], str | None] = lambda path: None
    classes: tuple[str, ...] | None = None


class Reviewed(NamedTuple):
    """A decision and what it is about.

    Attributes:
        review: The decision.
        kept: Why the image was kept.
        suffix: Of a file of its kind, such as `.png`.
        existing: Files of the data set with the same content.
        problem: Why the image cannot be added to the data set; empty if it can.
    """

    review: Review
    kept: Kept
    suffix: str = ""
    existing: tuple[Existing, ...] = ()
    problem: str = ""


class Plan(NamedTuple):
    """The changes.

    Attributes:
        added: New files, and the SHA-256 of each.
        moved: Corrected files by their old path, as they will be.
        left_out: Files that are of no class.
        confirmed: SHA-256 of images whose class the data set has right already.
        reviewed: The class that people gave each image of all of these, by SHA-256; empty: none.
        waiting: Why other images wait, a sentence each.
        set_aside: Why the decision about an image cannot be used, by SHA-256, a sentence each.
        classes: Classes that the data set did not have.
        lost_groups: Number of added images with a group that the data set has no place for.
    """

    added: dict[str, tuple[str, Existing]]
    moved: dict[str, Existing]
    left_out: list[str]
    confirmed: list[str]
    reviewed: dict[str, str]
    waiting: list[str]
    set_aside: dict[str, str]
    classes: list[str]
    lost_groups: int

    @property
    def changes(self) -> int:
        """Number of files that are added, corrected or left out."""
        return len(self.added) + len(self.moved) + len(self.left_out)


def plan_changes(data: Sequence[Existing], reviewed: Iterable[Reviewed], layout: Layout) -> Plan:
    """Return what reviewed images change in a data set.

    A decision is set aside if its image cannot be read, its class differs from one of the data set
    in upper and lower case only, or the rule for groups names none for the image.

    Args:
        data: The files of the data set.
        reviewed: Decisions that have not been written to a span.
        layout: How it is laid out.
    """
    plan = Plan({}, {}, [], [], {}, [], {}, [], 0)
    names = _Names(data, layout)
    new: dict[str, list[Reviewed]] = defaultdict(list)
    for one in reviewed:
        review, paths = one.review, [file.path for file in one.existing]
        if review.decision is Decision.SKIP:
            continue
        if review.decision is Decision.NONE:
            # One that is not in the data set is kept in the store: it is nothing to train on.
            if paths:
                plan.left_out.extend(paths)
                plan.reviewed[review.digest] = ""
            continue
        if not paths and one.kept is Kept.SUSPECT:
            continue  # its file was removed or replaced since
        try:
            label = _usable_label(names, one)
        except BadDecision as e:
            plan.set_aside[review.digest] = str(e)
            continue
        if label not in names.classes:
            new[label].append(one)
        else:
            _apply(plan, names, one, label)
    for label, images in sorted(new.items()):
        if why := _not_yet(label, len(images), layout):
            plan.waiting.append(why)
            continue
        plan.classes.append(label)
        for one in images:
            _apply(plan, names, one, label)
    if layout.manifest or layout.group_rule:
        return plan
    return plan._replace(lost_groups=sum(bool(file.group) for _, file in plan.added.values()))


def _usable_label(names: _Names, one: Reviewed) -> str:
    """Return the class of a decision.

    Raises:
        BadDecision: The image cannot be added to the data set, or not as this class.
    """
    if not one.existing:
        if one.problem:
            raise BadDecision(one.problem)
        names.within(one)
    return names.label(one.review.label)


def _apply(plan: Plan, names: _Names, one: Reviewed, label: str) -> None:
    digest = one.review.digest
    plan.reviewed[digest] = label
    wrong = [file for file in one.existing if file.label != label]
    for file in wrong:
        plan.moved[file.path] = names.corrected(file, label)
    if not one.existing:
        file = names.added(one, label)
        plan.added[file.path] = digest, file
    elif not wrong:
        plan.confirmed.append(digest)


def _not_yet(label: str, images: int, layout: Layout) -> str:
    if layout.classes is not None:
        return (
            f"{_images(images)} of the new class '{label}', which data.classes does not list: add "
            "it there"
        )
    if images < LEAST_OF_NEW_CLASS:
        return (
            f"{_images(images)} of the new class '{label}', which needs {LEAST_OF_NEW_CLASS}: "
            "review more, or enroll it meanwhile"
        )
    return ""


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


class _Names:
    """Names files as a data set does.

    Args:
        data: Its files.
        layout: Its layout.
    """

    def __init__(self, data: Sequence[Existing], layout: Layout) -> None:
        self._layout = layout
        self.classes = {file.label for file in data} | set(layout.classes or ())
        self._taken = {file.path for file in data}
        self._folders: dict[str, str] = {}
        self._split_of_group: dict[str, str] = {}
        self._has_splits = any(file.split for file in data)
        self._by_case = {_folded(label): label for label in self.classes}
        for file in data:
            if not layout.manifest:
                self._folders.setdefault(file.label, file.path.split("/")[self._depth])
            if file.group is not None and file.split:
                self._split_of_group.setdefault(file.group, file.split)

    @property
    def _depth(self) -> int:
        """Place of the class folder in a path."""
        return 1 if self._layout.kind == "split_folders" else 0

    def label(self, text: str) -> str:
        """Return a class as the data set spells it."""
        label = class_label(text)
        other = self._by_case.setdefault(_folded(label), label)
        if other != label and label not in self.classes:
            raise BadDecision(
                f"was reviewed as '{label}', and there is a class '{other}', which differs in "
                "upper and lower case or blanks only; review it again as one of the two"
            )
        return label

    def corrected(self, file: Existing, label: str) -> Existing:
        """Return a file under another class."""
        if self._layout.manifest:
            return file._replace(label=label)
        parts = file.path.split("/")
        parts[self._depth] = self._folders.get(label, label)
        return file._replace(path=self._free("/".join(parts)), label=label)

    def added(self, one: Reviewed, label: str) -> Existing:
        """Return a new file: of the split of its group, else of training if there are splits."""
        group = one.review.group
        split = self._split_of_group.get(group, TRAIN) if self._has_splits else None
        if self._layout.manifest:
            path = self._free(f"review/{self.within(one)}")
            return Existing(path, label, split, group or None)
        folder = self._folders.get(label, label)
        top = f"{split or TRAIN}/{folder}" if self._layout.kind == "split_folders" else folder
        return Existing(self._free(f"{top}/{self.within(one)}"), label, split, group or None)

    def within(self, one: Reviewed) -> str:
        """Return the path of a new file in its class folder, which tells the group as required.

        Raises:
            BadDecision: No path tells the image's group by `splits.group`.
        """
        group, stem = one.review.group, f"review-{one.review.digest[:16]}"
        name = f"{stem}{one.suffix}"
        rule = None if self._layout.manifest else self._layout.group_rule
        if rule is None:
            return name
        if rule == "sub_folder":
            try:
                return f"{class_label(group or stem)}/{name}"
            except LabelError as e:
                raise BadDecision(f"has the group {group!r}, which names no folder: {e}") from e
        for path in (f"{group}_{name}", f"{group}/{name}", f"{group}-{name}"):
            if group and self._layout.group_of(path) == group:
                return path
        raise BadDecision(
            f"was reviewed {f'with the group {group!r}' if group else 'without a group'}, which "
            f"does not fit splits.group, {rule!r}"
            "; name a group that fits (siamese review --import), or set splits.group: sub_folder "
            "and the data set's folders accordingly"
        )

    def _free(self, path: str) -> str:
        """Return a path that no file has, and take it."""
        stem, suffix = posixpath.splitext(path)
        found, count = path, 1
        while found in self._taken:
            count += 1
            found = f"{stem}-{count}{suffix}"
        self._taken.add(found)
        return found


def _folded(label: str) -> str:
    return " ".join(label.casefold().split())

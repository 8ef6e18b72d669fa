"""Which group of images a file belongs to: a specimen, a patient, a session.

A group is never divided between splits, and counts as one case in intervals. Its name holds for the
whole data set: files of two classes may be of one group.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from base.errors import DataError
from base.printable import printable
from records import features

if TYPE_CHECKING:
    from components.image_example_gen.sources import Source

SUB_FOLDER = "sub_folder"
"""The rule by which the first folder within the class folder names the group."""

_NAMED = 3


def check_rule(rule: str) -> None:
    """Check a rule, as `splits.group` gives it.

    Raises:
        ValueError: It is neither `SUB_FOLDER` nor a regular expression with one capture group.
    """
    if rule == SUB_FOLDER:
        return
    try:
        captured = re.compile(rule).groups
    except re.error as e:
        raise ValueError(f"{rule!r} is neither {SUB_FOLDER} nor a regular expression: {e}") from e
    if captured != 1:
        raise ValueError(
            f"{rule!r} has {captured} capture groups and needs one, in parentheses, around what "
            r"names the group, such as (patient\d+)_"
        )


def group_of(rule: str | None, path: str) -> str | None:
    """Return the name of a file's group.

    Args:
        rule: `SUB_FOLDER`, or a regular expression with one capture group; None: no groups.
        path: Of the file within its class folder, with slashes.

    Returns:
        None if the rule names no group for this file.
    """
    if rule is None:
        return None
    if rule == SUB_FOLDER:
        folder, slash, _ = path.partition("/")
        return folder if slash else None
    found = re.search(rule, path)
    return (found[1] or None) if found else None


def check_named(sources: Iterable[Source], root: str, rule: str | None) -> None:
    """Check that a rule names a group for every file.

    Raises:
        DataError: It does not; the message names the first files.
    """
    if rule is None:
        return
    without = [source.path for source in sources if source.group is None and not source.problem]
    if not without:
        return
    why = (
        "are in no sub-folder of their class folder"
        if rule == SUB_FOLDER
        else f"do not match {rule!r}"
    )
    raise DataError(
        f"{root}: splits.group names no group for {_listed(without)}, which {why}; change "
        "splits.group, or rename or remove these files"
    )


def check_splits(sources: Sequence[Source], root: str) -> None:
    """Check that no group is in two of the splits that the data set gives.

    Raises:
        DataError: One is; the message names it and its first file in each split.
    """
    if not any(source.split for source in sources):
        return
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for source in sources:
        if source.group is not None:
            found[source.group].setdefault(source.split or features.TRAIN, source.path)
    for group, files in sorted(found.items()):
        if len(files) > 1:
            where = " and ".join(f"'{s}' ({printable(path)})" for s, path in files.items())
            raise DataError(
                f"{root}: the group '{printable(group)}' is in the splits {where}, so a model "
                "would be judged on a group that it was trained on; move its files into one split"
            )


def check_classes(sources: Iterable[Source], root: str) -> None:
    """Check that no group is in two classes, where whole classes are held out.

    Raises:
        DataError: One is; the message names it and its classes.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        if source.group is not None:
            labels[source.group].add(source.label)
    for group, found in sorted(labels.items()):
        if len(found) > 1:
            raise DataError(
                f"{root}: the group '{printable(group)}' is in the classes "
                f"{_listed(sorted(found))}, which splits.by: class may hold out from each other; "
                "use splits.by: image, or leave out splits.group"
            )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(printable, names[:_NAMED])) + more

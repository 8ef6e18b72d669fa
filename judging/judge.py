"""From embeddings of test images to a judgement: how these were had is no matter.

Each thing that is judged has a file beside this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from judging import gate
from judging.evidence import Evidence
from judging.findings import Findings
from judging.judgement import Check, Compared, ImageOutcome, Judgement, PairOutcome
from judging.metrics.judging_classes import JudgedClasses, judge_classes
from judging.metrics.judging_episodes import judge_episodes
from judging.metrics.judging_open_set import JudgedOpenSet, judge_open_set
from judging.metrics.judging_pairs import JudgedPairs, judge_pairs
from judging.settings import JudgeSettings, Thresholds
from judging.views import CANDIDATE, HeldOutImages, PairSettings, View


class Judged(NamedTuple):
    """A judgement, and what it says of each image and pair.

    Attributes:
        judgement: The judgement.
        outcomes: Of the images.
        pairs: Of the pairs.
    """

    judgement: Judgement
    outcomes: Iterator[ImageOutcome]
    pairs: Iterator[PairOutcome]


def judge(
    images: HeldOutImages,
    candidate: View,
    compared: Mapping[str, View],
    raw_pixels: np.ndarray | None,
    asked: Thresholds | None,
    settings: JudgeSettings,
    pairing: PairSettings = PairSettings(),  # noqa: B008, it is immutable
    others: Sequence[Check] = (),
) -> Judged:
    """Judge a model.

    The last blessed model is compared with it on those images alone that the former was not made
    with: it knows the others by heart.

    Args:
        images: The test images.
        candidate: What the model makes of them.
        compared: What other models make of them, by name (`gate.LAST_BLESSED`, ...).
        raw_pixels: str [n], the class of the support image nearest by its pixels; None: not known.
        asked: What the model must reach; None: nothing was said.
        settings: How it is judged.
        pairing: How the images are paired.
        others: Checks that were made elsewhere.
    """
    supported = np.isin(images.labels, candidate.support.labels)
    # Classes that were held out from training have no support set.
    with_support = bool(supported.any())
    kept = supported if with_support else np.ones(len(supported), bool)
    invalid = {
        str(source): f"class {label!r} is not in the model's support set"
        for source, label in zip(images.sources[~kept], images.labels[~kept], strict=True)
    }
    images = images.only(kept)
    views = {name: view.only(kept) for name, view in {CANDIDATE: candidate, **compared}.items()}
    raw_pixels = raw_pixels[kept] if raw_pixels is not None and with_support else None
    found = _measure(images, views, with_support, raw_pixels, settings, pairing)
    findings, classes, pairs, open_set = found
    others_found = findings.compared()
    before = views.get(gate.LAST_BLESSED)
    if before and not (before.unseen.all() and before.unseen_unknown.all()):
        own = {CANDIDATE: views[CANDIDATE], gate.LAST_BLESSED: before}
        others_found[gate.LAST_BLESSED] = _on_unseen(images, own, with_support, settings, pairing)

    measured = gate.Measured(
        len(images.ids), findings.metrics, findings.missing, classes.chance, others_found
    )
    support = candidate.support if with_support else None
    evidence = Evidence(images, support, classes, pairs, settings.listed)
    by_threshold = {"same": pairs, "known": open_set}
    judgement = Judgement(
        verdict=gate.decide(asked, measured, others),
        asked=asked,
        settings=settings,
        images=len(images.ids),
        invalid=invalid,
        classified_by="support set" if with_support else "other test images",
        unknown_by="folder" if len(candidate.unknown) else "each class left out",
        chance=classes.chance,
        metrics=findings.metrics,
        missing=findings.missing,
        classes=tuple(
            classes.result(
                label,
                candidate.support.labels,
                pairs.of_class(images.labels, label) if pairs else {},
            )
            for label in classes.recalls
        ),
        confusion=classes.confusion(),
        thresholds={name: one.threshold for name, one in by_threshold.items() if one},
        curves={name: one.curve for name, one in by_threshold.items() if one},
        pairs=pairs.counts() if pairs else {},
        compared=measured.compared,
        mistakes=tuple(evidence.mistakes()),
        suspects=tuple(evidence.suspects()),
        hard_pairs=tuple(evidence.hard_pairs()),
    )
    return Judged(judgement, evidence.image_outcomes(candidate.known), evidence.pair_outcomes())


class _Measured(NamedTuple):
    """All that was measured of some images; `findings` hold the numbers."""

    findings: Findings
    classes: JudgedClasses
    pairs: JudgedPairs | None
    open_set: JudgedOpenSet | None


def _measure(
    images: HeldOutImages,
    views: Mapping[str, View],
    with_support: bool,
    raw_pixels: np.ndarray | None,
    settings: JudgeSettings,
    pairing: PairSettings,
    measure_open_set: bool = True,
) -> _Measured:
    models = {name: view.model for name, view in views.items() if name != CANDIDATE}
    if raw_pixels is not None:
        models[gate.RAW_PIXELS] = "the support image nearest by its pixels"
    findings = Findings(models)
    classes = judge_classes(images.labels, views, with_support, raw_pixels, findings)
    pairs = judge_pairs(images, views, pairing, findings)
    open_set = judge_open_set(images.labels, views, findings) if measure_open_set else None
    judge_episodes(images.labels, views, settings, findings)
    return _Measured(findings, classes, pairs, open_set)


def _on_unseen(
    images: HeldOutImages,
    views: Mapping[str, View],
    with_support: bool,
    settings: JudgeSettings,
    pairing: PairSettings,
) -> Compared:
    """What the last blessed model comes to beside the candidate on images that it has not seen."""
    before = views[gate.LAST_BLESSED]
    unseen, unknown = before.unseen, before.unseen_unknown
    compared = Compared(
        model=before.model,
        metrics={},
        differences={},
        left_out=int(np.sum(~unseen)),
        unknown_left_out=int(np.sum(~unknown)),
    )
    if not unseen.any():
        return compared
    findings = _measure(
        images.only(unseen),
        {name: view.only(unseen, unknown) for name, view in views.items()},
        with_support,
        None,
        settings,
        pairing,
        # Without any unknown image it would be measured by something else.
        measure_open_set=bool(unknown.any()) or not len(unknown),
    ).findings
    found = findings.compared()[gate.LAST_BLESSED]
    return compared.model_copy(
        update={
            "metrics": found.metrics,
            "differences": found.differences,
            "own": findings.metrics,
            "missing": findings.missing,
        }
    )

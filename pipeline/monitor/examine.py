"""Reads a period of the traffic store, and examines it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from base.errors import UserError
from monitoring.findings import MonitorFindings, Period, ReviewedAccuracy
from monitoring.monitor import Recorded, examine
from pipeline.config.run_config import RunConfig
from pipeline.monitor.judged import named_reference, reference_of
from serving.version_labels import labels_file, read_labels
from traffic.store import TrafficStore


def examine_period(
    config: RunConfig,
    since: datetime,
    until: datetime,
    version: int | None = None,
    model: str | None = None,
    reference: Path | None = None,
) -> MonitorFindings:
    """Return what monitoring finds in a period.

    Args:
        config: The configuration that the model was trained by.
        since: Start of the period.
        until: Its end.
        version: Whose answers are examined; None: of the version with the label
            `stable`, or that gave most.
        model: The model's name; needed if several are recorded.
        reference: Folder of a judgement; None: that of the run that pushed the version.

    Raises:
        UserError: There is no store or reference, or several models are recorded.
    """
    with TrafficStore(config.traffic_store) as store:
        counts = Counter(store.count_by_version(since.timestamp(), until.timestamp()))
        model = model if model is not None else _only_model(config, counts)
        if version is None:
            version = _served(config, {v: n for (name, v), n in counts.items() if name == model})
        if version is None:
            return _nothing(since, until, model, counts)
        answers = store.answers(since.timestamp(), until.timestamp(), model, version)
        images = {one.digest: one for one in store.images()}
        reviews = store.reviews()
    found = named_reference(reference) if reference else reference_of(config, version)
    return examine(
        Recorded(answers, images, reviews),
        found.reference,
        Period(
            model=model,
            version=version,
            since=since,
            until=until,
            answers=counts[model, version],
            other_versions=_others(counts, model, version),
            judged_version=found.version,
        ),
        config.monitor,
        [found.note] if found.note else [],
    )


def _only_model(config: RunConfig, counts: Mapping[tuple[str, int], int]) -> str:
    """Return the name of the model that has answered; empty if none has."""
    models = sorted({name for name, _ in counts})
    if len(models) > 1:
        raise UserError(
            f"{config.traffic_store}: holds answers of {', '.join(models)}; choose one by --model"
        )
    return models[0] if models else ""


def _served(config: RunConfig, counts: Mapping[int, int]) -> int | None:
    """Return the version that clients are to ask for, of those that have answered."""
    labels = read_labels(labels_file(config.serving_root))
    if labels is not None and labels.stable in counts:
        return labels.stable
    return max(counts, key=lambda version: (counts[version], version), default=None)


def _nothing(
    since: datetime, until: datetime, model: str, counts: Counter[tuple[str, int]]
) -> MonitorFindings:
    others = _others(counts, model, None)
    return MonitorFindings(
        outcome="too_few",
        reasons=("no answer was recorded in the period",),
        period=Period(model=model, since=since, until=until, other_versions=others),
        images=0,
        not_estimated="there are no images",
        reviewed=ReviewedAccuracy(accuracy=None, random=0, others=0, others_correct=0, skipped=0),
    )


def _others(counts: Counter[tuple[str, int]], model: str, version: int | None) -> dict[str, int]:
    return {
        f"{name}/{number}": count
        for (name, number), count in sorted(counts.items())
        if (name, number) != (model, version)
    }

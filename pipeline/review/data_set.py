"""The data set that reviewed images belong to: the newest span of a configuration's data root."""

from __future__ import annotations

from functools import partial

from components.image_example_gen.groups import group_of
from components.image_example_gen.sources import list_sources
from images.canonical import Region, UnusableImage, canonical_image
from pipeline.config.run_config import RunConfig
from review.plan import Existing, Layout, SpanError
from review.span import Written, current_span, write_span
from storage.file_systems import is_remote
from storage.spans import Span
from traffic.store import TrafficStore


def newest(config: RunConfig) -> Span:
    """Return the newest span of a configuration's data root.

    Raises:
        SpanError: The data root has no spans, or is in a bucket.
    """
    root = config.data.root
    if is_remote(root):
        raise SpanError(
            f"data.root: {root} is in a bucket, where a folder cannot appear whole; write the span "
            "to a local copy (--set data.root=FOLDER/span-{SPAN}) and copy the new span there"
        )
    return current_span(root)


def write_reviewed(config: RunConfig, store: TrafficStore, at_least: int = 1) -> Written:
    """Write the reviewed images of a store as the next span; see `review.span.write_span`."""
    span, data, rule = newest(config), config.data, config.splits.group
    sources = list_sources(str(span.root), data.layout, data.manifest, rule, data.classes)
    files = [
        Existing(one.path, one.label, one.split, one.group) for one in sources if not one.problem
    ]
    folders = "split_folders" if any(one.split for one in files) else "class_folders"
    layout = Layout(
        kind="manifest" if data.manifest else folders,
        manifest=data.manifest,
        group_rule=rule,
        group_of=partial(group_of, rule),
        classes=data.classes,
    )
    return write_span(store, span, files, layout, at_least, partial(_problem, config))


def _problem(config: RunConfig, content: bytes) -> str:
    """Return why the ingestion would exclude an image; empty if it would not."""
    region = config.image.region
    try:
        canonical_image(
            content, config.data.max_pixels, Region(**region.model_dump()) if region else None
        )
    except UnusableImage as e:
        return str(e)
    return ""

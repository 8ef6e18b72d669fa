"""Image files that a served model was not trained on, to try it with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from base.errors import UserError
from components.image_example_gen.report import IngestionReport
from pipeline.config.run_config import RunConfig
from pipeline.runs.run_folders import list_runs
from pipeline.runs.summary import Summary
from records import features, training_keys
from records.reading import read_split
from storage.file_systems import is_folder, is_remote
from storage.local_copies import tensorflow_path
from storage.model_versions import complete_versions


def held_out_images(config: RunConfig, version: int | None = None) -> list[tuple[Path, str]]:
    """Return the files and classes of test images that a pushed model was not trained on.

    They are of the test split of the run that pushed it; a later run may have split the images in
    another way.

    Args:
        config: Of the pipeline that pushed the model.
        version: The model's; None: the newest.

    Raises:
        UserError: No such model was pushed, or the images are not on this machine.
    """
    base = config.serving_root
    versions = complete_versions(base) if is_folder(base) else {}
    if not versions:
        raise UserError(f"{base}: no model has been pushed there: siamese run")
    if version is None:
        version = max(versions)
    if version not in versions:
        there = ", ".join(map(str, versions))
        raise UserError(f"{base}: holds no version {version}; choose one of {there}")
    model = versions[version]
    run = _pushed_by(list_runs(config.root, config.name), version)
    examples = run.run.output("ImageExampleGen", "examples") if run and run.run else None
    if examples is None:
        raise UserError(f"{model}: no run of {config.root} has pushed it; name images instead")
    report = IngestionReport.read(examples.uri)
    if report.folds:
        raise UserError(
            f"{model}: has learned from every image (splits.folds), so that there are no held-out "
            "ones; name new images instead"
        )
    root = report.root
    if is_remote(root):
        raise UserError(
            f"--held-out sends local files, and the images are in {root}; copy some here and name "
            "them instead"
        )
    trained_on = _training_keys(model)
    return sorted(
        (Path(root) / os.fsdecode(source), label)
        for source, label, key in _test_images(examples.uri)
        if key not in trained_on
    )


def _pushed_by(runs: Sequence[Summary], version: int) -> Summary | None:
    """Return the run that pushed a version, or the version that it was enrolled from."""
    pushed = [(int(os.path.basename(r.run.pushed)), r) for r in runs if r.run and r.run.pushed]
    earlier = [one for one in pushed if one[0] <= version]
    return max(earlier, key=lambda one: one[0])[1] if earlier else None


def _test_images(examples: str) -> Iterator[tuple[bytes, str, int]]:
    """Yield source, class and training key of each image in the test split."""
    names = (features.SOURCE, features.LABEL, features.CONTENT_HASH)
    for record in read_split(examples, features.TEST):
        source, label, content_hash = (record[name].bytes_list.value[0] for name in names)
        yield source, label.decode("utf-8", "replace"), training_keys.key(content_hash)


def _training_keys(model: str) -> set[int]:
    """Return the keys of training images that a model holds."""
    import tensorflow as tf

    name = "training_keys/.ATTRIBUTES/VARIABLE_VALUE"
    with tensorflow_path(f"{model}/variables") as folder:
        variables = tf.train.load_checkpoint(f"{folder}/variables")
        return set(variables.get_tensor(name).tolist()) if variables.has_tensor(name) else set()

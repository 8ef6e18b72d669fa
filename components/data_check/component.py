"""Stops a run whose images cannot be trained on, and says why.

ExampleValidator reports anomalies and lets the run continue.
"""

import os
from collections.abc import Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from base.errors import DataError
from components.code_version import code_version
from components.data_check.auditing import write_audit
from components.data_check.settings import AuditSettings
from components.image_example_gen import folds
from components.image_example_gen.report import IngestionReport
from components.image_example_gen.splitting import LEAST
from records import features

_CODE = code_version(__name__)


@component
def DataCheck(
    examples: InputArtifact[standard_artifacts.Examples],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    audit: OutputArtifact[standard_artifacts.ExampleStatistics],
    split_by: Parameter[str] = "image",
    audit_settings: Parameter[str] = "{}",
    code: Parameter[str] = _CODE,
) -> None:
    """Stops the run if the images cannot be trained on.

    Args:
        examples: From ImageExampleGen.
        anomalies: From ExampleValidator.
        audit: Gets the audit of the files, `images.audit.findings.Audit`, which stops no run.
        split_by: `image` or `class`, as in ImageExampleGen.
        audit_settings: `AuditSettings` as JSON.
        code: Fingerprint of this component's code, for the cache.

    Raises:
        DataError: The message lists all problems.
    """
    del code
    report = IngestionReport.read(examples.uri)
    write_audit(report.root, AuditSettings.model_validate_json(audit_settings), audit.uri)
    descriptions = {}
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        path = os.path.join(anomalies.uri, f"Split-{split}", "SchemaDiff.pb")
        found = anomalies_pb2.Anomalies()
        with fileio.open(path, "rb") as file:
            found.ParseFromString(file.read())
        descriptions[split] = {name: info.description for name, info in found.anomaly_info.items()}
    wrong = problems(report, descriptions, split_by)
    if wrong:
        raise DataError("The images cannot be trained on:\n" + "\n".join(f"  {w}" for w in wrong))


def problems(
    report: IngestionReport, anomalies: Mapping[str, Mapping[str, str]], split_by: str
) -> list[str]:
    """Return the problems that prevent training on the images, a sentence each.

    Args:
        report: The ingestion's.
        anomalies: TFDV's descriptions, by split and feature.
        split_by: `image` or `class`.
    """
    wrong = []
    expected = set(report.expected_classes)
    for label, counts in report.classes.items():
        total = sum(counts.values())
        if label not in expected:
            wrong.append(
                f"class {label!r} is not expected; expected are "
                f"{', '.join(map(repr, sorted(expected)))}. Add it to data.classes, or remove it"
            )
        elif total == 0:
            wrong.append(f"class {label!r} has no usable image; add some")
        elif total < 2:
            wrong.append(f"class {label!r} has one usable image; a pair needs two: add some")
        elif split_by == "image" and counts[features.TRAIN] < 2:
            wrong.append(
                f"class {label!r} has {counts[features.TRAIN]} image(s) in split 'train', and a "
                "pair needs two: add images, or give 'train' a larger share in `splits`"
            )
    least = folds.LEAST if report.folds else LEAST
    for split in report.splits:
        class_sizes = [counts[split] for counts in report.classes.values() if counts[split]]
        if len(class_sizes) < 2 or max(class_sizes) < 2:
            wrong.append(
                f"split '{split}' has {sum(class_sizes)} image(s) of {len(class_sizes)} class(es), "
                f"and needs two classes, and two images of one of them: {least} images of each "
                "class suffice, of different groups; add images or classes, or give it a larger "
                "share in `splits`"
            )
    known = any(label not in expected for label in report.classes)
    for split, found in anomalies.items():
        for feature, description in found.items():
            if not (feature == features.LABEL and known):
                wrong.append(f"split '{split}', feature '{feature}': {description}")
    return wrong

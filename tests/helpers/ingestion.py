"""Runs ImageExampleGen's executor on a folder of images, and reads what it wrote."""

import tensorflow as tf

from components.image_example_gen.report import IngestionReport
from records import features


def properties(root, **settings):
    """What the driver hands to the executor."""
    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.driver import Driver

    component = ImageExampleGen(root=str(root), **settings)
    return Driver(None).resolve_exec_properties(dict(component.exec_properties), None, None)


def ingest(root, output, **settings):
    """Run the executor; the report, and the records of each split."""
    from tfx.types import standard_artifacts

    from components.image_example_gen.executor import Executor

    examples = standard_artifacts.Examples()
    examples.uri = str(output)
    Executor().Do({}, {"examples": [examples]}, properties(root, **settings))
    records = {}
    for split in features.SPLITS:
        files = tf.io.gfile.glob(f"{output}/Split-{split}/*")
        records[split] = [
            tf.train.Example.FromString(r.numpy()).features.feature
            for r in tf.data.TFRecordDataset(files, compression_type="GZIP")
        ]
    return IngestionReport.read(str(output)), records


def value(record, name):
    return (record[name].bytes_list.value or record[name].int64_list.value)[0]


def reasons(report):
    return {item.path: item.reason for item in report.excluded}


def splits_of_groups(records):
    """The splits of each group of records."""
    found: dict[bytes, set[str]] = {}
    for split, of_split in records.items():
        for record in of_split:
            found.setdefault(value(record, features.GROUP), set()).add(split)
    return found

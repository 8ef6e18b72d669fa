"""Our Beam steps give the same result in one and in several processes; none holds all images."""

import operator
import os
from pathlib import Path

import apache_beam as beam
import held_elements
import numpy as np
import pytest
import tensorflow as tf
from sample_images import encoded, picture, write_classes

from components.image_example_gen import beam_steps as ingestion
from components.image_example_gen import range_steps, split_steps
from components.image_example_gen.copy_steps import FindNearDuplicates
from components.image_example_gen.report import IngestionReport
from components.image_example_gen.sources import list_folders
from components.judge import embedding, embedding_on_beam
from components.pair_gen import beam_steps as pairing
from components.pair_gen.image_store import image_store
from pipeline.config.sections import Beam
from records import features
from records.example import make_example
from records.pair_sampling import class_balanced, held_out_pairs

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
SEVERAL = (
    "--runner=DirectRunner",
    "--direct_running_mode=multi_processing",
    "--direct_num_workers=2",
)
serialized = operator.methodcaller("SerializeToString", deterministic=True)


def ingest(pipeline, root, by="image"):
    """The report's text, and the records of each split."""
    folders = list_folders(str(root))
    inspected = pipeline | beam.Create(folders) | ingestion.Inspect(str(root), 10**6)
    groups = inspected | FindNearDuplicates(str(root), 10**6)
    described = inspected | beam.FlatMap(ingestion.describe)
    assigned = (described, groups) | split_steps.AssignSplits(SHARES, by, 0)
    found = (inspected, assigned) | range_steps.FindRange(None)
    report = (inspected, groups, assigned, found) | ingestion.Report(
        str(root), [folder.label for folder in folders]
    )
    return report, assigned | ingestion.Records(str(root), 10**6, inspected, found)


def transformed(count, classes, size=18):
    """Serialized records as Transform writes them, of images of `size` pixels a side."""
    rng = np.random.default_rng(0)

    def pixels(rng):
        return rng.integers(0, 256, (size, size, 3), np.uint8)

    values = (
        {
            features.PIXELS: [tf.io.serialize_tensor(pixels(rng)).numpy()],
            features.LABEL: [b"%d" % (i % classes)],
            features.SOURCE: [b"%d.png" % i],
            features.CONTENT_HASH: [b"%064x" % i],
            features.IMAGE_ID: [b"%016x" % i],
            features.GROUP: [b"%016x" % i],
        }
        for i in range(count)
    )
    return [
        make_example(one, {features.FOLD: [features.NO_FOLD]}).SerializeToString() for one in values
    ]


class Sampler(tf.Module):
    """Takes a few bytes of an image for its embedding."""

    def __init__(self):
        super().__init__()
        self.support = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed(self, image):
        few = tf.io.decode_raw(tf.strings.substr(image, 50, 8), tf.uint8, fixed_length=8)
        return {"embedding": tf.cast(few, tf.float32), "valid": tf.strings.length(image) > 0}


def write(records, path):
    return records | f"Write {path.name}" >> beam.io.WriteToTFRecord(str(path))


def read(path):
    files = [str(file) for file in path.parent.glob(path.name + "-*")]
    return sorted(record.numpy() for record in tf.data.TFRecordDataset(files))


def run(root, model, folder, arguments):
    """Ingestion, pairing and judging in one pipeline; all that they write."""
    folder.mkdir()
    with image_store(str(folder)) as images, beam.Pipeline(argv=list(arguments)) as pipeline:
        report, records = ingest(pipeline, root)
        _ = report | beam.io.WriteToText(str(folder / IngestionReport.FILE), shard_name_template="")
        by_split = {
            split: part | f"Serialize {split}" >> beam.Map(serialized)
            for split, part in records.items()
        }
        for split, part in by_split.items():
            _ = write(part, folder / split)
        _ = write(
            by_split[features.TEST]
            | beam.Map(embedding.item)
            | embedding_on_beam.Embed(embedding_on_beam.Models({"candidate": model})),
            folder / "embeddings",
        )
        index, blocks = (
            pipeline
            | "Transformed" >> beam.Create(transformed(60, 4))
            | "Pair" >> pairing.PairWithinSplit("train", images, class_balanced, (3, 4, 2, 0))
        )
        _ = {"train": index} | pairing.NoLeak()
        _ = write(blocks, folder / "blocks")
    written = {name: read(folder / name) for name in (*by_split, "blocks")}
    embeddings = embedding_on_beam.read([str(file) for file in folder.glob("embeddings-*")])
    return IngestionReport.read(str(folder)), written, embeddings


@pytest.mark.slow
def test_several_processes_write_what_one_does(tmp_path, monkeypatch):
    root = tmp_path / "images"
    write_classes(root, classes=3, each=12)
    copy = picture(0, 3).resize((48, 48))
    (root / "class-0" / "copy.jpg").write_bytes(encoded(copy, "JPEG", quality=95))
    (root / "class-2" / "bad.png").write_bytes(b"no image")
    model = Sampler()
    tf.saved_model.save(model, str(tmp_path / "model"), signatures={"embed": model.embed})
    # Workers are started in no particular folder: they import us from where this process does.
    monkeypatch.setenv("PYTHONPATH", str(Path(features.__file__).parents[1]), prepend=os.pathsep)

    one = run(root, str(tmp_path / "model"), tmp_path / "one", Beam().args)
    several = run(root, str(tmp_path / "model"), tmp_path / "several", SEVERAL)
    report, written, embeddings = several
    assert report == one[0]
    assert report.near_duplicates == [["class-0/3.png", "class-0/copy.jpg"]]
    assert [item.path for item in report.excluded] == ["class-2/bad.png"]
    assert written == one[1]
    assert all(written.values())
    for name in ("ids", "labels", "sources", "keys", "unknown", "valid", "by_pixels"):
        np.testing.assert_array_equal(getattr(embeddings, name), getattr(one[2], name))
    np.testing.assert_array_equal(
        embeddings.embeddings["candidate"], one[2].embeddings["candidate"]
    )


def test_whole_classes_and_their_near_duplicates(tmp_path):
    write_classes(tmp_path, classes=10, each=3)
    (tmp_path / "class-1" / "copy.png").write_bytes((tmp_path / "class-0" / "0.png").read_bytes())
    copy = picture(2, 0).resize((48, 48))
    (tmp_path / "class-3" / "copy.png").write_bytes(encoded(copy))
    with beam.Pipeline(argv=list(Beam().args)) as pipeline:
        report, _ = ingest(pipeline, tmp_path, by="class")
        _ = report | beam.io.WriteToText(
            str(tmp_path / IngestionReport.FILE), shard_name_template=""
        )
    found = IngestionReport.read(str(tmp_path))
    reasons = {item.path: item.reason for item in found.excluded}
    for path in ("class-0/0.png", "class-1/copy.png"):
        assert reasons.pop(path) == "is the same image under classes class-0 and class-1"
    assert not reasons
    [warning] = found.warnings
    assert "class-2/0.png and class-3/copy.png" in warning
    used = [{split for split, n in counts.items() if n} for counts in found.classes.values()]
    assert all(len(splits) == 1 for splits in used)
    assert [sum(split in splits for splits in used) for split in SHARES] == [6, 2, 2]


def held(root, classes, each, size=16):
    """Return the bytes that each step of ingestion and pairing holds, by the step's label."""
    write_classes(root / "images", classes, each, size)
    with image_store(str(root)) as folder:
        pipeline = beam.Pipeline(argv=list(Beam().args))
        ingest(pipeline, root / "images")
        records = transformed(classes * each, classes, size)
        images = pipeline | "Transformed" >> beam.Create(records)
        for sampler, arguments in ((class_balanced, (3, 2, 1, 0)), (held_out_pairs, (2, 20, 0))):
            pair = pairing.PairWithinSplit("x", folder, sampler, arguments)
            index, _ = images | sampler.__name__ >> pair
            _ = {"x": index} | f"NoLeak {sampler.__name__}" >> pairing.NoLeak()
        held_elements.watch(pipeline)
        result = pipeline.run()
        result.wait_until_finish()
    return held_elements.held(result)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return held(tmp_path_factory.mktemp("few"), 3, 6)


def growth(small, large, added, least):
    """Return the growth in bytes per added item, of the steps that grow by `least` or more."""
    each = {label: (large[label] - small[label]) / added for label in small}
    return {label: size for label, size in each.items() if size >= least}


IDS = {
    f"{sampler.__name__}/Sample (side input {sampler.__name__}/PackIds)"
    for sampler in (class_balanced, held_out_pairs)
}


CELL = "FindNearDuplicates/SameCell (values)"
"""Of bounded size, with more images than here: see `copy_candidates`."""


def test_further_classes_add_their_counts_and_ids(few, tmp_path):
    found = growth(few, held(tmp_path, 43, 6), added=40, least=40)
    counts = {label for label in found if label.startswith("Report/Tally/")}
    assert counts
    quotas = {label for label in found if label.endswith("AssignByShare/Plan)")}
    assert quotas
    assert set(found) == IDS | {CELL} | counts | quotas
    assert found.pop(CELL) < 6 * 700
    assert max(found.values()) < 300


def test_further_images_are_held_as_paths_by_class_and_as_ids(few, tmp_path):
    found = growth(few, held(tmp_path, 3, 86), added=3 * 80, least=12)
    by_class = "AssignSplits/AssignByShare/ByClass (values)"
    assert set(found) == IDS | {CELL, by_class}
    assert found[by_class] < 220 / 3
    assert found[CELL] < 700
    assert {round(found[label]) for label in IDS} == {16}


def test_no_step_holds_the_images_themselves(few, tmp_path):
    """Whatever their size: neither those of a class nor those of a block."""
    larger = growth(few, held(tmp_path, 3, 6, size=64), added=1, least=5000)
    assert {label for label in larger if not label.startswith("Transformed/")} == set()

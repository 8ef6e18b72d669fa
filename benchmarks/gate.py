"""Time and memory of judging a model: `python -m benchmarks.gate --json gate.json`.

Runs the Judge's executor on an exported network, in a new process for each number of test images.
Images are noise and the network is untrained, which does not change the cost.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.new_process import in_new_process
from benchmarks.report import report

CLASSES = 10

MODULE = "benchmarks.gate"  # also if run as __main__


def write_images(folder: Path, count: int, size: int) -> None:
    """Write `count` image records of the test split, as ImageExampleGen does."""
    import numpy as np
    import tensorflow as tf

    from records import features
    from records.example import make_example

    rng = np.random.default_rng(0)
    bases = rng.integers(0, 256, (CLASSES, size, size, 3))
    below = folder / f"Split-{features.TEST}"
    below.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(below / "data.gz"), options="GZIP") as writer:
        for i in range(count):
            noise = rng.integers(-60, 61, (size, size, 3))
            pixels = np.clip(bases[i % CLASSES] + noise, 0, 255).astype("uint8")
            record = {
                features.IMAGE: [tf.io.encode_jpeg(pixels).numpy()],
                features.LABEL: [b"class-%d" % (i % CLASSES)],
                features.SOURCE: [b"%06d.jpg" % i],
                features.IMAGE_ID: [b"%016x" % i],
                features.GROUP: [b"%016x" % i],
                features.CONTENT_HASH: [b"%064x" % i],
            }
            writer.write(
                make_example(record, {features.FOLD: [features.NO_FOLD]}).SerializeToString()
            )


def export(folder: Path, backbone: str, size: int) -> None:
    """Export a network with a support set of 20 images per class."""
    import numpy as np
    import tensorflow as tf

    from components.transform.pixels import decode_and_resize
    from judging.thresholds import CalibratedThresholds
    from trainer.export.signatures import ServedModel
    from trainer.export.support_set import SupportSet
    from trainer.network.siamese import Siamese
    from trainer.settings import Model, Training
    from trainer.training.embedder import embedder

    model = Siamese(Model(backbone=backbone, weights="none"), Training(), size)
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (20 * CLASSES, size, size, 3)).astype("uint8")
    labels = np.array([f"class-{i % CLASSES}" for i in range(len(pixels))])
    sources = [b"s%d.jpg" % i for i in range(len(pixels))]

    def preprocess(images: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda one: tf.io.serialize_tensor(decode_and_resize(one, size, "cubic")), images
        )

    support = SupportSet(embedder(model)(pixels), labels, sources)
    training_keys = np.empty(0, "int64")
    served = ServedModel(
        model, preprocess, size, 10_000_000, support, CalibratedThresholds(), training_keys
    )
    served.save(str(folder / "Format-Serving"))


def run_judge(folder: Path, arguments: Sequence[str]) -> None:
    """Run the Judge's executor on the output of `write_images` and `export`.

    Args:
        folder: Has them as `images` and `model`.
        arguments: Beam's.
    """
    import apache_beam as beam
    from tfx.types import artifact_utils, standard_artifacts

    from components.judge.executor import Executor
    from judging.settings import JudgeSettings, Thresholds
    from records import features

    def artifact(kind: Any, name: str) -> list[Any]:
        made = kind()
        made.uri = str(folder / name)
        Path(made.uri).mkdir(exist_ok=True)
        return [made]

    inputs = {
        "examples": artifact(standard_artifacts.Examples, "images"),
        "model": artifact(standard_artifacts.Model, "model"),
        "evaluation": artifact(standard_artifacts.ModelEvaluation, "evaluation"),
        "evaluator_blessing": artifact(standard_artifacts.ModelBlessing, "evaluator_blessing"),
    }
    inputs["examples"][0].split_names = artifact_utils.encode_split_names([features.TEST])
    outputs = {
        "judgement": artifact(standard_artifacts.ModelEvaluation, "judgement"),
        "blessing": artifact(standard_artifacts.ModelBlessing, "blessing"),
    }
    context = Executor.Context(make_beam_pipeline_fn=lambda: beam.Pipeline(argv=list(arguments)))
    properties = {
        "thresholds": Thresholds().model_dump_json(),
        "settings": JudgeSettings().model_dump_json(),
        "last_blessed_root": "",
        "held_out_partners": 16,
        "held_out_max_images": 500,
        "pair_seed": 0,
        "max_pixels": 10_000_000,
    }
    Executor(context).Do(inputs, outputs, properties)


def measure(folder: Path) -> dict[str, Any]:
    """Judge the output of `write_images` and `export`; return this process's measurements."""
    from components.judge import executor
    from components.judge.embedding_on_beam import Models
    from components.judge.exported_model import JudgedModel
    from pipeline.config.sections import Beam

    passes: Counter[bytes] = Counter()
    embed = JudgedModel.embed
    steps: dict[str, Any] = {"loading": Models.load, "embedding": executor.embed_on_beam}
    spent = dict.fromkeys(steps, 0.0)

    def counted(self: JudgedModel, images: list[bytes]) -> Any:
        passes.update(images)
        return embed(self, images)

    def timed(name: str) -> Any:
        def run(*arguments: Any) -> Any:
            started = time.process_time()
            found = steps[name](*arguments)
            spent[name] += time.process_time() - started
            return found

        return run

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.process_time()
    with (
        patch.object(JudgedModel, "embed", counted),
        patch.object(Models, "load", timed("loading")),
        patch.object(executor, "embed_on_beam", timed("embedding")),
    ):
        run_judge(folder, Beam().args)
    statistics = time.process_time() - started - sum(spent.values())
    return {
        "passes per image, at most": max(passes.values()),
        "images embedded": len(passes),
        "embedding, CPU s": spent["embedding"],
        "statistics, CPU s": statistics,
        "share": statistics / spent["embedding"],
        "peak, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before, MiB": before,
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--backbone", default="ResNet50")
    parser.add_argument("--size", type=int, default=96, help="height and width in pixels")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    rows = []
    for count in arguments.images:
        with tempfile.TemporaryDirectory() as place:
            in_new_process(
                MODULE,
                f"write_images(Path({place!r}) / 'images', {count}, {arguments.size})",
            )
            in_new_process(
                MODULE,
                f"export(Path({place!r}) / 'model', {arguments.backbone!r}, {arguments.size})",
            )
            found = in_new_process(MODULE, f"print(json.dumps(measure(Path({place!r}))))")
            rows.append({"images": count, **json.loads(found)})
            print(rows[-1], flush=True)
    report(
        f"Gate: judging a {arguments.backbone} at {arguments.size} pixels",
        rows,
        arguments.json,
    )


if __name__ == "__main__":
    main()

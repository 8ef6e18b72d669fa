"""Size, speed and accuracy of exports for devices, against the served model.

    python -m benchmarks.edge_export ENCODER LABELLED HELD_OUT --each 20

ENCODER is a pretrained Keras model (`.keras`) for 224-pixel RGB images; LABELLED and HELD_OUT hold
a folder of images for each class. The default recipe is trained on `--each` images of each class of
LABELLED and exported; all are judged on HELD_OUT. Speed: the median of `--calls` single images on
one core, from encoded bytes to the embedding, interleaved.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import frozen_encoder
from benchmarks.pictures import SIZE, Pictures, drawn, read
from benchmarks.report import report


def _serve(trained: Any, pictures: Pictures, folder: Path, data: Path) -> None:
    """Export the model, and the training images that its support set names."""
    import tensorflow as tf

    from components.transform.pixels import decode_and_resize
    from trainer.export.signatures import ServedModel
    from trainer.export.support_set import SupportSet

    support = trained.support
    sources = [f"{i}.png".encode() for i in range(len(support.labels))]
    for source, image in zip(sources, support.pixels, strict=True):
        (data / source.decode()).write_bytes(tf.io.encode_png(image).numpy())

    def preprocess(images: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda image: tf.io.serialize_tensor(decode_and_resize(image, SIZE, "cubic")), images
        )

    ServedModel(
        trained.model,
        preprocess,
        SIZE,
        100_000_000,
        SupportSet(
            trained.support_embeddings, support.labels, sources, trained.thresholds.scored_by
        ),
        trained.thresholds,
        trained.training_keys,
    ).save(str(folder))


def _milliseconds(calls: int, **embedders: Any) -> dict[str, float]:
    """Return the median time of each, interleaved."""
    found: dict[str, list[float]] = {name: [] for name in embedders}
    for _ in range(calls + 2):
        for name, embed in embedders.items():
            started = time.perf_counter()
            embed()
            found[name].append(time.perf_counter() - started)
    return {name: 1000 * float(np.median(times[2:])) for name, times in found.items()}


def measure(
    encoder: Path, labelled: Path, held_out: Path, each: int, views: Any, calls: int
) -> list[dict[str, Any]]:
    """Return a row for the served model and each export."""
    from components.judge.labelled_folder import load_model
    from pipeline.config import reading
    from pipeline.edge_export import Wanted, export
    from serving.edge import classify

    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "data").mkdir()
        pictures = read(labelled)
        some = drawn(pictures.labels, each, 0)
        trained = frozen_encoder.train(
            pictures.pixels[some], pictures.labels[some], encoder, 0, views=views
        )
        _serve(trained, pictures, root / "1", root / "data")
        config = reading.parse(
            {"data": {"root": str(held_out)}, "output": "/", "image": {"resize": "stretch"}}, "it"
        )
        image = next(held_out.glob("*/*")).read_bytes()
        model, _ = load_model(root / "1")
        served: dict[str, Any] = {"served": lambda: model.embed([image])}
        for name, int8 in (("litert", False), ("litert int8", True)):
            folder = root / name.replace(" ", "_")
            asked = Wanted(
                root / "1", "litert", int8, None, held_out, root / "data", config, 1.0, folder
            )
            done = export(asked, lambda _: None)
            device = classify.Model(folder)
            here = {name: lambda device=device: device.embed(io.BytesIO(image))}
            times = _milliseconds(calls, **served, **here)
            first, second, gap = (
                getattr(done.accuracy, part) for part in ("first", "second", "difference")
            )
            sizes = done.files
            if not rows:
                size = sum(f.stat().st_size for f in (root / "1").rglob("*") if f.is_file())
                rows.append(_row("served", size, times["served"], 1.0, 1.0, first.value, None))
            network = sum(n for file, n in sizes.items() if file.endswith(".tflite"))
            rows.append(
                _row(
                    name,
                    network,
                    times[name],
                    times["served"] / times[name],
                    done.agreeing / done.images,
                    second.value,
                    f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})",
                )
            )
    return rows


def _row(
    name: str, size: int, ms: float, speed: float, same: float, accuracy: float, gap: str | None
) -> dict[str, Any]:
    return {
        "model": name,
        "MB": size / 1e6,
        "ms": ms,
        "times as fast": speed,
        "same class": same,
        "accuracy": accuracy,
        "difference": gap,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", type=Path)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--views", type=int, default=1, choices=(1, 2, 4))
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    for path in (arguments.encoder, arguments.labelled, arguments.held_out):
        if not path.exists():
            parser.error(f"{path}: is not there; name a pretrained encoder and folders of images")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before TensorFlow counts the cores
    rows = measure(
        arguments.encoder,
        arguments.labelled,
        arguments.held_out,
        arguments.each,
        arguments.views,
        arguments.calls,
    )
    report(f"{arguments.labelled.name}: exports", rows, arguments.json)


if __name__ == "__main__":
    main()

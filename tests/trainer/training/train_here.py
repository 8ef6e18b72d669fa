"""Trains in a process of its own, for tests that kill it or need several of them.

    python train_here.py FOLDER BACKBONE OUTPUT [training settings as JSON]

FOLDER is one of `pair_files.write_splits`. Weights go to OUTPUT/weights.npz, the summary to
OUTPUT/summary.json.
"""

import json
import sys
from pathlib import Path

import numpy as np

from trainer.settings import Model, Training
from trainer.training.fit import train


def main(folder, backbone, output, settings="{}"):
    trained = train(
        Model(backbone=backbone, embedding_size=6, batch_norm="trained"),
        Training.model_validate_json(settings),
        16,
        [f"{folder}/train.tfrecord"],
        [f"{folder}/validation.tfrecord"],
        Path(output) / "training",
    )
    np.savez(Path(output) / "weights.npz", *trained.model.get_weights())
    (Path(output) / "summary.json").write_text(json.dumps(trained.summary))


if __name__ == "__main__":
    main(*sys.argv[1:])

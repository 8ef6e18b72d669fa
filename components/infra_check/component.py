"""Serves the candidate and compares its answers, so that no model goes out that cannot answer.

The stock Pusher obeys its InfraBlessing. TFX's own InfraValidator needs Docker or Kubernetes.
"""

import logging
import os
import tempfile
from pathlib import Path

import tensorflow as tf
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from components.code_version import code_version
from records import features
from serving.engine import EngineError, choose
from serving.infra_check import InfraCheckError, check_enrolled_classes, infra_check

PROBLEM = "problem"
"""Custom property of the InfraBlessing: why it is withheld."""

_CODE = code_version(__name__)
_IMAGES = 8

log = logging.getLogger(__name__)


@component
def InfraCheck(
    model: InputArtifact[standard_artifacts.Model],
    examples: InputArtifact[standard_artifacts.Examples],
    blessing: OutputArtifact[standard_artifacts.InfraBlessing],
    engine: Parameter[str] = "auto",
    served: Parameter[str] = "",
    enrolled: Parameter[str] = "",
    code: Parameter[str] = _CODE,
) -> None:
    """Blesses a model if a server gives the model's own answers and no enrolled class is lost.

    Args:
        model: From the Trainer.
        examples: From ImageExampleGen; a few images of the test split are sent, with folds any.
        blessing: With the custom property `problem` if it is withheld.
        engine: `tensorflow`, `docker`, `embedded`, or `auto` for the first that is available; none
            is started if it is empty.
        served: Base path of the served model, whose enrolled classes the new one must have; may be
            empty.
        enrolled: Fingerprint of that model's enrolled images, for the cache.
        code: Fingerprint of this component's and the server's code, for the cache.

    Raises:
        EngineError: The engine is not available.
    """
    del enrolled, code
    chosen = choose(engine) if engine else None
    with tempfile.TemporaryDirectory() as folder:
        # A server, in a container at that, reads local files in folders named by a version.
        version = Path(folder) / "1"
        io_utils.copy_dir(path_utils.serving_model_path(model.uri), str(version))
        try:
            if served:
                check_enrolled_classes(version, served)
            if chosen:
                compared = infra_check(version, _test_images(examples.uri), chosen)
                log.info("InfraCheck: %d answers of the engine '%s' are correct", compared, chosen)
        except (EngineError, InfraCheckError) as e:
            log.error("InfraCheck: %s", e)
            _bless(blessing, problem=str(e))
        else:
            _bless(blessing)


def _test_images(uri: str) -> list[bytes]:
    folders = (os.path.join(uri, f"Split-{split}") for split in (features.TEST, features.TRAIN))
    files = tf.io.gfile.glob(os.path.join(next(filter(tf.io.gfile.exists, folders)), "*"))
    records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").take(_IMAGES)
    return [
        tf.train.Example.FromString(record.numpy())
        .features.feature[features.IMAGE]
        .bytes_list.value[0]
        for record in records
    ]


def _bless(blessing: standard_artifacts.InfraBlessing, problem: str = "") -> None:
    """Write the blessing as the stock Pusher and InfraValidator know it."""
    blessing.set_int_custom_property("blessed", int(not problem))
    if problem:
        blessing.set_string_custom_property(PROBLEM, problem)
    marker = "INFRA_NOT_BLESSED" if problem else "INFRA_BLESSED"
    io_utils.write_string_file(os.path.join(blessing.uri, marker), problem)

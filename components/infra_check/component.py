"""Serves the candidate and asks it, so that no model goes out that cannot answer.

The stock Pusher obeys its InfraBlessing. TFX's own InfraValidator needs Docker or Kubernetes.
"""

import logging
import os
import tempfile
from pathlib import Path

import tensorflow as tf
from tfx import v1 as tfx
from tfx.utils import io_utils, path_utils

from components.code_version import code_version
from records import features
from serving.engine import EngineError, choose
from serving.infra_check import InfraCheckError, infra_check

PROBLEM = "problem"
"""Custom property of the InfraBlessing: why there is none."""

_IMAGES = 8
_CODE = code_version(__name__)

log = logging.getLogger(__name__)


@tfx.dsl.components.component
def InfraCheck(
    model: tfx.dsl.components.InputArtifact[tfx.types.standard_artifacts.Model],
    examples: tfx.dsl.components.InputArtifact[tfx.types.standard_artifacts.Examples],
    blessing: tfx.dsl.components.OutputArtifact[tfx.types.standard_artifacts.InfraBlessing],
    engine: tfx.dsl.components.Parameter[str] = "auto",
    code: tfx.dsl.components.Parameter[str] = _CODE,
) -> None:
    """Blesses a model that a server answers from as the model itself does.

    Args:
        model: The Trainer's.
        examples: From ImageExampleGen; a few images of the test split are asked about.
        blessing: With `problem` as a custom property where it is withheld.
        engine: `tensorflow`, `docker`, `embedded`, or `auto` for the first at hand.
        code: Fingerprint of this component's and the server's code, for the cache.

    Raises:
        EngineError: The engine that was asked for is not at hand.
    """
    del code
    chosen = choose(engine)
    with tempfile.TemporaryDirectory() as folder:
        # A server, in a container at that, reads local files and folders that are called versions.
        version = Path(folder) / "1"
        io_utils.copy_dir(path_utils.serving_model_path(model.uri), str(version))
        try:
            asked = infra_check(version, _test_images(examples.uri), chosen)
        except (EngineError, InfraCheckError) as e:
            log.error("InfraCheck: %s", e)
            _bless(blessing, problem=str(e))
        else:
            log.info("InfraCheck: %d answers of the engine '%s' are right", asked, chosen)
            _bless(blessing)


def _test_images(uri: str) -> list[bytes]:
    files = tf.io.gfile.glob(os.path.join(uri, f"Split-{features.TEST}", "*"))
    records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").take(_IMAGES)
    return [
        tf.train.Example.FromString(record.numpy())
        .features.feature[features.IMAGE]
        .bytes_list.value[0]
        for record in records
    ]


def _bless(blessing: tfx.types.standard_artifacts.InfraBlessing, problem: str = "") -> None:
    """As the stock Pusher and InfraValidator know it."""
    blessing.set_int_custom_property("blessed", int(not problem))
    if problem:
        blessing.set_string_custom_property(PROBLEM, problem)
    marker = "INFRA_NOT_BLESSED" if problem else "INFRA_BLESSED"
    io_utils.write_string_file(os.path.join(blessing.uri, marker), problem)

"""The TFX component: a model that looks up what models say of images they have not learned from."""

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from base.errors import DataError
from components.code_version import code_version
from components.out_of_fold_model.lookup import OutOfFoldSimilarity
from records.out_of_fold_file import read_out_of_fold

_CODE = code_version(__name__)


@component
def OutOfFoldModel(
    trained: InputArtifact[standard_artifacts.Model],
    model: OutputArtifact[standard_artifacts.Model],
    code: Parameter[str] = _CODE,
) -> None:
    """Writes a SavedModel for the Evaluator, which has only the signature `evaluate`.

    The served model has learned from all images; this one answers a pair of images of one fold by
    the model that has not learned from that fold.

    Args:
        trained: From the Trainer.
        model: The SavedModel; it is not served.
        code: Fingerprint of this component's code, for the cache.

    Raises:
        DataError: The Trainer has trained without folds.
    """
    del code
    found = read_out_of_fold(path_utils.serving_model_path(trained.uri))
    if found is None:
        raise DataError(f"{trained.uri}: the Trainer has left no out-of-fold results there")
    OutOfFoldSimilarity(found).save(path_utils.serving_model_dir(model.uri))

"""The curated schema of image records.

TFX's SchemaGen would infer a domain of all image ids, and report the next span's as anomalies.
"""

import os
from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts

from components.code_version import code_version
from components.image_example_gen.report import IngestionReport
from records import features

_SIZES = (features.HEIGHT, features.WIDTH)
_TYPES = {
    **dict.fromkeys((*_SIZES, features.FOLD), schema_pb2.INT),
    **dict.fromkeys((features.RANGE_LOW, features.RANGE_HIGH), schema_pb2.FLOAT),
}
_CODE = code_version(__name__)


def image_schema(classes: Sequence[str]) -> schema_pb2.Schema:
    """Return a schema: each feature once per record, labels among `classes`, sizes positive."""
    schema = schema_pb2.Schema()
    for name in features.IMAGE_RECORD:
        feature = schema.feature.add(name=name)
        feature.type = _TYPES.get(name, schema_pb2.BYTES)
        feature.presence.min_fraction = 1.0
        feature.presence.min_count = 1
        feature.shape.dim.add(size=1)
        if name in _SIZES:
            feature.int_domain.min = 1
        if name == features.LABEL:
            feature.string_domain.name = features.LABEL
            feature.string_domain.value.extend(sorted(classes))
    return schema


@component
def ImageSchemaGen(
    examples: InputArtifact[standard_artifacts.Examples],
    schema: OutputArtifact[standard_artifacts.Schema],
    code: Parameter[str] = _CODE,
) -> None:
    """Writes the curated schema, for the classes that ImageExampleGen expects.

    Args:
        examples: From ImageExampleGen.
        schema: The schema.
        code: Fingerprint of this component's code, for the cache.
    """
    del code
    classes = IngestionReport.read(examples.uri).expected_classes
    with fileio.open(os.path.join(schema.uri, "schema.pbtxt"), "w") as file:
        file.write(text_format.MessageToString(image_schema(classes)))

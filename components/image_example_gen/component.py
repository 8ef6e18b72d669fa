"""The TFX component."""

from __future__ import annotations

from typing import Any

from google.protobuf import wrappers_pb2
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto.example_gen_pb2 import CustomConfig, Input, Output, SplitConfig

from components.code_version import code_version
from components.image_example_gen.driver import Driver
from components.image_example_gen.executor import Executor
from components.image_example_gen.settings import Settings, splits_of

_SPAN = "{SPAN}"


class ImageExampleGen(FileBasedExampleGen):
    """Ingests a folder of labelled images.

    Output `examples` holds image records (`features.IMAGE_RECORD`) in the splits `train`,
    `validation` and `test`, with folds in `train` alone, and next to them `ingestion.json`
    (`report.IngestionReport`).

    Args:
        settings: Those of `Settings`, except `code`; only `root` has no default.
    """

    EXECUTOR_SPEC = BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, **settings: Any) -> None:
        checked = Settings(**settings, code=code_version(__name__))
        base, pattern = _at_span(checked.root)
        custom = CustomConfig()
        custom.custom_config.Pack(wrappers_pb2.StringValue(value=checked.model_dump_json()))
        # TFX takes only the splits' names from here; the executor divides the images.
        splits = [SplitConfig.Split(name=split, hash_buckets=1) for split in splits_of(checked)]
        super().__init__(
            input_base=base,
            input_config=Input(splits=[Input.Split(name="images", pattern=pattern)]),
            output_config=Output(split_config=SplitConfig(splits=splits)),
            custom_config=custom,
        )


def _at_span(root: str) -> tuple[str, str]:
    """Return the folder that holds the spans, and a pattern below it."""
    if _SPAN not in root:
        return root, "*"
    before, _, _ = root.partition(_SPAN)
    base, _, _ = before.rpartition("/")
    return base or "/", f"{root[len(base) + 1 if base else 0 :]}/*"

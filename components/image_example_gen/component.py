"""The TFX component."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf import wrappers_pb2
from tfx import v1 as tfx
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

from components.code_version import code_version
from components.image_example_gen.driver import Driver
from components.image_example_gen.executor import Executor
from components.image_example_gen.settings import Settings
from records import features

_SPAN = "{SPAN}"


class ImageExampleGen(FileBasedExampleGen):
    """Ingests a folder of labelled images.

    Output `examples` holds image records (`features.IMAGE_RECORD`) in the splits `train`,
    `validation` and `test`, and beside them `ingestion.json` (`report.IngestionReport`).

    Args:
        root: The data root; one of its folders may be called like `span-{SPAN}`.
        layout: One of `sources.LAYOUTS`.
        manifest: A CSV file, relative to the root, for the layout `manifest`.
        classes: The classes that there must be; None: the folders' names.
        max_unusable: Share of files that may be unusable.
        max_pixels: Of the largest image that is read.
        split_by: `image` or `class`.
        train: Share of the images.
        validation: Share of the images.
        test: Share of the images.
        near_duplicate_bits: Of 64, by which near-duplicates' hashes may differ.
        seed: Of the splits.
    """

    EXECUTOR_SPEC = BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        *,
        root: str,
        layout: str = "auto",
        manifest: str | None = None,
        classes: Sequence[str] | None = None,
        max_unusable: float = 0.1,
        max_pixels: int = 100_000_000,
        split_by: str = "image",
        train: float = 0.6,
        validation: float = 0.2,
        test: float = 0.2,
        near_duplicate_bits: int = 3,
        seed: int = 0,
    ) -> None:
        settings = Settings(
            root=root,
            layout=layout,
            manifest=manifest,
            classes=None if classes is None else tuple(classes),
            max_unusable=max_unusable,
            max_pixels=max_pixels,
            split_by=split_by,
            train=train,
            validation=validation,
            test=test,
            near_duplicate_bits=near_duplicate_bits,
            seed=seed,
            code=code_version(__name__),
        )
        base, pattern = _at_span(root)
        custom = tfx.proto.CustomConfig()
        custom.custom_config.Pack(wrappers_pb2.StringValue(value=settings.model_dump_json()))
        super().__init__(
            input_base=base,
            input_config=tfx.proto.Input(
                splits=[tfx.proto.Input.Split(name="images", pattern=pattern)]
            ),
            output_config=tfx.proto.Output(
                split_config=tfx.proto.SplitConfig(
                    # The executor divides the images; TFX takes only the names from here.
                    splits=[
                        tfx.proto.SplitConfig.Split(name=split, hash_buckets=1)
                        for split in features.SPLITS
                    ]
                )
            ),
            custom_config=custom,
        )


def _at_span(root: str) -> tuple[str, str]:
    """The folder that holds the spans, and a pattern below it."""
    if _SPAN not in root:
        return root, "*"
    before, _, _ = root.partition(_SPAN)
    base, _, _ = before.rpartition("/")
    return base or "/", f"{root[len(base) + 1 if base else 0 :]}/*"

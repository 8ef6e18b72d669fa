"""The TFX component: pairs the transformed images of each split."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
from tfx.components.util import examples_utils
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.code_version import code_version
from components.pair_gen import beam_steps
from components.pair_gen.image_store import image_store
from records import features
from records.pair_sampling import (
    Block,
    all_pairs,
    class_balanced,
    covering,
    held_out_pairs,
    random_partners,
)

_CODE = code_version(__name__)

_Sampler = tuple[Callable[..., Iterator[Block]], tuple[Any, ...]]
"""A sampler, and its arguments after the labels."""


@component(use_beam=True)
def PairGen(
    examples: InputArtifact[standard_artifacts.Examples],
    pairs: OutputArtifact[standard_artifacts.Examples],
    sampling: Parameter[str] = "class_balanced",
    classes_per_block: Parameter[int] = 10,
    images_per_class: Parameter[int] = 5,
    block_size: Parameter[int] = 32,
    partners: Parameter[int] = 8,
    passes: Parameter[int] = 8,
    held_out_partners: Parameter[int] = 16,
    held_out_max_images: Parameter[int] = 500,
    seed: Parameter[int] = 0,
    folds: Parameter[int] = 0,
    code: Parameter[str] = _CODE,
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Writes the pair blocks (see `records.pair_block`) of each split.

    The training split is sampled by `sampling`, the others give plain pairs. With folds, all images
    are in the training split, and `test` holds plain pairs of images of one fold, which the models
    that learned from the other folds are judged by. Next to the splits, `counts/<split>.json` holds
    the numbers of `blocks`, `pairs`, and pairs of the `same` class.

    Args:
        examples: Transformed image records, from Transform.
        pairs: The pair blocks.
        sampling: `class_balanced`, `all_pairs` or `random_partners`.
        classes_per_block: For `class_balanced`.
        images_per_class: For `class_balanced`.
        block_size: For `all_pairs`, in images.
        partners: For `random_partners`, per image.
        passes: For `class_balanced` and `all_pairs`.
        held_out_partners: For the validation and test splits, per image.
        held_out_max_images: For the validation and test splits.
        seed: Of all random draws.
        folds: Whether the images are in folds: their number, or 0.
        code: Fingerprint of this component's code, for the cache.
        beam_pipeline: Given by TFX.

    Raises:
        DataError: An image, its content or its group is in two splits or folds, an image is in a
            split twice, or a split has no pair of the same class or none of different classes.
            Beam may wrap it.
        ValueError: There is no such sampling, or a split is not one of `features.SPLITS`.
    """
    samplers: dict[str, _Sampler] = {
        "class_balanced": (class_balanced, (classes_per_block, images_per_class, passes, seed)),
        "all_pairs": (all_pairs, (block_size, passes, seed)),
        "random_partners": (random_partners, (partners, seed)),
    }
    if sampling not in samplers:
        raise ValueError(f"sampling '{sampling}' is none of {', '.join(samplers)}")
    held_out = (held_out_pairs, (held_out_partners, held_out_max_images, seed))
    splits = artifact_utils.decode_split_names(examples.split_names)
    if unknown := sorted(set(splits) - set(features.SPLITS)):
        raise ValueError(f"splits {unknown} are none of {', '.join(features.SPLITS)}")
    to_write = [features.TRAIN, features.TEST] if folds else splits
    pairs.split_names = artifact_utils.encode_split_names(to_write)
    examples_utils.set_payload_format(pairs, example_gen_pb2.FORMAT_TF_EXAMPLE)

    # The pipeline runs when its context ends, which must be before that of the image store.
    with image_store(pairs.uri) as folder, beam_pipeline as pipeline:
        indexes = {}
        for split in to_write:
            sampler = samplers[sampling] if split == features.TRAIN else held_out
            if folds and split == features.TRAIN:  # what is in no block would not be judged
                sampler = covering, (sampler[0], *sampler[1])
            source = split if split in splits else features.TRAIN
            uri = os.path.join(artifact_utils.get_split_uri([examples], source), "*")
            pairing = beam_steps.PairWithinSplit(
                split, folder, sampler[0], sampler[1], within_folds=split not in splits
            )
            indexes[source] = _pair_split(pipeline, split, uri, pairs, pairing)
        _ = indexes | "NoLeak" >> beam_steps.NoLeak()


def _pair_split(
    pipeline: beam.Pipeline, split: str, source: str, pairs: Any, pairing: beam.PTransform
) -> beam.PCollection:
    """Write a split's pair blocks and their counts; return the index of its images."""
    target = os.path.join(artifact_utils.get_split_uri([pairs], split), "data_tfrecord")
    index, blocks = (
        pipeline
        | f"Read[{split}]" >> beam.io.ReadFromTFRecord(source)
        | f"Pair[{split}]" >> pairing
    )
    # Not compressed: PNGs would not become smaller, and it would take most of this step's time.
    _ = blocks | f"Write[{split}]" >> beam.io.WriteToTFRecord(target)
    _ = (
        blocks
        | f"Count[{split}]" >> beam.CombineGlobally(beam_steps.CountPairs())
        | f"BothKinds[{split}]" >> beam.Map(beam_steps.check_both_kinds, split)
        | f"WriteCount[{split}]"
        >> beam.io.WriteToText(
            os.path.join(pairs.uri, "counts", f"{split}.json"), shard_name_template=""
        )
    )
    return index

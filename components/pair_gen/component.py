"""The TFX component: reads transformed images, writes pair blocks, within each split."""

import os
from collections.abc import Callable, Iterator

import apache_beam as beam
from tfx import v1 as tfx
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.code_version import code_version
from components.pair_gen import beam_steps
from components.pair_gen.image_store import image_store
from records import features
from records.pair_sampling import Block, all_pairs, class_balanced, held_out_pairs, random_partners

_CODE = code_version(__name__)


@tfx.dsl.components.component(use_beam=True)
def PairGen(
    examples: tfx.dsl.components.InputArtifact[tfx.types.standard_artifacts.Examples],
    pairs: tfx.dsl.components.OutputArtifact[tfx.types.standard_artifacts.Examples],
    sampling: tfx.dsl.components.Parameter[str] = "class_balanced",
    classes_per_block: tfx.dsl.components.Parameter[int] = 10,
    images_per_class: tfx.dsl.components.Parameter[int] = 5,
    block_size: tfx.dsl.components.Parameter[int] = 32,
    partners: tfx.dsl.components.Parameter[int] = 8,
    passes: tfx.dsl.components.Parameter[int] = 8,
    held_out_partners: tfx.dsl.components.Parameter[int] = 16,
    held_out_max_images: tfx.dsl.components.Parameter[int] = 500,
    seed: tfx.dsl.components.Parameter[int] = 0,
    code: tfx.dsl.components.Parameter[str] = _CODE,
    beam_pipeline: tfx.dsl.components.BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Turns the images of each split into pair blocks (see `records.pair_block`).

    The training split is sampled as `sampling` says; the others hold plain pairs. Beside the
    splits, `counts/<split>.json` counts the `blocks`, `pairs`, and pairs of the `same` class.

    Args:
        examples: Transformed image records, from Transform.
        pairs: The pair blocks.
        sampling: `class_balanced`, `all_pairs` or `random_partners`.
        classes_per_block: Of `class_balanced`.
        images_per_class: Of `class_balanced`.
        block_size: Of `all_pairs`.
        partners: Of `random_partners`.
        passes: Of `class_balanced` and `all_pairs`.
        held_out_partners: Of the validation and test splits.
        held_out_max_images: Of the validation and test splits.
        seed: Of all draws.
        code: Fingerprint of this component's code, for the cache.
        beam_pipeline: Given by TFX.

    Raises:
        DataError: An image or its content is in two splits, an image is in a split twice, or a
            split makes no pairs of the same class, or none of different classes. Beam may wrap it.
        ValueError: There is no such sampling, or a split is none of `features.SPLITS`.
    """
    samplers: dict[str, tuple[Callable[..., Iterator[Block]], tuple[int, ...]]] = {
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
    pairs.split_names = artifact_utils.encode_split_names(splits)
    examples_utils.set_payload_format(pairs, example_gen_pb2.FORMAT_TF_EXAMPLE)

    # The pipeline runs when its context ends, and the store's is around that.
    with image_store(pairs.uri) as folder, beam_pipeline as pipeline:
        indexes = {}
        for split in splits:
            sampler, arguments = samplers[sampling] if split == features.TRAIN else held_out
            source = os.path.join(artifact_utils.get_split_uri([examples], split), "*")
            records = pipeline | f"Read[{split}]" >> beam.io.ReadFromTFRecord(source)
            indexes[split], blocks = records | f"Pair[{split}]" >> beam_steps.PairWithinSplit(
                split, folder, sampler, arguments
            )
            _ = blocks | f"Write[{split}]" >> beam.io.WriteToTFRecord(
                os.path.join(artifact_utils.get_split_uri([pairs], split), "data_tfrecord"),
                file_name_suffix=".gz",
            )
            _ = (
                blocks
                | f"Count[{split}]" >> beam.CombineGlobally(beam_steps.CountPairs())
                | f"WriteCount[{split}]"
                >> beam.io.WriteToText(_counts_file(pairs.uri, split), shard_name_template="")
            )
        _ = indexes | "NoLeak" >> beam_steps.NoLeak()


def _counts_file(uri: str, split: str) -> str:
    return os.path.join(uri, "counts", f"{split}.json")

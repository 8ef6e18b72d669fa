import numpy as np
from pair_files import transformed, write_blocks
from sample_images import picture

from records.pair_sampling import all_pairs
from trainer.recipe.copies import copies_of_labelled
from trainer.recipe.unlabelled_images import UnlabelledImages
from trainer.training.images import held_out


def unlabelled(pixels, hashes):
    names = [f"{i}.png" for i in range(len(pixels))]
    return UnlabelledImages("folder", np.stack(pixels), names, hashes, {}, len(names))


def test_identical_files_and_copies_are_found(tmp_path):
    labels = [b"0"] * 4 + [b"1"] * 4
    records = [transformed(int(c), n, size=64, spread=110) for n, c in enumerate(labels)]
    file = write_blocks(tmp_path / "some.tfrecord", records, all_pairs(labels, 8, 1, 0))
    images = held_out([file], 64).images
    groups = images.numbered_groups()
    other = np.asarray(picture(3, 99, 64), "uint8")
    brighter = np.clip(images.pixels[1].astype(int) * 0.9 + 12, 0, 255).astype("uint8")
    found = copies_of_labelled(
        images,
        groups,
        unlabelled(
            [other, images.pixels[2], brighter], [b"a" * 64, images.content_hashes[2], b"b" * 64]
        ),
    )
    assert found.tolist() == [-1, groups[2], groups[1]]

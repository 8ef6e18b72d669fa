import numpy as np
from PIL import Image

from trainer.training.projector import write_projector


def test_points_labels_and_thumbnails_go_together(tmp_path):
    pixels = np.stack([np.full((8, 8, 3), 40 * i, "uint8") for i in range(5)])
    labels = np.array(["a", "b\tc", "d", "e", "f"])
    write_projector(tmp_path, np.arange(10.0).reshape(5, 2), pixels, labels, ["train"] * 5,
                    [b"a/0.png", b"b/\xff.png", *[b"d/0.png"] * 3])  # fmt: skip
    assert (tmp_path / "embeddings.tsv").read_text().splitlines()[4] == "8\t9"
    rows = (tmp_path / "metadata.tsv").read_text().splitlines()
    assert rows[0] == "class\tsplit\tfile"
    assert rows[2] == "b c\ttrain\tb/\\xff.png"
    assert len(rows) == 6
    sprite = np.asarray(Image.open(tmp_path / "sprite.png"))
    assert sprite.shape == (120, 120, 3)  # 3 x 3 places
    assert sprite[20, 60, 0] == 40
    assert sprite[60, 20, 0] == 120
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "embeddings.tsv"' in config
    assert "single_image_dim: 40" in config

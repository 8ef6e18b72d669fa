import pytest

from storage import local_copies
from trainer.training.unfinished import unfinished_folder


def test_local_copies_count_by_their_address(monkeypatch):
    """Each attempt has other local copies of the same inputs."""
    monkeypatch.setattr(local_copies.s3, "download", lambda address, target: None)
    monkeypatch.setattr(local_copies.s3, "upload", lambda source, address: None)
    found = []
    for address in ("s3://bucket/a", "s3://bucket/a", "s3://bucket/b"):
        with local_copies.local_folders([address], []) as folders:
            files = [f"{folders[address]}/Split-train/*"]
            found.append(unfinished_folder("/unfinished", files, {"epochs": 3}))
    assert found[0] == found[1] != found[2]
    assert str(found[0].parent) == "/unfinished"


@pytest.mark.parametrize("root", ["gs://bucket/x", "s3://bucket/x"])
def test_checkpoints_stay_on_this_machine(root):
    assert unfinished_folder(root, ["a"]).parent.name == "siamese-unfinished"

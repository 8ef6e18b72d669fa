import numpy as np

from pipeline.report import points
from pipeline.report.points import Points, read_points
from pipeline.runs.history import Artifact, Component, Run
from trainer.training.projector import write_projector


def run(folder):
    return Run(id="x", components=[
        Component(id="Trainer", outcome="done", outputs={"model_run": Artifact(uri=str(folder))}),
    ])  # fmt: skip


def write(folder):
    write_projector(
        folder / "tensorboard",
        np.arange(6.0).reshape(3, 2),
        np.zeros((3, 8, 8, 3), "uint8"),
        np.array(["a", "b", "a"]),
        ["train", "train", "validation"],
        [b'a/"1".png', b"b/2.png", b"a/3.png"],
    )


def test_what_the_trainer_wrote_is_read(tmp_path):
    write(tmp_path)
    found = read_points(run(tmp_path))
    assert found.embeddings.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found[1:] == (
        ["a", "b", "a"], ["train", "train", "validation"], ['a/"1".png', "b/2.png", "a/3.png"],
        ["", "", ""],
    )  # fmt: skip


def test_test_images_are_added_if_the_model_is_the_same(tmp_path, monkeypatch):
    write(tmp_path)
    whole = run(tmp_path)
    whole.components.append(
        Component(id="Judge", outcome="done", outputs={"judgement": Artifact(uri="judged")})
    )
    for size, labels in ((2, ["a", "b", "a", "t"]), (5, ["t"])):
        tested = Points(np.ones((1, size)), ["t"], ["test"], ["t.png"], ["id"])
        monkeypatch.setattr(points, "_of_judge", lambda folder, tested=tested: tested)
        assert read_points(whole).labels == labels


def test_missing_or_damaged_files_give_no_points(tmp_path):
    assert read_points(run(tmp_path)) is None
    assert read_points(Run(id="x", components=[])) is None
    write(tmp_path)
    (tmp_path / "tensorboard/embeddings.tsv").write_text("1\t2\n")
    assert read_points(run(tmp_path)) is None
    (tmp_path / "tensorboard/embeddings.tsv").write_text("no number\n")
    assert read_points(run(tmp_path)) is None

import csv
import importlib.util

import numpy as np
import pytest

from serving.answers import Classification, Embedding
from serving.bulk import tables
from serving.bulk.nearest import nearest
from serving.file_batch import FileAnswer

DENT = Classification("dent", True, {"dent": 0.5, "good": -0.25}, ["dent/7.jpg"], True, "", {})
CRACK = Classification("crack", False, {"crack": 0.25}, ["c.jpg"], True, "", {"crack": 0.75})
ROWS = [
    tables.classification_row("x/1.jpg", FileAnswer("x/1.jpg", DENT, "", 7)),
    tables.classification_row("\udcff,2", FileAnswer("\udcff,2", None, "is empty")),
    tables.classification_row("x/3.jpg", FileAnswer("x/3.jpg", CRACK, "", 8)),
]


def test_csv(tmp_path):
    tables.write_classifications(lambda: ROWS, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        first, second, third = table
    assert table.fieldnames[-3:] == ["score_crack", "score_dent", "score_good"]
    assert first == {
        "image": "x/1.jpg", "label": "dent", "known": "True", "score": "0.5", "probability": "",
        "nearest": "dent/7.jpg", "problem": "", "model_version": "7", "score_dent": "0.5",
        "score_good": "-0.25", "score_crack": "",
    }  # fmt: skip
    assert (second["image"], second["problem"], second["label"]) == ("\\xff,2", "is empty", "")
    assert (third["score_crack"], third["probability"], third["known"]) == ("0.25", "0.75", "False")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_parquet_has_the_same_columns(tmp_path):
    from pyarrow import parquet

    tables.write_classifications(lambda: ROWS, tmp_path / "a.parquet")
    first, second, third = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert (first["label"], first["known"], first["score_good"]) == ("dent", True, -0.25)
    assert (second["label"], second["problem"]) == (None, "is empty")
    assert third["probability"] == 0.75


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_embeddings_are_read_as_they_were_written(tmp_path, kind):
    vectors = np.random.default_rng(0).normal(size=(3, 5)).astype("f")
    answers = [FileAnswer(f"{n}.png", Embedding(v, True), "", 7) for n, v in enumerate(vectors)]
    answers.insert(1, FileAnswer("no.png", None, "is empty"))
    rows = [tables.embedding_row(each.file, each) for each in answers]
    tables.write_embeddings(lambda: rows, tmp_path / f"a.{kind}")
    found = tables.read_embeddings(tmp_path / f"a.{kind}")
    assert (found.images, found.version) == (["0.png", "1.png", "2.png"], 7)
    np.testing.assert_array_equal(found.vectors, vectors)


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_no_embedding_at_all(tmp_path, kind):
    rows = [tables.embedding_row("no.png", FileAnswer("no.png", None, "is empty"))]
    tables.write_embeddings(lambda: rows, tmp_path / f"a.{kind}")
    assert tables.read_embeddings(tmp_path / f"a.{kind}").images == []


def test_embeddings_of_two_versions_are_not_compared(tmp_path):
    one = Embedding(np.ones(2, "f"), True)
    rows = [tables.embedding_row("a", FileAnswer("a", one, "", version)) for version in (1, 2)]
    tables.write_embeddings(lambda: rows, tmp_path / "a.npz")
    with pytest.raises(ValueError, match="several versions"):
        tables.read_embeddings(tmp_path / "a.npz")


def test_what_is_no_such_table_is_named(tmp_path):
    for name in ("a.npz", "a.parquet", "none.npz"):
        (tmp_path / name).write_text("junk") if name != "none.npz" else None
        with pytest.raises(ValueError, match=rf"{name}: is no table that siamese embed"):
            tables.read_embeddings(tmp_path / name)


def test_what_cannot_be_written_is_said_at_once(tmp_path, monkeypatch):
    (tmp_path / "there.csv").touch()
    for name, message in {
        "a.txt": r"must end in \.csv or \.parquet",
        "there.csv": "exists; delete it",
        "none/a.csv": "there is no folder",
    }.items():
        with pytest.raises(ValueError, match=message):
            tables.check_output(tmp_path / name, (".csv", ".parquet"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'siamese-tfx\[parquet\]'"):
        tables.check_output(tmp_path / "a.parquet", (".csv", ".parquet"))


def test_the_nearest_are_those_of_a_full_sort():
    vectors = np.random.default_rng(1).normal(size=(50, 8)).astype("f")
    vectors[7] = 0
    found = nearest(vectors[:3] * 5, vectors, 6)
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    cosines = units[:3] @ units.T
    np.testing.assert_array_equal(found.indices, np.argsort(-cosines, axis=1)[:, :6])
    np.testing.assert_allclose(found.similarities[:, 0], 1, rtol=1e-5)
    assert nearest(vectors, vectors[:2], 10).indices.shape == (50, 2)

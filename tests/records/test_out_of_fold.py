import numpy as np

from records.out_of_fold import FoldModel, OutOfFold
from records.out_of_fold_file import FILE, read_out_of_fold, write_out_of_fold


def result(same=(0.5, 0.9), common=0.6):
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(6, 3)).astype("float32")
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    folds = np.array([0, 0, 0, 1, 1, 1])
    models = tuple(
        FoldModel(
            np.flatnonzero(folds != fold),
            embeddings[folds != fold],
            own,
            0.1 * fold,
            8.0,
            -4,
            "margin" if fold else "cosine",
        )
        for fold, own in enumerate(same)
    )
    return OutOfFold(
        np.array([b"id %d" % i for i in range(6)]),
        np.array(["a", "b", "é"] * 2),
        np.array([b"a/%d.png" % i for i in range(6)]),
        np.arange(6),
        folds,
        embeddings,
        np.array([0.1, np.nan, 0.3, 0.4, 0.5, 0.6]),
        models,
        common,
        0.2,
    )


def test_what_is_written_is_read(tmp_path):
    written = result()
    write_out_of_fold(written, str(tmp_path))
    found = read_out_of_fold(str(tmp_path))
    for name in ("ids", "labels", "sources", "keys", "folds", "embeddings", "unknown_scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name))
    assert (found.same, found.known) == (0.6, 0.2)
    assert [one.same for one in found.models] == [0.5, 0.9]
    assert [one.scored_by for one in found.models] == ["cosine", "margin"]
    np.testing.assert_array_equal(found.models[1].support, [0, 1, 2])


def test_models_of_older_versions_score_by_cosine(tmp_path):
    write_out_of_fold(result(), str(tmp_path))
    with np.load(tmp_path / FILE) as saved:
        older = {name: saved[name] for name in saved.files if "scored_by" not in name}
    np.savez(tmp_path / FILE, **older)
    found = read_out_of_fold(str(tmp_path))
    assert [one.scored_by for one in found.models] == ["cosine", "cosine"]
    assert [one.offset for one in found.models] == [-4, -4]


def test_a_training_without_folds_has_left_none(tmp_path):
    assert read_out_of_fold(str(tmp_path)) is None


def test_each_model_decides_by_its_own_threshold():
    found = result()
    left, right = found.embeddings[[0, 0, 1]], found.embeddings[[1, 2, 2]]
    cosines = (left * right).sum(axis=1)
    for fold, own in enumerate((0.5, 0.9)):
        by_itself = 1 / (1 + np.exp(-(8.0 * cosines - 4)))
        shifted = found.similarities(fold, left, right)
        np.testing.assert_array_equal(shifted >= found.same, by_itself >= own)
        np.testing.assert_array_equal(np.argsort(shifted), np.argsort(by_itself))


def test_the_same_threshold_changes_nothing():
    found = result(same=(0.6, 0.6))
    left, right = found.embeddings[:2], found.embeddings[1:3]
    logits = 8.0 * (left * right).sum(axis=1) - 4
    np.testing.assert_allclose(found.similarities(0, left, right), 1 / (1 + np.exp(-logits)))

import functools

import numpy as np
import pytest
import tensorflow as tf
from encoded_images import bad_images, encode
from exported_model import preprocess
from same_answers import assert_same, assert_same_answers
from scipy import special

from judging.classifier import nearest_centroid
from judging.thresholds import CalibratedThresholds
from records import features
from records.example import make_example
from trainer.export import constants
from trainer.export import signatures as export
from trainer.export.safe_pixels import safe_pixels
from trainer.export.signatures import ServedModel
from trainer.export.support_set import SupportSet
from trainer.network.siamese import Siamese
from trainer.settings import Model, Training

LABELS = np.array(["nut", "screw", "bölt"] * 3)
SOURCES = [b"%d.png" % i for i in range(8)] + [b"\xff.png"]
KNOWN = 0.6
TRAINING_KEYS = np.array([-(2**63), 0, 2**63 - 1])


def images(count):
    pixels = np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3)).astype("uint8")
    return pixels, [tf.io.encode_png(p).numpy() for p in pixels]


def support_embeddings(model):
    return np.asarray(model(images(9)[0]))


def even_point(model):
    """A similarity that half of the pairs of `images(40)` have."""
    z = model(images(40)[0])
    return float(np.median(model.similarity(z[:20], z[20:])))


def served_model(model):
    support = SupportSet(support_embeddings(model), LABELS, SOURCES)
    thresholds = CalibratedThresholds(even_point(model), KNOWN)
    return ServedModel(model, preprocess, 16, 5000, support, thresholds, TRAINING_KEYS)


@pytest.fixture(scope="module")
def exported(tiny_backbone, tmp_path_factory):
    model = Siamese(Model(backbone=tiny_backbone, embedding_size=6), Training(), 16)
    directory = str(tmp_path_factory.mktemp("served") / "1")
    served_model(model).save(directory)
    return model, directory


@functools.cache
def load(directory):
    return tf.saved_model.load(directory)


def ask(directory, signature, **inputs):
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    answer = load(directory).signatures[signature](**tensors)
    return {name: value.numpy() for name, value in answer.items()}


def test_serves_the_networks_similarity(exported):
    model, directory = exported
    pixels, encoded = images(6)
    z = model(pixels)
    expected = np.array(model.similarity(z[:3], z[3:]))
    compare = load(directory).signatures["serving_default"]
    served = compare(left=tf.constant(encoded[:3]), right=tf.constant(encoded[3:]))["similarity"]
    np.testing.assert_allclose(served, expected, rtol=1e-4)


def test_embeds(exported):
    model, directory = exported
    pixels, encoded = images(2)
    embed = load(directory).signatures["embed"]
    np.testing.assert_allclose(
        embed(image=tf.constant(encoded))["embedding"], model(pixels), rtol=1e-4, atol=1e-5
    )


def test_evaluates_plain_pairs(exported):
    model, directory = exported
    pixels, encoded = images(3)
    of_pairs = [(0, 1), (1, 2), (2, 0), (0, 1)]
    pairs = [
        make_example({features.IMAGE: [encoded[a], encoded[b]]}, {}).SerializeToString()
        for a, b in of_pairs
    ]
    z = model(pixels)
    answer = load(directory).signatures["evaluate"](examples=tf.constant(pairs))
    left, right = zip(*of_pairs, strict=True)
    expected = model.similarity(tf.gather(z, left), tf.gather(z, right)).numpy()
    np.testing.assert_allclose(answer["similarity"], expected, rtol=1e-4)
    np.testing.assert_array_equal(answer["same"], expected >= even_point(model))


def test_evaluates_an_empty_batch(exported):
    answer = load(exported[1]).signatures["evaluate"](examples=tf.constant([], tf.string))
    assert {name: value.shape for name, value in answer.items()} == {"similarity": 0, "same": 0}


def test_evaluates_more_images_than_it_encodes_at_once(exported):
    model, directory = exported
    pixels, encoded = images(2 * export._AT_ONCE + 1)
    pairs = [
        make_example({features.IMAGE: [one, encoded[0]]}, {}).SerializeToString() for one in encoded
    ]
    z = model(pixels)
    answer = load(directory).signatures["evaluate"](examples=tf.constant(pairs))
    expected = model.similarity(z, tf.gather(z, [0] * len(pairs))).numpy()
    np.testing.assert_allclose(answer["similarity"], expected, rtol=1e-4)


def test_a_judge_can_read_thresholds_and_compare_embeddings(exported):
    model, directory = exported
    loaded = load(directory)
    thresholds = {name: value.numpy() for name, value in loaded.thresholds().items()}
    assert thresholds == pytest.approx({"same": even_point(model), "known": KNOWN})
    z = model(images(40)[0])
    expected = np.asarray(model.similarity(z[:20], z[20:]))
    np.testing.assert_allclose(loaded.similarity(z[:20], z[20:]), expected, rtol=1e-4)
    np.testing.assert_allclose(loaded.support.embeddings.numpy().sum(),
                               support_embeddings(model).sum(), rtol=1e-4)  # fmt: skip


def test_the_model_lists_the_images_it_was_trained_on(exported):
    keys = tf.saved_model.load(exported[1]).training_keys
    np.testing.assert_array_equal(keys, TRAINING_KEYS)
    assert keys.dtype == tf.int64
    keys.assign([*range(5)])  # of any length: enrollment adds keys
    assert keys.numpy().tolist() == [*range(5)]


def test_same_follows_the_threshold(exported):
    model, directory = exported
    _, encoded = images(40)
    answer = ask(directory, "serving_default", left=encoded[:20], right=encoded[20:])
    np.testing.assert_array_equal(answer["same"], answer["similarity"] >= even_point(model))
    assert answer["same"].sum() == 10


def test_sides_must_be_equally_many(exported):
    _, encoded = images(4)
    with pytest.raises(tf.errors.InvalidArgumentError):
        ask(exported[1], "serving_default", left=encoded[:3], right=encoded[3:])


def test_classifies_by_simpleshot(exported):
    model, directory = exported
    pixels, encoded = images(30)
    answer = ask(directory, "classify", image=encoded)
    z = np.asarray(model(pixels))
    expected = nearest_centroid(support_embeddings(model), LABELS, z)
    assert [label.decode() for label in answer["label"]] == expected.tolist()
    assert len(set(expected)) > 1
    np.testing.assert_array_equal(answer["classes"][:, 0], answer["label"])
    assert {frozenset(row) for row in answer["classes"].tolist()} == {
        frozenset(label.encode() for label in LABELS)
    }
    assert (np.diff(answer["scores"]) <= 0).all()
    np.testing.assert_array_equal(answer["known"], answer["scores"][:, 0] >= np.float32(KNOWN))
    assert 0 < answer["known"].sum() < 30


def test_probabilities_follow_the_scores(exported):
    answer = ask(exported[1], "classify", image=images(30)[1])
    expected = special.softmax(answer["scores"] / 0.1, axis=1)
    np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-4)
    np.testing.assert_allclose(answer["probabilities"].sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("known", [-1.0, 0.3, 1.1])
def test_a_request_may_have_its_own_threshold(exported, known):
    _, encoded = images(30)
    usual = ask(exported[1], "classify", image=encoded)
    thresholds = np.full(30, known, "f")
    answer = ask(exported[1], "classify_at", image=encoded, known_threshold=thresholds)
    np.testing.assert_array_equal(answer.pop("known"), usual["scores"][:, 0] >= known)
    usual.pop("known")
    assert_same_answers(answer, usual)


def test_scores_and_evidence_by_the_formula(exported):
    model, directory = exported
    pixels, encoded = images(3)
    answer = ask(directory, "classify", image=encoded)
    support = support_embeddings(model)
    means = {label: support[label == LABELS].mean(0) for label in set(LABELS)}
    centre = np.mean(list(means.values()), axis=0)

    def normal(x):
        return (x - centre) / np.linalg.norm(x - centre, axis=-1, keepdims=True)

    rows, queries = normal(support), normal(np.asarray(model(pixels)))
    for i, query in enumerate(queries):
        for name, score in zip(answer["classes"][i], answer["scores"][i], strict=True):
            centroid = rows[name.decode() == LABELS].mean(0)
            assert score == pytest.approx(1 - np.sum((query - centroid) ** 2) / 2, abs=1e-5)
        nearest = np.argsort(-(rows @ query))[:5]
        assert answer["nearest"][i].tolist() == [SOURCES[j] for j in nearest]


def test_bad_images_do_not_affect_the_others(exported):
    _, directory = exported
    good = [encode("PNG"), encode("JPEG"), encode("BMP", 50, 60), encode("GIF", 20, 20)]
    batch = [good[0], *bad_images(), *good[1:]]
    valid = np.array([image in good for image in batch])
    empty = {"label": b"", "known": False, "same": False, "classes": b"", "nearest": b""}
    for signature, inputs in (
        ("serving_default", lambda some: {"left": some, "right": [good[0]] * len(some)}),
        ("serving_default", lambda some: {"left": [good[0]] * len(some), "right": some}),
        ("embed", lambda some: {"image": some}),
        ("classify", lambda some: {"image": some}),
    ):
        together = ask(directory, signature, **inputs(batch))
        np.testing.assert_array_equal(together.pop("valid"), valid)
        np.testing.assert_array_equal(together.pop("reason") == b"", valid)
        for image, *answers in zip(batch, *together.values(), strict=True):
            alone = ask(directory, signature, **inputs([image])) if image in good else None
            for name, answer in zip(together, answers, strict=True):
                if alone:
                    assert_same(answer, alone[name][0])
                elif name in empty:
                    assert set(np.ravel(answer).tolist()) == {empty[name]}
                else:
                    assert np.isnan(answer).all()


def test_a_session_answers_the_same(exported):
    _, directory = exported
    batch = [encode("PNG"), b"junk", encode("JPEG")]
    expected = ask(directory, "classify", image=batch)
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], directory)
        signature = graph.signature_def["classify"]
        outputs = {name: tensor.name for name, tensor in signature.outputs.items()}
        answer = session.run(outputs, {signature.inputs["image"].name: batch})
    for name, value in expected.items():
        np.testing.assert_array_equal(answer[name], value)


def test_weights_are_constants_and_what_can_be_replaced_is_not(exported):
    assert {name.split("/")[0] for name in _variables(exported[1])} == {
        "training_keys", "support", "threshold_variables",
    }  # fmt: skip


def test_the_support_set_of_a_loaded_model_can_be_replaced(exported):
    model, directory = exported
    pixels, encoded = images(30)
    z = np.asarray(model(pixels))
    labels = np.array(["anchor", "bölt", "cog", "dowel", "eyelet"] * 2)
    loaded = tf.saved_model.load(directory)
    loaded.support.replace(
        tf.constant(z[:10]), [label.encode() for label in labels], [b"%d" % i for i in range(10)]
    )
    answer = loaded.signatures["classify"](image=tf.constant(encoded[10:]))
    expected = nearest_centroid(z[:10], labels, z[10:])
    assert [label.decode() for label in answer["label"].numpy()] == expected.tolist()
    assert answer["classes"].shape == (20, 5)
    assert loaded.support.labels.numpy()[1].decode() == "bölt"
    np.testing.assert_array_equal(loaded.support.embeddings, z[:10])
    assert loaded.support.sources.numpy().tolist() == [b"%d" % i for i in range(10)]


def test_the_pixels_are_traced_once(exported, tmp_path, monkeypatch):
    """Not for each signature, and not once more in the context of saving: it takes seconds."""
    traced = []
    monkeypatch.setattr(export, "safe_pixels", lambda *a: traced.append(a) or safe_pixels(*a))
    served_model(exported[0]).save(str(tmp_path))
    assert len(traced) == 1


def test_too_many_weights_stay_variables_with_the_same_answers(exported, tmp_path, monkeypatch):
    model, directory = exported
    monkeypatch.setattr(
        export, "to_constants", lambda *a: constants.to_constants(*a, most_bytes=10)
    )
    served_model(model).save(str(tmp_path))
    assert {name.split("/")[0] for name in _variables(str(tmp_path))} == {
        "training_keys", "support", "_variables", "threshold_variables",
    }  # fmt: skip
    _, encoded = images(6)
    for signature, inputs in (
        ("serving_default", {"left": encoded[:3], "right": encoded[3:]}),
        ("classify", {"image": encoded}),
    ):
        frozen, other = (ask(d, signature, **inputs) for d in (directory, str(tmp_path)))
        assert_same_answers(frozen, other)


def _variables(directory):
    names = [name for name, _ in tf.train.list_variables(f"{directory}/variables/variables")]
    return [name for name in names if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]


def test_explains_classes_and_pairs(exported):
    _, encoded = images(5)
    answer = ask(
        exported[1],
        "explain",
        image=encoded,
        other=[b"", encoded[3], b"", b"junk", b""],
        label=[b"", b"", "bölt".encode(), b"", b"cog"],
    )
    assert answer["valid"].tolist() == [True, True, True, False, False]
    assert answer["reason"].tolist()[:3] == [b""] * 3
    assert answer["reason"][4] == b"no_such_class"
    classified = ask(exported[1], "classify", image=encoded)
    assert answer["label"].tolist() == [
        classified["label"][0], b"", "bölt".encode(), b"", b"",
    ]  # fmt: skip
    of_class = dict(zip(classified["classes"][2], classified["scores"][2], strict=True))
    z = np.asarray(exported[0](images(5)[0]))
    expected = [classified["scores"][0, 0], z[1] @ z[3], of_class["bölt".encode()]]
    np.testing.assert_allclose(answer["score"][:3], expected, atol=1e-5)
    np.testing.assert_allclose(answer["map"].mean((1, 2))[:3], expected, atol=1e-5)
    np.testing.assert_allclose(answer["other_map"][1].mean(), z[1] @ z[3], atol=1e-5)
    assert np.isnan(answer["map"][3:]).all()
    assert np.isnan(answer["other_map"][[0, 2, 3, 4]]).all()
    pixels = tf.io.decode_png(answer["picture_bytes"][1]).numpy()
    np.testing.assert_array_equal(pixels, images(5)[0][1])
    other = tf.io.decode_png(answer["other_picture_bytes"][1]).numpy()
    np.testing.assert_array_equal(other, images(5)[0][3])
    assert answer["other_picture_bytes"][0] == b""


def test_the_other_side_of_a_pair_is_the_pair_turned_round(exported):
    _, encoded = images(2)
    one, other = (
        ask(exported[1], "explain", image=[a], other=[b], label=[b""])
        for a, b in (encoded, encoded[::-1])
    )
    np.testing.assert_allclose(one["other_map"], other["map"], atol=1e-5)
    np.testing.assert_allclose(one["score"], other["score"], atol=1e-6)


def test_a_model_that_compares_in_another_way_has_no_explain(tiny_backbone, tmp_path):
    settings = Model(backbone=tiny_backbone, embedding_size=6)
    model = Siamese(settings, Training(loss="binary_crossentropy"), 16)
    served_model(model).save(str(tmp_path))
    signatures = tf.saved_model.load(str(tmp_path)).signatures
    assert "explain" not in signatures
    assert "classify" in signatures

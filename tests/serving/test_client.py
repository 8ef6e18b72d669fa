"""Against a fake service in this process: images in, answers out, folders."""

import io
import threading

import grpc
import numpy as np
import pytest
from PIL import Image
from sample_images import encoded, picture

from serving.answers import Classification, Comparison
from serving.client import FileAnswer, ImageError, ServingError, SiameseClient
from serving.wire import serving_pb2 as wire
from serving.wire.tensors import to_array, to_tensor

PNG = encoded(picture(0, 0))


@pytest.fixture
def client(address):
    with SiameseClient(address, "parts") as client:
        yield client


def write(path, data=PNG):
    path.write_bytes(data)
    return path


def test_pairs_are_compared_in_one_request(service, client, tmp_path):
    file = write(tmp_path / "a.png")
    other = encoded(picture(1, 1))
    answers = client.compare([PNG, str(file)], [other, file])
    assert answers == [Comparison(0.25, same, True, "", 7) for same in (False, True)]
    [request] = service.requests
    assert request.model_spec.name == "parts"
    assert to_array(request.inputs["left"]).tolist() == [PNG, PNG]


def test_sides_must_be_equally_many(client):
    with pytest.raises(ValueError, match="1 left images for 0 right ones"):
        client.compare([PNG], [])


def test_images_are_made_canonical(service, client):
    webp = encoded(picture(0, 0), "WEBP", lossless=True)
    client.embed([webp])
    sent = to_array(service.requests[0].inputs["image"])[0]
    assert sent.startswith(b"\x89PNG")


def test_classes_come_with_scores_and_evidence(client):
    assert client.classify([PNG]) == [
        Classification("a", True, {"a": 0.75, "\\xffb": -0.5}, ["a/1.png", "\\xff.png"], True)
    ]


def test_an_invalid_image_has_no_scores(service, client):
    invalid = {"valid": np.array([False]), "reason": np.array([b"too_many_pixels"], object)}
    service.replies = service.answer(_request()) | invalid
    assert client.classify([PNG]) == [Classification("a", True, {}, [], False, "too_many_pixels")]


def test_probabilities_come_with_newer_models(service, client):
    found = {"probabilities": np.array([[0.9, 0.1]], "f")}
    service.replies = service.answer(_request()) | found
    [answer] = client.classify([PNG])
    assert answer.probabilities == pytest.approx({"a": 0.9, "\\xffb": 0.1})


@pytest.mark.parametrize(("threshold", "expected"), [(0.7, True), (0.8, False), (None, True)])
def test_a_request_may_have_its_own_threshold(client, threshold, expected):
    [answer] = client.classify([PNG], known_threshold=threshold)
    assert answer.known is expected


@pytest.mark.parametrize(("threshold", "expected"), [(0.2, True), (0.3, False), (None, False)])
def test_so_may_a_comparison(client, threshold, expected):
    [answer] = client.compare([PNG], [encoded(picture(1, 1))], same_threshold=threshold)
    assert answer.same is expected


def test_many_images_are_asked_about_in_parts(service, client):
    assert len(client.classify([PNG] * 70)) == len(client.compare([PNG] * 70, [PNG] * 70)) == 70
    assert len(client.embed([PNG] * 33)) == 33
    sizes = [len(to_array(next(iter(r.inputs.values())))) for r in service.requests]
    assert sizes == [32, 32, 6, 32, 32, 6, 32, 1]


def test_embeddings(client):
    answers = client.embed([PNG, PNG])
    assert [answer.vector.tolist() for answer in answers] == [[1, 1, 1]] * 2
    assert all(answer.valid for answer in answers)


def test_no_images_ask_nothing(service, client):
    assert client.classify([]) == client.compare([], []) == client.embed([]) == []
    assert not service.requests


def test_an_older_model_is_told_of(service, client):
    service.replies = {"similarity": np.array([0.5], "f")}
    with pytest.raises(ServingError, match="does not answer with 'same'; train the model again"):
        client.compare([PNG], [PNG])


@pytest.mark.parametrize(
    ("image", "message"),
    [(b"junk", "an image of 4 bytes is no image"), ("none.png", "none.png cannot be read")],
)
def test_images_that_cannot_be_read_are_named(service, client, image, message):
    with pytest.raises(ImageError, match=message):
        client.classify([PNG, image])
    assert not service.requests


def test_a_folder_is_streamed_with_few_requests_at_a_time(service, client, tmp_path):
    files = [write(tmp_path / f"{number}.png") for number in range(40)]
    read = []

    def lazily():
        for file in files:
            read.append(file)
            yield file

    answers = client.classify_files(lazily(), batch_size=2, in_flight=3)
    assert next(answers).file == files[0]
    assert len(read) == 2 * 3
    assert [each.file for each in answers] == files[1:]
    assert len(service.requests) == 20


def test_requests_overlap(service, client, tmp_path):
    files = [write(tmp_path / f"{number}.png") for number in range(8)]
    service.gate.clear()
    answers = client.classify_files(files, batch_size=1, in_flight=3)
    thread = threading.Thread(target=lambda: list(answers))
    thread.start()
    for _ in range(100):
        if len(service.requests) == 3:
            break
        thread.join(0.05)
    assert len(service.requests) == 3  # all at once, and no more
    service.gate.set()
    thread.join()
    assert len(service.requests) == 8


def test_files_that_cannot_be_used_cost_the_others_nothing(service, client, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1400, 3), "u1")
    too_large = write(tmp_path / "large.png", encoded(Image.fromarray(noise)))
    good, empty = write(tmp_path / "a.png"), write(tmp_path / "b.png", b"")
    answers = list(client.classify_files([empty, good, too_large, tmp_path / "none.png"]))
    assert [bool(each.answer) for each in answers] == [False, True, False, False]
    assert "large.png: the model cannot use it" in answers[2].problem
    assert "none.png cannot be read" in answers[3].problem
    assert answers[0].problem.endswith("b.png is empty")


@pytest.mark.parametrize(
    ("code", "details"),
    [
        ("INVALID_ARGUMENT", "input must be 4-dimensional"),
        ("RESOURCE_EXHAUSTED", "Received message larger than max (5 vs. 4)"),
    ],
)
def test_one_refused_image_does_not_end_a_folder(service, client, tmp_path, code, details):
    files = [write(tmp_path / f"{number}.png") for number in range(4)]
    refusals = 5 if code == "RESOURCE_EXHAUSTED" else 1  # what overload may be is tried again
    # The request of all four, and that of the first.
    service.failures = [(grpc.StatusCode[code], details)] * 2 * refusals
    answers = list(client.classify_files(files))
    assert [each.file for each in answers] == files
    assert [bool(each.answer) for each in answers] == [False, True, True, True]
    assert "0.png" in answers[0].problem
    assert details in answers[0].problem


def test_a_label_that_no_version_has_is_not_the_images_fault(service, client, tmp_path):
    details = "Unrecognized servable version label: canary"
    service.failures = [(grpc.StatusCode.INVALID_ARGUMENT, details)]
    with pytest.raises(ServingError, match=r"no version of the model has this label .*: canary"):
        list(client.classify_files([write(tmp_path / "a.png"), write(tmp_path / "b.png")]))


def test_a_file_object_is_read_once_though_it_is_asked_about_twice(service, client):
    service.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "no")]
    answers = client.classify_files([io.BytesIO(PNG), io.BytesIO(PNG)])
    assert [bool(each.answer) for each in answers] == [True, True]


def test_files_are_embedded_alike(service, client, tmp_path):
    good, none = write(tmp_path / "a.png"), tmp_path / "none.png"
    first, second = client.embed_files([str(good), none])
    assert (first.file, first.answer.vector.tolist(), first.version) == (str(good), [1, 1, 1], 7)
    assert second == FileAnswer(none, None, f"{none} cannot be read: No such file or directory")


def test_a_call_has_its_own_limits(service, client, tmp_path):
    token = [("authorization", "Bearer x")]
    client.classify([PNG], metadata=token)
    client.compare([PNG], [PNG], metadata=token)
    client.embed([PNG], metadata=token)
    assert list(client.classify_files([PNG], metadata=token, timeout=9, known_threshold=0.8))
    assert list(client.embed_files([PNG], metadata=token, timeout=9))
    client.classify([PNG])
    assert [token[0] in each for each in service.metadata] == [True] * 5 + [False]


def test_a_server_that_is_gone_ends_it(service, client, tmp_path):
    service.failures = [(grpc.StatusCode.PERMISSION_DENIED, "no token")]
    with pytest.raises(ServingError, match="no token"):
        list(client.classify_files([write(tmp_path / "a.png")]))


def test_files_of_which_none_can_be_used_ask_nothing(service, client, tmp_path):
    assert [each.answer for each in client.classify_files([write(tmp_path / "a", b"")])] == [None]
    assert not service.requests


def _request():
    request = wire.PredictRequest()
    request.model_spec.signature_name = "classify"
    request.inputs["image"].CopyFrom(to_tensor([PNG]))
    return request

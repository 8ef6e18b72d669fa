"""Against a fake service in this process: what goes over the wire, retries, TLS, errors."""

import subprocess
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from fake_serving import STATE, Service, serving
from images import encoded, picture
from PIL import Image
from tensorflow_serving.apis import predict_pb2

from serving.answers import Classification, Comparison
from serving.client import ImageError, ServingError, SiameseClient, Tls

PNG = encoded(picture(0, 0))


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def address(service):
    with serving(service) as address:
        yield address


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
    assert answers == [Comparison(0.25, False, True), Comparison(0.25, True, True)]
    [request] = service.requests
    assert request.model_spec.name == "parts"
    assert tf.make_ndarray(request.inputs["left"]).tolist() == [PNG, PNG]


def test_sides_must_be_equally_many(client):
    with pytest.raises(ValueError, match="1 left images for 0 right ones"):
        client.compare([PNG], [])


def test_images_are_made_canonical(service, client):
    webp = encoded(picture(0, 0), "WEBP", lossless=True)
    client.embed([webp])
    sent = tf.make_ndarray(service.requests[0].inputs["image"])[0]
    assert sent.startswith(b"\x89PNG")


def test_classes_come_with_scores_and_evidence(client):
    assert client.classify([PNG]) == [
        Classification("a", True, {"a": 0.75, "\\xffb": -0.5}, ["a/1.png", "\\xff.png"], True)
    ]


def test_an_invalid_image_has_no_scores(service, client):
    service.replies = service.answer(_request()) | {"valid": np.array([False])}
    assert client.classify([PNG]) == [Classification("a", True, {}, [], False)]


def test_many_images_are_asked_about_in_parts(service, client):
    assert len(client.classify([PNG] * 70)) == len(client.compare([PNG] * 70, [PNG] * 70)) == 70
    assert client.embed([PNG] * 33)[0].shape == (33, 3)
    sizes = [len(tf.make_ndarray(next(iter(r.inputs.values())))) for r in service.requests]
    assert sizes == [32, 32, 6, 32, 32, 6, 32, 1]


def test_embeddings(client):
    embeddings, valid = client.embed([PNG, PNG])
    assert embeddings.shape == (2, 3)
    assert valid.tolist() == [True, True]


def test_no_images_ask_nothing(service, client):
    assert client.classify([]) == client.compare([], []) == []
    with pytest.raises(ValueError, match="at least one image"):
        client.embed([])
    assert not service.requests


@pytest.mark.parametrize(
    ("chosen", "field"), [({"version": 7}, "version"), ({"version_label": "canary"}, "label")]
)
def test_a_version_or_a_label_is_asked_for(service, address, chosen, field):
    with SiameseClient(address, "parts", **chosen) as client:
        client.classify([PNG])
    spec = service.requests[0].model_spec
    assert (spec.version.value, spec.version_label) == (
        (7, "") if field == "version" else (0, "canary")
    )


def test_not_both_a_version_and_a_label():
    with pytest.raises(ValueError, match="a version or a label, not both"):
        SiameseClient("localhost:1", "parts", version=1, version_label="canary")


def test_what_is_unavailable_is_tried_again_whatever_its_size(service, client):
    service.failures = [(grpc.StatusCode.UNAVAILABLE, "busy")] * 3
    big = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (700, 700, 3), "u1")))
    assert len(big) > 1_000_000
    assert client.classify([big])[0].valid
    assert len(service.requests) == 4


def test_other_errors_are_not_tried_again(service, client):
    service.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "input size does not match signature")]
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: input size does not match") as caught:
        client.classify([PNG])
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (grpc.StatusCode.NOT_FOUND, "has no such model or version: why"),
        (grpc.StatusCode.FAILED_PRECONDITION, "the model 'parts' at localhost:.* is not one of"),
    ],
)
def test_errors_are_told_in_words(service, client, code, message):
    service.failures = [(code, "why")]
    with pytest.raises(ServingError, match=message):
        client.classify([PNG])


def test_nobody_at_home():
    with (
        SiameseClient("localhost:1", "parts", timeout=2) as client,
        pytest.raises(ServingError, match=r"localhost:1 does not answer .*siamese serve"),
    ):
        client.classify([PNG])


def test_a_deadline(service, address):
    service.gate.clear()
    with (
        SiameseClient(address, "parts", timeout=0.3) as client,
        pytest.raises(ServingError, match=r"gave no answer within 0\.3 s; allow more"),
    ):
        client.classify([PNG])
    service.gate.set()


def test_an_older_model_is_told_of(service, client):
    service.replies = {"similarity": np.array([0.5], "f")}
    with pytest.raises(ServingError, match="does not answer with 'same'; train it anew"):
        client.compare([PNG], [PNG])


@pytest.mark.parametrize(
    ("image", "message"),
    [(b"junk", "an image of 4 bytes is no image"), ("none.png", "none.png: cannot be read")],
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
    assert len(read) == 2 * (3 + 1)
    assert [each.file for each in answers] == files[1:]
    assert len(service.requests) == 20


def test_requests_overlap(service, client, tmp_path):
    files = [write(tmp_path / f"{number}.png") for number in range(8)]
    service.gate.clear()
    answers = client.classify_files(files, batch_size=1, in_flight=3)
    thread = threading.Thread(target=lambda: list(answers))
    thread.start()
    for _ in range(100):
        if len(service.requests) == 4:
            break
        thread.join(0.05)
    assert len(service.requests) == 4  # all at once, and no more
    service.gate.set()
    thread.join()
    assert len(service.requests) == 8


def test_files_that_cannot_be_used_cost_the_others_nothing(service, client, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1400, 3), "u1")
    too_large = write(tmp_path / "large.png", encoded(Image.fromarray(noise)))
    good, empty = write(tmp_path / "a.png"), write(tmp_path / "b.png", b"")
    answers = list(client.classify_files([empty, good, too_large, tmp_path / "none.png"]))
    assert [bool(each.answer) for each in answers] == [False, True, False, False]
    assert [each.problem.partition(": ")[2][:14] for each in answers[2:]] == [
        "the model cann",
        "cannot be read",
    ]
    assert answers[0].problem.endswith("b.png is empty")


def test_files_of_which_none_can_be_used_ask_nothing(service, client, tmp_path):
    assert [each.answer for each in client.classify_files([write(tmp_path / "a", b"")])] == [None]
    assert not service.requests


def test_waiting_for_a_version(service, client):
    service.statuses = [(STATE.START, 0), (STATE.LOADING, 0)]
    client.wait_until_available(10)
    assert not service.statuses


def test_a_version_that_cannot_be_loaded_is_not_waited_for(service, client):
    service.statuses = [(STATE.LOADING, 0), (STATE.END, 3)]
    with pytest.raises(ServingError, match="cannot load 'parts': no such op"):
        client.wait_until_available(10)


def test_a_version_that_never_comes(service, client):
    service.statuses = [(STATE.LOADING, 0)] * 100
    with pytest.raises(ServingError, match=r"serves no version of 'parts' after 0\.1 s"):
        client.wait_until_available(0.1)


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    """A self-signed certificate each for the server and a client, and their keys."""
    folder = tmp_path_factory.mktemp("pems")
    for name in ("server", "client"):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost"]
        command = ["openssl", "req", "-x509", *new_key, *files, *names]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("mutual", [False, True])
def test_tls(service, pems, mutual):
    key, certificate = ((pems / f"server.{kind}").read_bytes() for kind in ("key", "crt"))
    roots = (pems / "client.crt").read_bytes() if mutual else None
    credentials = grpc.ssl_server_credentials([(key, certificate)], roots, mutual)
    own = (pems / "client.crt", pems / "client.key") if mutual else (None, None)
    wrong = Tls(pems / ("server.crt" if mutual else "client.crt"))
    with serving(service, credentials) as address:
        with SiameseClient(address, "parts", tls=Tls(pems / "server.crt", *own)) as client:
            assert client.classify([PNG])[0].label == "a"
        with (
            SiameseClient(address, "parts", tls=wrong, timeout=3) as client,
            pytest.raises(ServingError, match="does not answer"),
        ):
            client.classify([PNG])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("none.pem", None, None), "none.pem: cannot be read .*; name a PEM file"),
        ((None, "client.crt", None), "a client's certificate needs its key"),
    ],
)
def test_pem_files_that_are_missing(pems, names, message):
    with pytest.raises(ValueError, match=message):
        SiameseClient("x:1", "parts", tls=Tls(*(pems / name if name else None for name in names)))


def _request():
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "classify"
    request.inputs["image"].CopyFrom(tf.make_tensor_proto([PNG]))
    return request

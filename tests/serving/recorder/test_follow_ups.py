"""Another version and embeddings are asked for after the answer."""

import random

import grpc
import numpy as np
from fake_serving import Service, serving

from serving.recorder.counts import Counts
from serving.recorder.follow_ups import FollowUps, Shares, Upstream
from serving.recorder.seen import seen_by_grpc
from tests.serving.recorder.recorders import answers, asking, call, images
from traffic.rows import Kept
from traffic.settings import Keeping


def _complete(service, *calls, **shares):
    counts = Counts()
    with serving(service) as address:
        asks = FollowUps(Upstream(address), Shares(**shares), counts, random.Random(0))
        seen = [each for one in calls for each in seen_by_grpc(one)]
        done = [answer for answer, _ in asks.complete(seen)]
        asks.close()
    return done, counts._registry.get_sample_value


class Canary(Service):
    """Version 8, which says `cut` of everything."""

    def Predict(self, request, context):
        response = super().Predict(request, context)
        if request.model_spec.WhichOneof("version_choice"):
            response.model_spec.version.value = 8
        return response

    def answer(self, request):
        outputs = super().answer(request)
        if request.model_spec.version_label == "canary":
            outputs["label"][:] = b"cut"
        return outputs


def test_a_shadow_is_compared():
    service = Canary()
    calls = [call(b"one", b"two"), call(b"three", labels=[b"cut"])]
    done, count = _complete(service, *calls, shadow="canary")
    assert [(each.other_version, each.other_label) for each in done] == [(8, "cut")] * 3
    assert [each.version for each in done] == [7] * 3
    (request,) = service.requests  # of all images
    assert request.model_spec.version_label == "canary"
    assert count("siamese_recorder_compared_total", {"same_label": "false"}) == 2
    assert count("siamese_recorder_compared_total", {"same_label": "true"}) == 1


def test_a_shadow_by_its_version():
    service = Canary()
    done, _ = _complete(service, call(b"one"), shadow="8")
    assert service.requests[0].model_spec.version.value == 8
    assert done[0].other_version == 8


def test_a_version_is_not_compared_with_itself():
    done, _ = _complete(Service(), call(b"one"), shadow="canary")  # it answers as version 7
    assert done[0].other_version is None


def test_a_share_of_the_images():
    service = Canary()
    calls = [call(b"one") for _ in range(200)]
    done, _ = _complete(service, *calls, shadow="canary", shadow_share=0.2)
    assert 20 < sum(each.other_version is not None for each in done) < 60


def test_embeddings_are_those_of_the_version_that_answered():
    service = Canary()
    done, _ = _complete(service, call(b"one", b"two"), embeddings=1.0)
    np.testing.assert_array_equal([each.embedding for each in done], np.ones((2, 3)))
    (request,) = service.requests
    assert (request.model_spec.signature_name, request.model_spec.version.value) == ("embed", 7)


def test_what_fails_is_counted_and_the_answer_stays():
    service = Canary()
    service.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label")]
    done, count = _complete(service, call(b"one", b"two"), shadow="canary")
    assert [each.other_version for each in done] == [None, None]
    assert count("siamese_recorder_follow_ups_failed_total", {"kind": "shadow"}) == 2


def test_the_client_sees_nothing_of_a_shadow(tmp_path):
    rules = Keeping(random=0.0)
    shares = Shares(shadow="canary")
    with asking(Canary(), tmp_path, rules=rules, shares=shares) as connection:
        outputs = connection.predict("classify", {"image": [b"one"]})
    assert outputs["label"].tolist() == [b"a"]
    (answer,) = answers(tmp_path)
    assert (answer.label, answer.other_label) == ("a", "cut")
    assert [each.kept for each in images(tmp_path)] == [Kept.DISAGREEMENT]

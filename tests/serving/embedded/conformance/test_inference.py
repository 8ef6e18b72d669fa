"""Classify, Regress and MultiInference by gRPC."""

import pytest
from tensorflow_serving.apis import inference_pb2

from tests.serving.embedded.conformance.asking import (
    CODE,
    classify_request,
    examples,
    refused,
    regress_request,
)
from tests.serving.embedded.models import CLASSIFY, REGRESS


class TestClassifyAndRegress:
    def test_classify(self, client):
        response = client.predictions.Classify(classify_request("classify", 0.25, 1.0), timeout=30)
        told = [
            [(each.label, each.score) for each in one.classes]
            for one in response.result.classifications
        ]
        assert told == [[("low", 0.75), ("high", 0.25)], [("low", 0.0), ("high", 1.0)]]
        assert response.model_spec.signature_name == "classify"

    def test_regress(self, client):
        response = client.predictions.Regress(regress_request("regress", 1.0, 2.0), timeout=30)
        assert [each.value for each in response.result.regressions] == [2.5, 3.0]

    def test_a_common_context(self, client):
        request = regress_request("regress")
        request.input.example_list_with_context.context.CopyFrom(examples(2.0)[0])
        request.input.example_list_with_context.examples.add()
        response = client.predictions.Regress(request, timeout=30)
        assert [each.value for each in response.result.regressions] == [3.0]

    def test_missing_signature(self, client):
        refused(
            lambda: client.predictions.Classify(classify_request("none", 1.0), timeout=30),
            CODE.INVALID_ARGUMENT,
        )
        refused(
            lambda: client.predictions.Regress(regress_request("none", 1.0), timeout=30),
            CODE.INVALID_ARGUMENT,
        )

    def test_a_signature_of_another_kind(self, client):
        refused(
            lambda: client.predictions.Classify(classify_request("regress", 1.0), timeout=30),
            CODE.INVALID_ARGUMENT,
            "Expected classification signature method_name to be tensorflow/serving/classify",
        )

    def test_no_examples(self, client):
        refused(
            lambda: client.predictions.Classify(classify_request("classify"), timeout=30),
            CODE.INVALID_ARGUMENT,
            "Input is empty",
        )


class TestMultiInference:
    @staticmethod
    def request(*tasks):
        request = inference_pb2.MultiInferenceRequest()
        request.input.example_list.examples.extend(examples(1.0))
        for name, signature, method in tasks:
            task = request.tasks.add(method_name=method)
            task.model_spec.name, task.model_spec.signature_name = name, signature
        return request

    def ask(self, client, *tasks):
        return client.predictions.MultiInference(self.request(*tasks), timeout=30)

    def test_one_task(self, client):
        (result,) = self.ask(client, ("probe", "regress", REGRESS)).results
        assert [each.value for each in result.regression_result.regressions] == [2.5]
        assert result.model_spec.version.value == 1

    @pytest.mark.parametrize(
        "tasks",
        [
            [("probe", "regress", REGRESS), ("probe", "regress", REGRESS)],
            [("probe", "regress", REGRESS), ("other", "classify", CLASSIFY)],
            [("probe", "none", REGRESS)],
            [("", "regress", REGRESS)],
        ],
        ids=["duplicate", "two models", "missing signature", "no name"],
    )
    def test_tasks_that_are_refused(self, client, tasks):
        refused(lambda: self.ask(client, *tasks), CODE.INVALID_ARGUMENT)

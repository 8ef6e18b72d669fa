"""What a server tells of its models by gRPC, and which changes of them it refuses."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
)

from tests.serving.embedded.conformance.asking import CODE, refused


@pytest.mark.seen_in_source
class TestMetadata:
    @staticmethod
    def ask(client, *metadata_fields, name="probe"):
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=metadata_fields)
        request.model_spec.name = name
        return client.predictions.GetModelMetadata(request, timeout=30)

    @pytest.mark.seen_running
    def test_signatures(self, client):
        response = self.ask(client, "signature_def")
        assert response.model_spec.version.value == 1
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert response.metadata["signature_def"].Unpack(signatures)
        default = signatures.signature_def["serving_default"]
        assert default.inputs["x"].dtype == tf.float32.as_datatype_enum
        assert [dim.size for dim in default.inputs["x"].tensor_shape.dim] == [-1]
        assert "__saved_model_init_op" in signatures.signature_def

    def test_fields(self, client):
        refused(lambda: self.ask(client), CODE.INVALID_ARGUMENT)
        refused(lambda: self.ask(client, "assets"), CODE.INVALID_ARGUMENT)

    def test_no_or_unknown_model(self, client):
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        refused(
            lambda: client.predictions.GetModelMetadata(request, timeout=30),
            CODE.INVALID_ARGUMENT,
        )
        refused(lambda: self.ask(client, "signature_def", name="other"), CODE.NOT_FOUND)


@pytest.mark.seen_in_source
class TestStatus:
    @staticmethod
    def ask(client, name="probe", version=None, label=None):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        if version:
            request.model_spec.version.value = version
        if label:
            request.model_spec.version_label = label
        return client.models.GetModelStatus(request, timeout=30)

    @pytest.mark.parametrize("which", [{}, {"version": 1}, {"label": "ignored"}])
    def test_available(self, client, which):
        (told,) = self.ask(client, **which).model_version_status
        assert (told.version, told.state, told.status.error_code) == (1, 30, 0)

    def test_no_spec(self, client):
        request = get_model_status_pb2.GetModelStatusRequest()
        refused(lambda: client.models.GetModelStatus(request, timeout=30), CODE.INVALID_ARGUMENT)

    @pytest.mark.seen_running
    def test_unknown(self, client):
        refused(lambda: self.ask(client, ""), CODE.NOT_FOUND)
        refused(lambda: self.ask(client, "other"), CODE.NOT_FOUND)
        refused(lambda: self.ask(client, version=7), CODE.NOT_FOUND)

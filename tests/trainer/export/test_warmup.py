import tensorflow as tf
from exported_model import exported_once
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from trainer.export.warmup import write_warmup


def requests(directory):
    path = directory / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(path)):
        log = PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        yield log.predict_log.request


def test_one_request_for_each_signature(tmp_path):
    write_warmup(str(tmp_path), 16)
    found = list(requests(tmp_path))
    assert {request.model_spec.name for request in found} == {"siamese"}
    inputs = {request.model_spec.signature_name: set(request.inputs) for request in found}
    assert inputs == {
        "serving_default": {"left", "right"},
        "embed": {"image"},
        "classify": {"image"},
        "classify_at": {"image", "known_threshold"},
        "evaluate": {"examples"},
    }


def test_the_model_answers_all_of_them(tmp_path_factory):
    version = exported_once(tmp_path_factory)
    signatures = tf.saved_model.load(str(version)).signatures
    names = set()
    for request in requests(version):
        name = request.model_spec.signature_name
        names.add(name)
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        assert {value.shape for value in inputs.values()} == {(1,)}
        answer = signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
        if "valid" in answer:
            assert answer["valid"].numpy().all()
    # Explanations are rare: not worth a longer load.
    assert names == set(signatures) - {"explain"}

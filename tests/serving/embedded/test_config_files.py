import pytest

from serving.embedded.config_files import (
    BatchingParameters,
    read_batching_parameters,
    read_metrics_path,
    read_model_config,
    read_tls_settings,
)
from serving.embedded.options import UsageError

PEM = "-----BEGIN X-----\\n-----END X-----"


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "config.txt"
        path.write_text(text)
        return str(path)

    return write


def test_batching_parameters(file):
    path = file("""
        max_batch_size { value: 8 }  # as TensorFlow Serving writes them
        batch_timeout_micros { value: 1000 }
        max_enqueued_batches { value: 7 }
        num_batch_threads { value: 3 }
        thread_pool_name { value: "batches" }
        allowed_batch_sizes: [2, 8]
        pad_variable_length_inputs: false
        enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 4 }
    """)
    assert read_batching_parameters(path) == BatchingParameters(
        max_batch_size=8,
        batch_timeout_micros=1000,
        max_enqueued_batches=7,
        num_batch_threads=3,
        allowed_batch_sizes=(2, 8),
        max_execution_batch_size=4,
    )


def test_batching_defaults(file):
    for path in ("", file("")):
        parameters = read_batching_parameters(path)
        assert (parameters.max_batch_size, parameters.batch_timeout_micros) == (1000, 0)
        assert parameters.num_batch_threads >= 1


@pytest.mark.seen_running
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_sze { value: 1 }", 'no field named "max_batch_sze"'),
        ("max_batch_size: 1", 'Expected "{"'),
        ("max_batch_size { value: 0 }", "max_batch_size is 0, and must be at least 1"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: 2", "must equal max_batch_size, 4"),
        (
            "max_batch_size { value: 4 } enable_large_batch_splitting { value: true } "
            "max_execution_batch_size { value: 2 } allowed_batch_sizes: 2",
            "must equal max_batch_size, 4",  # TensorFlow Serving loads no model otherwise
        ),
        (
            "max_batch_size { value: 4 } allowed_batch_sizes: [4, 2]",
            "must be positive and increase",
        ),
        ("max_execution_batch_size { value: 4 }", "needs enable_large_batch_splitting"),
        (
            "max_batch_size { value: 4 } enable_large_batch_splitting { value: true } "
            "max_execution_batch_size { value: 8 }",
            "must be at most max_batch_size, 4",
        ),
    ],
)
def test_batching_parameters_that_are_refused(file, text, message):
    path = file(text)
    with pytest.raises(UsageError) as error:
        read_batching_parameters(path)
    assert message in str(error.value)
    assert str(error.value).startswith(path)


@pytest.mark.seen_in_source
def test_monitoring(file):
    assert read_metrics_path("") is None
    assert read_metrics_path(file("")) is None
    path = file("prometheus_config { enable: true }")
    assert read_metrics_path(path) == "/monitoring/prometheus/metrics"
    assert read_metrics_path(file('prometheus_config { enable: true path: "/m" }')) == "/m"
    with pytest.raises(UsageError, match="start it with a /"):
        read_metrics_path(file('prometheus_config { enable: true path: "m" }'))


def test_tls(file):
    settings = read_tls_settings(file(f'server_key: "{PEM}" server_cert: "{PEM}"'))
    assert settings.server_key.startswith(b"-----BEGIN X-----\n")
    assert (settings.custom_ca, settings.client_verify) == (None, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "server_key must be PEM text"),
        (f'server_key: "{PEM}" server_cert: "server.pem"', "server_cert must be PEM text"),
        (f'server_key: "{PEM}" server_cert: "{PEM}" client_verify: true', "needs custom_ca"),
        ("server_keys: 1", 'no field named "server_keys"'),
    ],
)
def test_tls_that_is_refused(file, text, message):
    with pytest.raises(UsageError, match=message):
        read_tls_settings(file(text))


def test_models(file):
    config = read_model_config(
        file("""
        model_config_list {
          config {
            name: "m" base_path: "/models/m" model_platform: "tensorflow"
            model_version_policy { specific { versions: 1 versions: 2 } }
            version_labels { key: "stable" value: 1 }
          }
        }
    """)
    )
    (model,) = config.model_config_list.config
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert dict(model.version_labels) == {"stable": 1}
    with pytest.raises(UsageError, match="names no model"):
        read_model_config(file(""))


def test_files_that_can_not_be_read(tmp_path):
    for path, reason in [(tmp_path / "none", "No such file"), (tmp_path, "Is a directory")]:
        with pytest.raises(UsageError, match=reason):
            read_model_config(str(path))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="it isn't text"):
        read_model_config(str(binary))

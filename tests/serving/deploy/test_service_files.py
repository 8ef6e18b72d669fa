"""serving/deploy: the files that the services read, and the health check."""

import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from inspect import signature

import pytest
import yaml

from pipeline.commands.record import record
from serving.embedded.config_files import read_batching_parameters, read_metrics_path
from serving.engine import SERVER_OPTIONS
from serving.version_labels import FOLLOWING_OPTIONS, Labels, labels_file, write_labels
from tests.serving.deploy.files import (
    CONFIG,
    DEPLOY,
    SERVICES,
    healthy,
    mounts,
    serving_options,
    the_model,
)


class TestServingFiles:
    def test_the_model_is_where_it_is_mounted(self):
        model = the_model()
        # TensorFlow Serving refuses a model without a platform; the embedded server does not.
        assert model.model_platform == "tensorflow"
        assert mounts("serving")[model.base_path].startswith("${MODEL_BASE_PATH:?")

    def test_holds_its_load(self):
        assert {*SERVER_OPTIONS, *FOLLOWING_OPTIONS} <= set(SERVICES["serving"]["command"])
        assert mounts("serving")["/config"] == "./config"

    @pytest.mark.parametrize(
        ("written_for", "followed"), [("here", True), ("another machine", False), (None, False)]
    )
    def test_labels_are_followed_where_they_are(self, tmp_path, written_for, followed):
        base, server = the_model().base_path, "/usr/bin/tensorflow_model_server"
        shell, flag, code, *rest = SERVICES["serving"]["entrypoint"]
        assert labels_file(base) in code
        code = code.replace("$$", "$").replace(server, "echo").replace(base, str(tmp_path))
        if written_for:
            path = str(tmp_path) if written_for == "here" else "/home/me/serving"
            write_labels(str(tmp_path / "models.config"), Labels("siamese", path))
        options = ["--model_config_file=/config/models.config"]
        told = subprocess.run(
            [shell, flag, code, *rest, *options], capture_output=True, text=True, check=True
        ).stdout.split()
        # The last of an option counts.
        assert told == [*options, *([f"--model_config_file={tmp_path}/models.config"] * followed)]

    def test_a_request_may_be_larger_than_a_batch(self):
        parameters = read_batching_parameters(str(CONFIG / "batching.config"))
        assert parameters.max_execution_batch_size < parameters.max_batch_size
        # As many as the server may run at once, by default.
        assert (
            str(parameters.num_batch_threads) == serving_options()["tensorflow_session_parallelism"]
        )

    def test_cpus_are_limited_to_what_tensorflow_is_told(self):
        limits = SERVICES["serving"]["deploy"]["resources"]["limits"]
        told = [o for o in SERVICES["serving"]["command"] if "parallelism" in o]
        assert told == [f"--tensorflow_session_parallelism={limits['cpus']}"]

    def test_prometheus_asks_where_the_metrics_are(self):
        jobs = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
        (job,) = (each for each in jobs if each["job_name"] == "tensorflow-serving")
        # TensorFlow Serving has no default for the path, so the file must say it.
        assert "path:" in (CONFIG / "monitoring.config").read_text()
        assert job["metrics_path"] == read_metrics_path(str(CONFIG / "monitoring.config"))
        port = serving_options()["rest_api_port"]
        assert job["static_configs"] == [{"targets": [f"serving:{port}"]}]

    def test_prometheus_asks_the_recorder_if_there_is_one(self):
        jobs = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
        (job,) = (each for each in jobs if each["job_name"] == "siamese-recorder")
        assert job["dns_sd_configs"] == [{"names": ["recorder"], "type": "A", "port": 8602}]
        assert ":8602/health" in SERVICES["recorder"]["healthcheck"]["test"][-1]

    def test_prometheus_asks_for_what_siamese_monitor_wrote_if_it_did(self):
        settings = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
        (job,) = (each for each in settings["scrape_configs"] if "monitor" in each["job_name"])
        assert job["dns_sd_configs"] == [{"names": ["textfile"], "type": "A", "port": 9100}]
        folder = SERVICES["textfile"]["command"][-1].partition("=")[2]
        assert mounts("textfile")[folder] == "./metrics"
        assert settings["rule_files"] == ["alerts.yml"]
        assert mounts("prometheus")["/etc/prometheus/alerts.yml"] == "./alerts.yml"

    def test_the_recorder_takes_the_options_of_the_command(self):
        command, name, *options = SERVICES["recorder"]["command"]
        assert (command, name) == ("siamese", "record")
        known = {f"--{each.replace('_', '-')}" for each in signature(record).parameters}
        assert {option.partition("=")[0] for option in options} <= known
        assert "--upstream=serving:8500" in options

    def test_grafana_finds_prometheus_and_the_dashboard(self):
        provisioning = DEPLOY / mounts("grafana")["/etc/grafana/provisioning"]
        (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())[
            "datasources"
        ]
        assert source["url"] == "http://prometheus:9090"
        (files,) = yaml.safe_load((provisioning / "dashboards/files.yml").read_text())["providers"]
        assert mounts("grafana")[files["options"]["path"]] == "./grafana/dashboards"


@contextmanager
def rest_api(status, body):
    """A REST API that gives one answer, on a port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()


class TestHealthCheck:
    def test_asks_for_what_is_not_counted_as_traffic(self):
        with rest_api(200, "metrics") as (port, asked):
            assert healthy(port)
        assert asked == [read_metrics_path(str(CONFIG / "monitoring.config"))]

    def test_not_after_an_error(self):
        with rest_api(503, "") as (port, _):
            assert not healthy(port)

    def test_not_where_nobody_listens(self):
        with rest_api(200, "") as (port, _):
            pass
        assert not healthy(port)

"""serving/deploy: what can be known of it without Docker."""

import ipaddress
import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from inspect import signature
from pathlib import Path

import promql_parser
import pytest
import yaml
from google.protobuf import text_format
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.config import model_server_config_pb2

from pipeline.commands.record import record
from serving.embedded.config_files import read_batching_parameters, read_metrics_path
from serving.engine import IMAGE, SERVER_OPTIONS
from serving.version_labels import FOLLOWING_OPTIONS, Labels, labels_file, write_labels
from tests.serving.embedded.models import publish
from tests.serving.embedded.processes import ROOT, Server

DEPLOY = ROOT / "serving" / "deploy"
CONFIG = DEPLOY / "config"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/serving.json").read_text())
VARIABLE = re.compile(r"\$\{(\w+)([^}]*)\}")

# TensorFlow Serving's metrics that the dashboard may use, and their labels. Read from its source
# (tensorflow_serving/) and TensorFlow's; its exporter writes each / of a name as a colon.
METRICS = {
    # servables/tensorflow/util.cc
    ":tensorflow:serving:request_count": {"model_name", "status"},
    ":tensorflow:serving:request_latency": {"model_name", "API", "entrypoint"},
    ":tensorflow:serving:runtime_latency": {"model_name", "API", "runtime"},
    # servables/tensorflow/saved_model_warmup_util.cc
    ":tensorflow:serving:model_warmup_latency": {"model_path", "status"},
    # batching/batching_session.cc, batching/batching_util.h
    ":tensorflow:serving:batching_session:queuing_latency": {"thread_pool_name"},
    ":tensorflow:serving:batching_session:input_batch_size": set(),
    ":tensorflow:serving:batching_session:processed_batch_size": set(),
    # tensorflow/cc/saved_model/loader.cc
    ":tensorflow:cc:saved_model:load_attempt_count": {"model_path", "status"},
    ":tensorflow:cc:saved_model:load_latency": {"model_path"},
    # pipeline/monitor/prometheus.py
    "siamese_monitor_unknown_share": {"model", "version", "sample"},
    "siamese_monitor_drift_detected": {"model", "version", "test"},
    "siamese_monitor_outcome": {"model", "version", "outcome"},
    "siamese_monitor_accuracy": {"model", "version", "kind", "bound"},
    "siamese_monitor_images": {"model", "version"},
    "siamese_monitor_period_end_seconds": {"model", "version"},  # in an alert
    # Prometheus' own
    "up": set(),
}
PROMETHEUS_LABELS = {"job", "instance", "le"}
ONLY_TENSORFLOW_SERVING = "Only TensorFlow Serving has it."


def the_model():
    config = text_format.Parse(
        (CONFIG / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    return model


def mounts(service):
    """Target to source, of what is mounted read-only."""
    volumes = [each for each in SERVICES[service]["volumes"] if isinstance(each, dict)]
    return {each["target"]: each["source"] for each in volumes if each["read_only"]}


def serving_options():
    """The options of the command, with the variables' defaults."""
    text = " ".join(SERVICES["serving"]["command"])
    words = VARIABLE.sub(lambda found: found[2].removeprefix(":-"), text).split()
    return dict(word.removeprefix("--").split("=", 1) for word in words)


class TestCompose:
    def test_follows_the_schema(self):
        checked = subprocess.run(
            [
                *(sys.executable, "-m", "check_jsonschema"),
                *("--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")),
            ],
            capture_output=True,
            text=True,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr

    def test_serves_with_the_image_that_siamese_serve_takes(self):
        assert SERVICES["serving"]["image"] == IMAGE

    @pytest.mark.parametrize("name", SERVICES)
    def test_every_service_is_pinned_confined_and_watched(self, name):
        service = SERVICES[name]
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert int(service["user"].split(":")[0]) > 0
        assert service["healthcheck"]["test"][0] == "CMD"
        assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
        assert "privileged" not in service
        assert "network_mode" not in service

    @pytest.mark.parametrize("name", SERVICES)
    def test_ports_are_open_to_this_machine_only(self, name):
        for port in SERVICES[name]["ports"]:
            address = VARIABLE.match(port)
            assert address[1] == "LISTEN_ADDRESS"
            assert ipaddress.ip_address(address[2].removeprefix(":-")).is_loopback

    def test_what_has_no_default_is_asked_for_in_words(self):
        example = (DEPLOY / ".env.example").read_text()
        used = VARIABLE.findall((DEPLOY / "compose.yaml").read_text())
        required = set()
        for name, rest in used:
            assert re.fullmatch(r":-.+|:\?.+", rest), f"{name} has neither default nor message"
            if rest.startswith(":?"):
                assert ".env.example" in rest
                required.add(name)
            assert re.search(rf"^#?{name}=", example, re.MULTILINE), f"{name} is not in the example"
        assert required == {"MODEL_BASE_PATH", "GRAFANA_PASSWORD"}
        # They are named and left empty, so that nobody runs with a password from a repository.
        assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == required
        assert not re.search(r"^(?!#|\w+=$|$)", example, re.MULTILINE)

    def test_the_file_with_the_password_stays_out_of_git(self):
        assert ".env" in (DEPLOY / ".gitignore").read_text().split()

    def test_grafana_lets_in_nobody_without_the_password(self):
        settings = SERVICES["grafana"]["environment"]
        assert settings["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")
        assert settings["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
        assert settings["GF_USERS_ALLOW_SIGN_UP"] == "false"

    def test_whatever_is_mounted_from_here_is_here(self):
        for name in SERVICES:
            for source in mounts(name).values():
                if source.startswith("."):
                    assert (DEPLOY / source).exists(), source


class TestComposeWithTheInterface:
    def test_follows_the_schema(self):
        command = [sys.executable, "-m", "check_jsonschema"]
        command += ["--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.ui.yaml")]
        checked = subprocess.run(command, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr

    def test_it_is_confined_and_asks_for_a_token(self):
        text = (DEPLOY / "compose.ui.yaml").read_text()
        (service,) = yaml.safe_load(text)["services"].values()
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["environment"]["SIAMESE_UI_TOKEN"].startswith("${UI_TOKEN:?")
        assert service["ports"] == ["${LISTEN_ADDRESS:-127.0.0.1}:8700:8700"]
        example = (DEPLOY / ".env.example").read_text()
        for name, _ in VARIABLE.findall(text):
            assert re.search(rf"^#?{name}=", example, re.MULTILINE), f"{name} is not in the example"

    def test_siamese_takes_its_options(self):
        from typer.testing import CliRunner

        from pipeline.cli import app

        text = (DEPLOY / "compose.ui.yaml").read_text()
        words = yaml.safe_load(text)["services"]["ui"]["command"]
        result = CliRunner().invoke(app, [*words[1:], "--help"])
        assert result.exit_code == 0, result.output


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


def healthy(port):
    """Whether the health check of compose.yaml says so of a server on this REST port."""
    cmd, *check = SERVICES["serving"]["healthcheck"]["test"]
    assert cmd == "CMD"
    check = [word.replace("8501", str(port)) for word in check]
    return subprocess.run(check, capture_output=True, timeout=60).returncode == 0


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


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The embedded server with the very options and files; only the base path is another."""
    folder = tmp_path_factory.mktemp("deployed")
    publish(folder / "models", 1)
    options = serving_options()
    for name, value in options.items():
        if value.startswith("/config/"):
            text = (CONFIG / Path(value).name).read_text()
            file = folder / Path(value).name
            file.write_text(text.replace(f'"{the_model().base_path}"', f'"{folder / "models"}"'))
            options[name] = file
    server = Server(folder / "log", **{**options, "port": 0, "rest_api_port": 0})
    yield server
    server.kill()


@pytest.fixture(scope="module")
def exported(server):
    """Names of the metrics that the server has after a request."""
    client = server.client()
    _, version = client.predict(the_model().name, x=[1.0, 2.0])
    assert version == 1
    text = client.http_text(read_metrics_path(str(CONFIG / "monitoring.config")))
    return {family.name for family in text_string_to_metric_families(text)}


class TestWithTheEmbeddedServer:
    def test_serves_with_these_files(self, server, exported):
        assert ":tensorflow:serving:batching_session:processed_batch_size" in exported
        port = server.rest.split(":")[1]
        assert healthy(port)

    def test_has_what_the_dashboard_shows(self, exported):
        for panel in queried_panels():
            used = {base_name(one.name) for query in queries(panel) for one in selectors(query)}
            used = {name for name in used if not name.startswith("siamese_monitor_")}
            missing = used - exported - {"up"}
            if ONLY_TENSORFLOW_SERVING in panel["description"]:
                assert missing, f"{panel['title']}: the embedded server has it too"
            else:
                assert not missing, panel["title"]


def queried_panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries(panel):
    """A panel's queries, with Grafana's variables filled in."""
    for target in panel["targets"]:
        text = target["expr"].replace("$__rate_interval", "1m").replace("$model", ".*")
        assert "$" not in text
        yield promql_parser.parse(text)


def parts(query):
    """A query and all that it is made of."""
    yield query
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        inner = getattr(query, name, None) or []
        for one in inner if isinstance(inner, list) else [inner]:
            yield from parts(one)


def selectors(query):
    return [one for one in parts(query) if isinstance(one, promql_parser.VectorSelector)]


def alerts():
    """The expressions of the alert rules, by name."""
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: promql_parser.parse(rule["expr"]) for rule in group["rules"]}


def base_name(series):
    """The metric of a series: a histogram has three kinds."""
    name = re.sub(r"_(bucket|sum|count)$", "", series)
    return name if name in METRICS else series


class TestAlerts:
    def test_ask_for_what_siamese_monitor_writes(self):
        assert set(alerts()) == {"SiameseTrafficDrifted", "SiameseMonitorStale"}
        for query in alerts().values():
            (one,) = selectors(query)
            labels = METRICS[one.name]
            assert {matcher.name for matcher in one.matchers.matchers} <= labels
            for part in parts(query):
                if isinstance(part, promql_parser.AggregateExpr):
                    assert set(part.modifier.labels) <= labels


class TestDashboard:
    @pytest.mark.parametrize("panel", queried_panels(), ids=lambda panel: panel["title"])
    def test_asks_for_what_tensorflow_serving_has(self, panel):
        for query in queries(panel):
            found = selectors(query)
            assert found
            for one in found:
                assert base_name(one.name) in METRICS
            labels = set().union(*(METRICS[base_name(one.name)] for one in found))
            labels |= PROMETHEUS_LABELS
            assert {matcher.name for one in found for matcher in one.matchers.matchers} <= labels
            for part in parts(query):
                if isinstance(part, promql_parser.AggregateExpr) and part.modifier:
                    assert set(part.modifier.labels) <= labels

    def test_quantiles_are_taken_of_buckets(self):
        for panel in queried_panels():
            for query in queries(panel):
                for part in parts(query):
                    if isinstance(part, promql_parser.Call) and "quantile" in part.func.name:
                        _, summed = part.args
                        assert "le" in summed.modifier.labels
                        assert all(one.name.endswith("_bucket") for one in selectors(summed))

    def test_shows_what_was_asked_for(self):
        used = {
            base_name(one.name)
            for panel in queried_panels()
            for query in queries(panel)
            for one in selectors(query)
        }
        used |= {one.name for query in alerts().values() for one in selectors(query)}
        assert used == set(METRICS)

    def test_health_checks_are_not_traffic(self):
        """A status request by REST is in the request count, and has a latency without an API."""
        for panel in queried_panels():
            for query in queries(panel):
                found = selectors(query)
                for one in found:
                    api = [m for m in one.matchers.matchers if m.name == "API"]
                    if one.name.endswith("request_latency_bucket"):
                        assert [(m.op, m.value) for m in api] == [
                            (promql_parser.MatchOp.NotEqual, "")
                        ]
                text = str([one.name for one in found])
                if "request_count" in text and "status!=" not in query.prettify():
                    assert "request_latency_count" in text, panel["title"]

    def test_works_with_any_prometheus(self):
        variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
        assert variables["datasource"]["query"] == "prometheus"
        assert variables["model"]["definition"] == (
            'label_values(:tensorflow:serving:request_count{model_name!=""}, model_name)'
        )
        for panel in queried_panels():
            for target in panel["targets"]:
                assert target["datasource"]["uid"] == "${datasource}"

    def test_panels_lie_beside_each_other(self):
        cells = [
            (x, y)
            for panel in DASHBOARD["panels"]
            for at in [panel["gridPos"]]
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24
        numbers = [panel["id"] for panel in DASHBOARD["panels"]]
        assert len(numbers) == len(set(numbers))

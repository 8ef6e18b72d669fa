"""serving/deploy: the embedded server with the same files."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.embedded.config_files import read_metrics_path
from tests.serving.deploy.files import CONFIG, healthy, serving_options, the_model
from tests.serving.deploy.metrics import (
    ONLY_TENSORFLOW_SERVING,
    base_name,
    queried_panels,
    queries,
    selectors,
)
from tests.serving.embedded.models import publish
from tests.serving.embedded.processes import Server


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

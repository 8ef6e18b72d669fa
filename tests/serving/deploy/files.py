"""The files of serving/deploy, read."""

import re
import subprocess

import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tests.serving.embedded.processes import ROOT

DEPLOY = ROOT / "serving" / "deploy"
CONFIG = DEPLOY / "config"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
VARIABLE = re.compile(r"\$\{(\w+)([^}]*)\}")


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


def healthy(port):
    """Whether the health check of compose.yaml says so of a server on this REST port."""
    cmd, *check = SERVICES["serving"]["healthcheck"]["test"]
    assert cmd == "CMD"
    check = [word.replace("8501", str(port)) for word in check]
    return subprocess.run(check, capture_output=True, timeout=60).returncode == 0

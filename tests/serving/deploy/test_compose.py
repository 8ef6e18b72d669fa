"""serving/deploy: the services, as far as they can be known without Docker."""

import ipaddress
import re
import subprocess
import sys

import pytest
import yaml

from serving.engine import IMAGE
from tests.serving.deploy.files import (
    DEPLOY,
    SERVICES,
    VARIABLE,
    mounts,
)


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

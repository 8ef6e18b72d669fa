"""One version: of setup.py, of the changelog, of `siamese --version`."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from command_line import siamese

ROOT = Path(__file__).parents[1]
VERSION = re.search(r'version="([^"]+)"', (ROOT / "setup.py").read_text())[1]


def test_the_newest_version_of_the_changelog_is_the_package_s():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [heading for heading in headings if heading != "[Unreleased]"]
    assert re.fullmatch(rf"\[{re.escape(VERSION)}\] - \d{{4}}-\d\d-\d\d", released[0])


def test_the_command_line_prints_it():
    if metadata.version("siamese-tfx") != VERSION:
        pytest.skip("the environment is older than setup.py: run make setup")
    assert siamese("--version").stdout.strip() == VERSION

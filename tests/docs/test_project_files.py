"""README, CONTRIBUTING and SECURITY name files that exist and targets that make has."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
PACKAGES = "base|benchmarks|components|configs|constraints|docs|images|judging|kubeflow|pipeline"
PATH = re.compile(rf"`((?:{PACKAGES}|records|serving|storage|tests|tools|trainer)/[\w./-]*)`")


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_links_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    paths = PATH.findall(text)
    assert paths
    missing = [path for path in (*links, *paths) if not (ROOT / path).exists()]
    assert missing == []


def test_the_layout_answers_where_things_are():
    layout = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Layout")[2]
    for words, path, name in (
        ("splits", "components/image_example_gen/splitting.py", "splits"),
        ("blessed", "judging/gate.py", "blessed"),
        ("signatures", "trainer/export/signatures.py", "serving_default"),
        ("losses", "trainer/network/losses", ""),
        ("command", "pipeline/commands", ""),
    ):
        [row, *_] = [row for row in layout.splitlines() if f"{words}**" in row]
        assert all(part in row for part in path.rsplit("/", 1)), (row, path)
        assert (ROOT / path).exists()
        if name:
            assert name in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"(?:\$ |`)make ([a-z-]+)", text)
    assert named
    assert set(named) <= set(targets)

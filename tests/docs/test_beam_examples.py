"""Each example in docs/beam.md is a configuration, of options that Beam knows."""

import logging
import re
from pathlib import Path

import pytest
import yaml
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.config.reading import parse

TEXT = (Path(__file__).parents[2] / "docs" / "beam.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.M | re.S)
EXAMPLES = [yaml.safe_load(block) for block in BLOCKS]


@pytest.mark.parametrize("example", EXAMPLES)
def test_beam_knows_the_options(example, caplog):
    if isinstance(example, list):  # a piece of another example
        example = {"beam": {"args": example}}
    arguments = parse({"name": "x", "data": {"root": "images"}, **example}).beam.args
    with caplog.at_level(logging.WARNING):
        PipelineOptions(list(arguments)).get_all_options()
    assert not [r for r in caplog.records if "unparseable" in r.getMessage()]


def test_the_runners_are_there():
    found = {argument for one in EXAMPLES if "beam" in one for argument in one["beam"]["args"]}
    runners = ("Direct", "Flink", "Spark", "Dataflow", "Portable")
    assert {f"--runner={name}Runner" for name in runners} <= found

import json

import numpy as np
import pytest
from judge_views import held_out

from components.judge.judgement_files import (
    read_image_outcomes,
    read_judgement,
    read_pair_outcomes,
    read_reference,
    write_judgement,
)
from judging.judge import judge
from judging.judgement import Judgement
from judging.settings import JudgeSettings, Thresholds


@pytest.fixture
def judged():
    images, view = held_out()
    return judge(images, view, {"last blessed model": view}, None, Thresholds(), JudgeSettings())


def test_what_is_written_is_read_again(judged, tmp_path):
    outcomes, pairs = list(judged.outcomes), list(judged.pairs)
    write_judgement(str(tmp_path), judged._replace(outcomes=iter(outcomes), pairs=iter(pairs)))
    assert read_judgement(str(tmp_path)) == judged.judgement
    assert list(read_image_outcomes(str(tmp_path))) == outcomes
    assert list(read_pair_outcomes(str(tmp_path))) == pairs
    assert len(outcomes) == judged.judgement.images


def test_the_reference_is_read_again(judged, tmp_path):
    assert read_reference(str(tmp_path)) is None
    outcomes = list(judged.outcomes)
    write_judgement(str(tmp_path), judged._replace(outcomes=iter(outcomes)))
    found = read_reference(str(tmp_path))
    for ours, theirs in zip(found, judged.reference, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert found.predicted.tolist() == [one.predicted for one in outcomes]
    assert found.known.tolist() == [one.known for one in outcomes]
    assert found.scores.tolist() == [one.score for one in outcomes]


def test_a_judgement_of_an_older_version_is_read(judged, tmp_path):
    values = json.loads(judged.judgement.model_dump_json())
    for other in values["compared"].values():
        for later in ("left_out", "unknown_left_out", "own", "missing"):
            del other[later]
    (tmp_path / Judgement.FILE).write_text(json.dumps(values))
    assert read_judgement(str(tmp_path)) == judged.judgement

"""Heat maps of errors: those of a model, and what is written and read again."""

import numpy as np
import pytest

from components.judge import heat_maps
from components.judge.heat_maps import HeatMaps, explain_mistakes, read_heat_maps, write_heat_maps
from judging.judgement import Mistake, Picture
from records import features
from records.example import make_example

PNG = b"\x89PNG\x00"


class Model:
    """Explains by the label's length; of class `none` it knows nothing."""

    explains = True

    def explain(self, image, label):
        value = np.nan if label == "none" else len(label)
        return {
            "valid": np.array([True]),
            "map": np.full((1, 2, 3), value, "f"),
            "picture_bytes": np.array([image], object),
        }


def mistake(id_, predicted="nut", label="screw"):
    picture = Picture(id=id_, source=f"{id_}.png", label=label)
    return Mistake(image=picture, predicted=predicted, score=0.5, own_score=0.1, nearest=picture)


@pytest.fixture
def records(monkeypatch):
    def read(examples, split):
        assert (examples, split) == ("there", "test")
        for i in range(20):
            values = {features.IMAGE_ID: [b"%d" % i], features.IMAGE: [PNG + b"%d" % i]}
            yield make_example(values, {}).features.feature

    monkeypatch.setattr(heat_maps, "read_split", read)


def test_of_the_first_errors(records):
    found = explain_mistakes(Model(), [mistake(str(i)) for i in range(19)], "there", "test")
    assert set(found) == {str(i) for i in range(heat_maps.MOST)}
    picture, predicted, own = found["3"]
    assert picture == PNG + b"3"
    assert (predicted == 3).all()
    assert (own == 5).all()


def test_none_without_errors_or_without_the_signature(records):
    assert explain_mistakes(Model(), [], "there", "test") == {}
    model = Model()
    model.explains = False
    assert explain_mistakes(model, [mistake("1")], "there", "test") == {}


def test_a_class_that_the_model_does_not_know(records):
    found = explain_mistakes(Model(), [mistake("1", label="none")], "there", "test")
    assert np.isnan(found["1"].own).all()


def test_what_is_written_is_read_again(tmp_path):
    maps = {"a b": HeatMaps(PNG, np.eye(2, dtype="f"), np.ones((2, 2), "f"))}
    write_heat_maps(str(tmp_path), maps)
    found = read_heat_maps(str(tmp_path))
    assert found.keys() == maps.keys()
    assert found["a b"].picture == PNG
    np.testing.assert_array_equal(found["a b"].predicted, np.eye(2))
    assert read_heat_maps(str(tmp_path / "none")) == {}

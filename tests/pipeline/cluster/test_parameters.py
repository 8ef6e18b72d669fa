import pytest

from pipeline.cluster.parameters import check_span_fits, complete, parse
from pipeline.config.errors import ConfigError
from pipeline.config.reading import parse as parse_config


def test_reads_values():
    assert parse(["epochs=3", "data_root=a=b", "span=7"]) == {
        "epochs": 3,
        "data_root": "a=b",
        "span": "7",
    }


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("epoch=3", "the names are data_root, span, epochs"),
        ("epochs", "write it as name=value"),
        ("epochs=many", "'many' is not a whole number"),
        ("epochs=0", "epochs: Input should be greater than or equal to 1; got 0"),
        ("span=last", "neither a number nor 'newest'"),
    ],
)
def test_other_values_are_refused(assignment, message):
    with pytest.raises(ConfigError, match=message):
        parse([assignment])


def test_a_span_needs_a_place_in_the_data_root():
    check_span_fits({"data_root": "gs://b/span-{SPAN}", "span": "7"})
    check_span_fits({"data_root": "gs://b/images", "span": "newest"})
    check_span_fits({"epochs": 3})
    with pytest.raises(ConfigError) as caught:
        check_span_fits({"data_root": "gs://b/images", "span": "7"})
    assert str(caught.value).startswith(
        "--param span=7: the data root gs://b/images has no {SPAN}; name a data root with it "
        "(such as --param data_root=gs://b/images/span-{SPAN}"
    )


def test_defaults_are_the_configurations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = parse_config({"name": "parts", "data": {"root": "images"}, "training": {"epochs": 4}})
    assert complete(config, {}) == {
        "data_root": str(tmp_path / "images"),
        "span": "newest",
        "epochs": 4,
        "push_destination": str(tmp_path / "runs/parts/serving"),
    }

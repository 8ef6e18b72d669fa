"""Every error of a configuration is explained in a line, whatever the value is."""

import pytest

from base.settings import Section
from pipeline.config.errors import ConfigError, _sections_in
from pipeline.config.reading import parse
from pipeline.config.run_config import RunConfig


def keys(model: type[Section], above=()):
    for name, field in model.model_fields.items():
        yield (*above, name)
        for section in dict.fromkeys(_sections_in(field.annotation)):
            yield from keys(section, (*above, name))


@pytest.mark.parametrize("value", [None, 5, [None], {"a": None}, {"a": 5}], ids=str)
def test_an_odd_value_of_any_key(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    messages = []
    for path in keys(RunConfig):
        values = {"data": {"root": "images"}}
        inner = values
        for key in path[:-1]:
            if not isinstance(inner.get(key), dict):
                inner[key] = {}
            inner = inner[key]
        inner[path[-1]] = value
        try:
            parse(values, "my.yaml")
        except ConfigError as e:
            messages.append(str(e))
    assert len(messages) > 50
    assert all(message.startswith("my.yaml: ") for message in messages)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "my.yaml: takes keys: name, .*; got null$"),
        ({"data": {"root": "x", "classes": ["a", None]}}, r"data\.classes\.1: .*; got null$"),
        ({"kubeflow": {"env": {"FOO": None}}}, r"kubeflow\.env\.FOO: .*; got null$"),
        (
            {"kubeflow": {"components": {"retries": None}}},
            r"kubeflow\.components\.retries: takes keys: cpu, .*; got null$",
        ),
        (
            {"kubeflow": {"components": {"tolerations": {"cpus": 1}}}},
            r"kubeflow\.components\.tolerations\.cpus: unknown key; did you mean 'cpu'\?",
        ),
    ],
)
def test_keys_that_users_choose_and_places_in_lists(values, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        parse({"data": {"root": "x"}, **values} if values else values, "my.yaml")

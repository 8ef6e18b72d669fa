"""Run-time parameters of a compiled pipeline.

TFX's own run-time parameters replace whole execution properties, which are JSON texts here.
Therefore a parameter is an additional input of the tasks that need it (`compile`), and the task
writes it into its execution properties before TFX reads them (`task`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig
from storage.file_systems import absolute
from trainer.settings import Training

NEWEST = "newest"
"""The span with the highest number when the task runs."""


class Parameter(NamedTuple):
    """A run-time parameter.

    Attributes:
        name: The name in `--param`.
        type: `STRING` or `NUMBER_INTEGER`, as Kubeflow calls them.
        tasks: The components that receive it, as far as the DAG has them.
        default: Returns the default of a configuration.
    """

    name: str
    type: str
    tasks: tuple[str, ...]
    default: Callable[[RunConfig], str | int]


def push_destination(config: RunConfig) -> str:
    """Return the folder for blessed models; default: `serving` below the pipeline root."""
    root = config.kubeflow.pipeline_root
    if config.push.destination or not root:
        return absolute(config.serving_root)
    return f"{root.rstrip('/')}/{config.name}/serving"


DATA_ROOT = Parameter("data_root", "STRING", ("ImageExampleGen",), lambda c: absolute(c.data.root))
SPAN = Parameter("span", "STRING", ("ImageExampleGen",), lambda c: NEWEST)
EPOCHS = Parameter("epochs", "NUMBER_INTEGER", ("Tuner", "Trainer"), lambda c: c.training.epochs)
PUSH_DESTINATION = Parameter(
    "push_destination", "STRING", ("Trainer", "Judge", "InfraCheck", "Pusher"), push_destination
)
PARAMETERS = (DATA_ROOT, SPAN, EPOCHS, PUSH_DESTINATION)
_BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def complete(config: RunConfig, chosen: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return all parameters of a run: the chosen ones, and the defaults of the others."""
    return {one.name: one.default(config) for one in PARAMETERS} | dict(chosen)


def parse(assignments: list[str]) -> dict[str, str | int]:
    """Return the parameters given on the command line.

    Args:
        assignments: Items of the form `name=value`.

    Raises:
        ConfigError: A parameter is unknown or its value is invalid.
    """
    values: dict[str, str | int] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in _BY_NAME:
            raise ConfigError(
                f"--param {assignment}: write it as name=value; the names are {', '.join(_BY_NAME)}"
            )
        values[name] = text
        if _BY_NAME[name].type == "NUMBER_INTEGER":
            try:
                values[name] = int(text)
            except ValueError:
                raise ConfigError(f"--param {assignment}: {text!r} is not a whole number") from None
    if EPOCHS.name in values:
        _with_epochs("{}", int(values[EPOCHS.name]))
    check_span(values.get(SPAN.name, NEWEST))
    return values


def check_span(span: str | int) -> None:
    """Check the format of a span.

    Raises:
        ConfigError: It is neither a number nor `newest`.
    """
    if span != NEWEST and not str(span).isdigit():
        raise ConfigError(f"span: {span!r} is neither a number nor '{NEWEST}'")


def check_span_fits(values: Mapping[str, Any]) -> None:
    """Check that the data root has a place for the span.

    Args:
        values: The run's parameters.

    Raises:
        ConfigError: A span is named, but the data root has no `{SPAN}`.
    """
    root, span = values.get(DATA_ROOT.name, ""), values.get(SPAN.name, NEWEST)
    if span != NEWEST and "{SPAN}" not in root:
        raise ConfigError(
            f"--param span={span}: the data root {root} has no {{SPAN}}; name a data root with it "
            f"(such as --param data_root={root.rstrip('/')}/span-{{SPAN}}), or leave the span out"
        )


def apply(values: Mapping[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """Return a task's execution properties with the run's parameters applied.

    Args:
        values: The task's parameters, by name.
        properties: The task's execution properties, as compiled by TFX.

    Raises:
        ConfigError: A value is invalid.
    """
    properties = dict(properties)
    if DATA_ROOT.name in values:
        properties.update(_at_root(values[DATA_ROOT.name], values[SPAN.name], properties))
    if EPOCHS.name in values:
        custom = json.loads(properties["custom_config"])
        custom["training"] = _with_epochs(custom["training"], int(values[EPOCHS.name]))
        properties["custom_config"] = json.dumps(custom)
    if PUSH_DESTINATION.name in values:
        base = values[PUSH_DESTINATION.name]
        if "last_blessed_root" in properties:  # the Judge's
            properties["last_blessed_root"] = base
        elif "served" in properties:  # InfraCheck's; empty where enrolled classes are dropped
            properties["served"] = properties["served"] and base
        elif custom := json.loads(properties.get("custom_config") or "null"):  # the Trainer's
            custom["served"] = custom["served"] and base
            properties["custom_config"] = json.dumps(custom)
        else:
            properties["push_destination"] = json.dumps({"filesystem": {"base_directory": base}})
    return properties


def _at_root(root: str, span: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return ImageExampleGen's execution properties for another data root and span."""
    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.executor import read_settings

    settings = read_settings(properties)
    # The component computes the fingerprint of its code itself.
    arguments = settings.model_dump(exclude={"code", "root"})
    moved = dict(ImageExampleGen(root=root, **arguments).exec_properties)
    check_span(span)
    check_span_fits({DATA_ROOT.name: root, SPAN.name: span})
    if span != NEWEST:
        only = {"start_span_number": int(span), "end_span_number": int(span)}
        moved["range_config"] = json.dumps({"static_range": only})
    return {name: value for name, value in moved.items() if value is not None}


def _with_epochs(training: str, epochs: int) -> str:
    try:
        changed = Training.model_validate({**json.loads(training), EPOCHS.name: epochs})
    except ValidationError as e:
        raise ConfigError(f"{EPOCHS.name}: {e.errors()[0]['msg']}; got {epochs}") from None
    return changed.model_dump_json()

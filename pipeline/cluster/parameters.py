"""What can be chosen anew for each run of a compiled pipeline.

TFX's own run-time parameters replace whole execution properties, which here are JSON texts. So a
parameter goes as one more input to the tasks that need it (`compile`), and the task puts it into
its properties before TFX reads them (`task`).
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
"""A span: the one with the highest number, at the time of the run."""


class Parameter(NamedTuple):
    """One that a run may set.

    Attributes:
        name: As users write it.
        type: `STRING` or `NUMBER_INTEGER`, Kubeflow's names.
        tasks: The components that get it, where the DAG has them.
        default: Its value, from the configuration.
    """

    name: str
    type: str
    tasks: tuple[str, ...]
    default: Callable[[RunConfig], str | int]


def push_destination(config: RunConfig) -> str:
    """Where blessed models go: as configured, else `serving` beside the pipeline's files."""
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


def parse(assignments: list[str]) -> dict[str, str | int]:
    """Values from the command line.

    Args:
        assignments: `name=value` each.

    Raises:
        ConfigError: There is no such parameter, or the value is impossible.
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
    """Refuse what is no span.

    Raises:
        ConfigError: It is neither a number nor `newest`.
    """
    if span != NEWEST and not str(span).isdigit():
        raise ConfigError(f"span: {span!r} is neither a number nor '{NEWEST}'")


def check_span_fits(values: Mapping[str, Any]) -> None:
    """Refuse a span that is named where the data root has none.

    Args:
        values: The run's parameters, complete.

    Raises:
        ConfigError: It has none.
    """
    root, span = values.get(DATA_ROOT.name, ""), values.get(SPAN.name, NEWEST)
    if span != NEWEST and "{SPAN}" not in root:
        raise ConfigError(
            f"--param span={span}: the data root {root} has no {{SPAN}} for it; name one that has "
            f"(--param data_root={root.rstrip('/')}/span-{{SPAN}}, where the folders are called so)"
            ", or leave the span out"
        )


def apply(values: Mapping[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """A task's execution properties, with the run's parameters in them.

    Args:
        values: The parameters that this task gets, by name.
        properties: The task's execution properties, as TFX has compiled them.

    Raises:
        ConfigError: A value is impossible.
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
        elif "custom_config" in properties and "push_destination" not in properties:
            custom = json.loads(properties["custom_config"])  # the Trainer's
            custom["served"] = custom["served"] and base
            properties["custom_config"] = json.dumps(custom)
        else:
            properties["push_destination"] = json.dumps({"filesystem": {"base_directory": base}})
    return properties


def _at_root(root: str, span: str, properties: dict[str, Any]) -> dict[str, Any]:
    """ImageExampleGen's properties for another data root and span."""
    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.executor import read_settings

    settings = read_settings(properties)
    # The code's fingerprint is no argument: the component takes it anew.
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

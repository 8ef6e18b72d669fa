"""The entry point of a task's container: adapts the backend's call to TFX.

    python -m pipeline.cluster.task --executor_class_path ... --json_serialized_invocation_args ...

Before it calls TFX's own entry point, which was written for Vertex AI, it

* adds the types of the input artifacts, which open-source Kubeflow Pipelines leaves out
  (tensorflow/tfx#7768);
* writes the run's parameters into the execution properties;
* runs ImageExampleGen's driver, which no backend does.

Afterwards it removes the objects that keep Kubeflow's launcher from reading the outputs
(`folder_markers`). A user's error ends the log with a message instead of a traceback.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from pipeline import log_noise
from pipeline.cluster import parameters
from pipeline.runs.launch import explain, message_for_people

FAILED = "siamese task failed: "
"""Prefix of the error message at the end of a failed task's log."""

_EXECUTOR = "--executor_class_path"
_INPUT = "--json_serialized_invocation_args"
_SPEC = "--json_serialized_inputs_spec_args"


def main(argv: Sequence[str]) -> int:
    """Run one task; return the exit code.

    Args:
        argv: The program's name and the arguments of TFX's entry point.
    """
    log_noise.quiet()
    try:
        from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor as tfx_entry
        from tfx.utils.import_utils import import_class_by_path

        from pipeline import tfx_on_s3
        from pipeline.cluster.folder_markers import remove_folder_markers
        from pipeline.runs.beam_overhead import reduce_overhead
        from pipeline.runs.beam_workers import send_all_to_workers

        send_all_to_workers()
        reduce_overhead()
        arguments = list(argv)
        tfx_on_s3.enable([import_class_by_path(_value(arguments, _EXECUTOR))])
        executor_input = json.loads(_value(arguments, _INPUT))
        prepared = prepare(
            _value(arguments, _EXECUTOR), executor_input, json.loads(_value(arguments, _SPEC))
        )
        arguments[arguments.index(_INPUT) + 1] = json.dumps(prepared)
        tfx_entry.main(tfx_entry._parse_flags(arguments))
        remove_folder_markers(
            artifact["uri"]
            for artifacts in executor_input.get("outputs", {}).get("artifacts", {}).values()
            for artifact in artifacts["artifacts"]
        )
    except Exception as e:
        if message_for_people(e) is None:  # else the message suffices
            traceback.print_exc()
        print(f"{FAILED}{explain(e)}", file=sys.stderr, flush=True)
        return 1
    return 0


def prepare(
    executor: str, executor_input: dict[str, Any], inputs_spec: dict[str, Any]
) -> dict[str, Any]:
    """Return the `ExecutorInput` for TFX's entry point.

    Args:
        executor: Import path of the executor's class.
        executor_input: The `ExecutorInput` of the backend, as JSON.
        inputs_spec: The `ComponentInputsSpec` of the component, as JSON.

    Raises:
        ConfigError: A parameter's value is invalid.
        DataError: The span does not exist.
    """
    inputs = dict(executor_input.get("inputs", {}))
    for name, declared in inputs_spec.get("artifacts", {}).items():
        for artifact in inputs.get("artifacts", {}).get(name, {}).get("artifacts", []):
            if not any(artifact.get("type", {}).values()):
                artifact["type"] = declared["artifactType"]
    known = {parameter.name for parameter in parameters.PARAMETERS}
    values = inputs.get("parameterValues", {})
    chosen = {name: value for name, value in values.items() if name in known}
    properties = {name: value for name, value in values.items() if name not in known}
    properties = parameters.apply(chosen, properties)
    outputs = executor_input.get("outputs", {})
    if executor.startswith("components.image_example_gen."):
        properties = _drive(properties, outputs["artifacts"]["examples"]["artifacts"][0])
    return {"inputs": {**inputs, "parameterValues": properties}, "outputs": outputs}


def _drive(properties: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
    """Choose the span and record it on the output, as TFX's launcher would."""
    from components.image_example_gen.driver import Driver

    resolved = Driver(None).resolve_exec_properties(properties, None, None)
    noted = {name: resolved[name] for name in ("span", "input_fingerprint")}
    examples["metadata"] = {**examples.get("metadata", {}), **noted}
    return {name: value for name, value in resolved.items() if value is not None}


def _value(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


if __name__ == "__main__":
    sys.exit(main(sys.argv))

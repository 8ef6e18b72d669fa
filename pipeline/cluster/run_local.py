"""Runs a compiled pipeline on this machine, without a cluster.

Reads the file that Kubeflow Pipelines would get, and does what its driver and launcher do: resolve
each task's inputs, give its outputs addresses, fill the placeholders of its command, run that as a
process of its own, and hand the metadata that it writes to the tasks after it. As there, input
artifacts come without their type. Not done here: pods with their resources, retries, and the
cache; containers only where `within` says how.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from judging.judgement import Verdict
from pipeline.cluster.failures import explain_log
from pipeline.cluster.parameters import PUSH_DESTINATION, check_span_fits
from pipeline.cluster.verdict import read_verdict
from pipeline.config.errors import ConfigError
from pipeline.runs.child_process import stop, terminated_as_interrupted
from storage.file_systems import is_remote

_POLL_SECONDS = 0.05


class TaskFailed(Exception):
    """A task ended with an error.

    Args:
        task: Its name.
        reason: Why, in words, as far as is known.
        log: Where its output is.
    """

    def __init__(self, task: str, reason: str, log: Path) -> None:
        super().__init__(f"{task}: {reason}")
        self.task, self.reason, self.log = task, reason, log


class Outcome(NamedTuple):
    """What a run came to.

    Attributes:
        folder: All that the run has written.
        verdict: What the gate said; None where the pipeline has none.
        pushed_to: Where the model went, if it was pushed.
        seconds: How long each task took, by name.
    """

    folder: Path
    verdict: Verdict | None
    pushed_to: str | None
    seconds: dict[str, float]


def read_spec(path: Path) -> dict[str, Any]:
    """The `PipelineSpec` of a compiled file, of either kind.

    Raises:
        ConfigError: The file cannot be read or is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        spec = next(iter(yaml.safe_load_all(text)), None)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise ConfigError(f"{path}: cannot be read as a compiled pipeline ({e})") from e
    spec = spec.get("pipelineSpec", spec) if isinstance(spec, dict) else {}
    if "root" not in spec or "deploymentSpec" not in spec:
        raise ConfigError(f"{path}: is no compiled pipeline; write one: siamese kubeflow compile")
    return spec


def run(
    spec: Mapping[str, Any],
    pipeline_root: str | os.PathLike[str],
    parameters: Mapping[str, str | int],
    jobs: int = 1,
    say: Callable[[str], None] = print,
    within: Sequence[str] = (),
) -> Outcome:
    """Run every task, those that don't wait for each other at once.

    Args:
        spec: From `read_spec`.
        pipeline_root: A local folder; the run's files go to <pipeline_root>/<name>/<run>/.
        parameters: Of the run; those left out take their defaults, except that models are pushed
            to <pipeline_root>/<name>/serving.
        jobs: How many tasks run at once.
        say: Takes lines about the progress.
        within: A command that runs the one after it in a container (`docker run ... {image}`, with
            the task's image in place of `{image}`); empty: the task is a process of this machine.

    Raises:
        ConfigError: A parameter is missing, unknown or does not fit another one, or the pipeline
            root is no local folder that can be written.
        TaskFailed: A task did; those that were running have ended, and none was started after it.
        KeyboardInterrupt: It was interrupted (Ctrl-C, SIGTERM or SIGHUP), and its tasks and all
            that these have started have been ended.
    """
    if is_remote(pipeline_root):
        raise ConfigError(
            f"--pipeline-root {pipeline_root}: is no local folder, which the tasks' logs need; "
            "name one. `siamese run` with `artifacts` tries a bucket (docs/storage.md)"
        )
    name = spec["pipelineInfo"]["name"]
    folder = Path(os.path.abspath(pipeline_root)) / name / uuid.uuid4().hex[:12]
    serving = str(folder.parent / "serving")
    values = _root_parameters(spec, {PUSH_DESTINATION.name: serving, **parameters})
    check_span_fits(values)
    try:
        folder.mkdir(parents=True)
    except OSError as e:
        raise ConfigError(
            f"--pipeline-root {pipeline_root}: {folder} cannot be made ({e.strerror}); name a "
            "folder that can be written"
        ) from e
    return _Run(spec, folder, values, say, within).execute(jobs)


def _root_parameters(
    spec: Mapping[str, Any], given: Mapping[str, str | int]
) -> dict[str, str | int]:
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name in given:
        if name not in declared and name != PUSH_DESTINATION.name:
            raise ConfigError(
                f"parameter {name}: the pipeline has none such; it has {', '.join(declared)}"
            )
    values = {}
    for name, parameter in declared.items():
        if name not in given and "defaultValue" not in parameter:
            raise ConfigError(f"parameter {name}: has no default; give one: --param {name}=VALUE")
        values[name] = given.get(name, parameter.get("defaultValue"))
    return values


class _Task(NamedTuple):
    """One that has been started."""

    process: subprocess.Popen
    began: float
    log: Path
    outputs: dict[str, Any]

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None


class _Run:
    def __init__(
        self,
        spec: Mapping[str, Any],
        folder: Path,
        parameters: Mapping[str, str | int],
        say: Callable[[str], None],
        within: Sequence[str],
    ) -> None:
        self._components = spec["components"]
        self._executors = spec["deploymentSpec"]["executors"]
        self._tasks = spec["root"]["dag"]["tasks"]
        self._folder = folder
        self._parameters = parameters
        self._say = say
        self._within = within
        self._artifacts: dict[tuple[str, str], dict[str, Any]] = {}
        self._seconds: dict[str, float] = {}
        self._running: dict[str, _Task] = {}
        self._done: set[str] = set()

    def execute(self, jobs: int) -> Outcome:
        with terminated_as_interrupted():
            try:
                self._run_tasks(jobs)
            except BaseException:
                stop(*(task.process for task in self._running.values()))
                raise
        verdict = read_verdict(str(self._folder))
        return Outcome(self._folder, verdict, self._pushed_to(), self._seconds)

    def _run_tasks(self, jobs: int) -> None:
        waiting = {name: self._dependencies(name) for name in self._tasks}
        failure: TaskFailed | None = None
        while self._running or (waiting and failure is None):
            if failure is None:
                ready = [name for name, before in waiting.items() if before <= self._done]
                if not (ready or self._running):
                    raise ConfigError(f"these tasks wait for each other: {', '.join(waiting)}")
                for name in ready[: jobs - len(self._running)]:
                    del waiting[name]
                    self._start(name)
            time.sleep(_POLL_SECONDS)
            for name in [one for one, task in self._running.items() if task.has_ended]:
                try:
                    self._finish(name)
                except TaskFailed as e:
                    failure = failure or e
        if failure:
            raise failure

    def _dependencies(self, name: str) -> set[str]:
        task = self._tasks[name]
        inputs = task.get("inputs", {}).get("artifacts", {}).values()
        return {one["taskOutputArtifact"]["producerTask"] for one in inputs} | set(
            task.get("dependentTasks", [])
        )

    def _start(self, name: str) -> None:
        """Start a task's process; an importer has none, and is done with this."""
        executor = self._executors[self._component(name)["executorLabel"]]
        place = self._folder / name
        place.mkdir()
        if "importer" in executor:
            self._import(name, executor["importer"])
            self._done.add(name)
            return
        container = executor["container"]
        executor_input = self._executor_input(name, place)
        for artifacts in executor_input["outputs"]["artifacts"].values():
            # A bucket needs no folder to exist before a file is written below it.
            os.makedirs(artifacts["artifacts"][0]["uri"])
        command = fill_placeholders(
            [*container["command"], *container.get("args", [])], executor_input
        )
        image = container.get("image", "")
        command = [word.replace("{image}", image) for word in self._within] + command
        self._say(f"  {name}: started")
        log = place / "log.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # so that all that it starts can be ended with it
                env=_environment(container),
            )
        self._running[name] = _Task(process, time.monotonic(), log, executor_input["outputs"])

    def _finish(self, name: str) -> None:
        """Take in what a task has left, whose process has ended.

        Raises:
            TaskFailed: By its exit code, it did.
        """
        task = self._running.pop(name)
        self._seconds[name] = time.monotonic() - task.began
        if code := task.process.returncode:
            container = self._executors[self._component(name)["executorLabel"]]["container"]
            reason = explain_log(task.log.read_text("utf-8", "replace"), container.get("image"))
            raise TaskFailed(name, reason or f"ended with exit code {code}", task.log)
        self._say(f"  {name}: done ({self._seconds[name]:.1f} s)")
        self._publish(name, task.outputs)
        self._done.add(name)

    def _executor_input(self, name: str, place: Path) -> dict[str, Any]:
        """Kubeflow's `ExecutorInput`, as its driver makes it."""
        task, component = self._tasks[name], self._component(name)
        inputs = task.get("inputs", {})
        salt = uuid.uuid4().hex[:8]
        return {
            "inputs": {
                "parameterValues": {
                    key: self._parameter(one) for key, one in inputs.get("parameters", {}).items()
                },
                "artifacts": {
                    key: {"artifacts": [self._input(one["taskOutputArtifact"])]}
                    for key, one in inputs.get("artifacts", {}).items()
                },
            },
            "outputs": {
                "artifacts": {
                    key: {
                        "artifacts": [
                            {
                                "uri": str(place / salt / key),
                                "type": declared["artifactType"],
                                "metadata": declared.get("metadata", {}),
                            }
                        ]
                    }
                    for key, declared in component.get("outputDefinitions", {})
                    .get("artifacts", {})
                    .items()
                },
                "outputFile": str(place / "output_metadata.json"),
            },
        }

    def _parameter(self, source: Mapping[str, Any]) -> Any:
        if "componentInputParameter" in source:
            return self._parameters[source["componentInputParameter"]]
        return source["runtimeValue"]["constant"]

    def _input(self, source: Mapping[str, str]) -> dict[str, Any]:
        artifact = self._artifacts[source["producerTask"], source["outputArtifactKey"]]
        return {key: value for key, value in artifact.items() if key != "type"}

    def _publish(self, name: str, outputs: Mapping[str, Any]) -> None:
        """Keep a task's artifacts for those after it, as Kubeflow does in ML Metadata."""
        file = Path(outputs["outputFile"])
        written = json.loads(file.read_text("utf-8")) if file.exists() else {}
        for key, artifacts in outputs["artifacts"].items():
            [artifact] = artifacts["artifacts"]
            for told in written.get("artifacts", {}).get(key, {}).get("artifacts", [])[:1]:
                artifact["uri"] = told.get("uri") or artifact["uri"]
                artifact["metadata"] |= told.get("metadata", {})
            self._keep(name, key, artifact)

    def _keep(self, name: str, key: str, artifact: dict[str, Any]) -> None:
        number = str(len(self._artifacts) + 1)  # what ML Metadata's ids are there
        self._artifacts[name, key] = {
            **artifact,
            "name": number,
            "metadata": {k: _stored(v) for k, v in artifact.get("metadata", {}).items()},
        }

    def _import(self, name: str, importer: Mapping[str, Any]) -> None:
        uri = importer["artifactUri"]
        if "constant" in uri:
            address = uri["constant"]
        else:
            given = self._tasks[name]["inputs"]["parameters"][uri["runtimeParameter"]]
            address = self._parameter(given)
        [key] = self._component(name)["outputDefinitions"]["artifacts"]
        self._say(f"  {name}: takes {address}")
        self._keep(name, key, {"uri": address, "type": importer["typeSchema"]})

    def _component(self, name: str) -> Mapping[str, Any]:
        return self._components[self._tasks[name]["componentRef"]["name"]]

    def _pushed_to(self) -> str | None:
        for artifact in self._artifacts.values():
            if artifact["metadata"].get("pushed") == 1:
                return artifact["metadata"].get("pushed_destination")
        return None


def fill_placeholders(arguments: list[str], executor_input: Mapping[str, Any]) -> list[str]:
    """A command, with the values in it that Kubeflow's launcher would put there.

    Args:
        arguments: The command and its arguments.
        executor_input: Kubeflow's `ExecutorInput` as JSON.
    """
    values = {"{{$}}": json.dumps(executor_input)}
    for key, value in executor_input["inputs"]["parameterValues"].items():
        text = value if isinstance(value, str) else json.dumps(value)
        values[f"{{{{$.inputs.parameters['{key}']}}}}"] = text
    for side in ("inputs", "outputs"):
        for key, artifacts in executor_input[side]["artifacts"].items():
            uri = artifacts["artifacts"][0]["uri"]
            values[f"{{{{$.{side}.artifacts['{key}'].uri}}}}"] = uri
            values[f"{{{{$.{side}.artifacts['{key}'].path}}}}"] = uri
    filled = []
    for argument in arguments:
        for placeholder, value in values.items():
            argument = argument.replace(placeholder, value)
        filled.append(argument)
    return filled


def _stored(value: Any) -> Any:
    """A metadata value as ML Metadata gives it back to Kubeflow."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list):
        return {"list": value}
    return {"struct": value} if isinstance(value, dict) else value


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    """This process' environment, in which `python` is the one that runs here."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    own = {one["name"]: one["value"] for one in container.get("env", [])}
    return {**os.environ, "PATH": path, **own}

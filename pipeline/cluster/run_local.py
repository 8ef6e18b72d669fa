"""Runs a compiled pipeline on this machine, without a cluster.

It does what Kubeflow's driver and launcher do: it resolves each task's inputs, assigns URIs to its
outputs, fills in the placeholders of its command, runs it as a process, and passes the metadata
that it writes on to the tasks downstream. As on Kubeflow, input artifacts come without their type.
There are no resources, Secrets, volumes, retries and cache, and containers only with `within`.
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
from typing import Any, ClassVar, NamedTuple

from base.errors import UserError
from judging.judgement import Verdict
from pipeline.cluster.compiled_file import Spec
from pipeline.cluster.failures import explain_log
from pipeline.cluster.parameters import PUSH_DESTINATION, check_span_fits
from pipeline.cluster.verdict import GateOutputs, read_verdict
from pipeline.config.errors import ConfigError
from pipeline.runs.child_process import stop
from storage.file_systems import is_remote

_POLL_SECONDS = 0.05


class TaskFailed(UserError):
    """A task ended with an error.

    Args:
        task: Its name.
        reason: Why, if known.
        log: The file with its output.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, task: str, reason: str, log: Path) -> None:
        super().__init__(f"{task}: {reason}")
        self.task, self.reason, self.log = task, reason, log


class LocalRun(NamedTuple):
    """A run that has ended.

    Attributes:
        folder: The folder with everything that the run wrote.
        verdict: The verdict of the gate; None if the pipeline has no gate.
        pushed_to: Where the model was pushed; None if it was not.
        seconds: Duration of each task, by name.
    """

    folder: Path
    verdict: Verdict | None
    pushed_to: str | None
    seconds: dict[str, float]


def run(
    spec: Spec,
    pipeline_root: str | os.PathLike[str],
    parameters: Mapping[str, str | int],
    jobs: int = 1,
    report: Callable[[str], None] = print,
    within: Sequence[str] = (),
) -> LocalRun:
    """Run every task of a pipeline.

    Args:
        spec: The compiled pipeline.
        pipeline_root: A local folder; the run's files go to <pipeline_root>/<name>/<run>/.
        parameters: Parameters of the run. The others take their defaults, except that models are
            pushed to <pipeline_root>/<name>/serving.
        jobs: Maximum number of tasks that run at the same time.
        report: Receives lines about the progress.
        within: A command that runs the command after it in a container (`docker run ... {image}`,
            where `{image}` stands for the task's image); empty: each task is a process.

    Raises:
        ConfigError: A parameter is missing, unknown or does not fit another one, or the pipeline
            root is not a local folder that can be written to.
        TaskFailed: A task failed. Running tasks have ended; no task was started after it.
        KeyboardInterrupt: The run was interrupted. Its tasks and their child processes have ended.
    """
    base = _local_folder(pipeline_root) / spec.name
    serving = str(base / "serving")
    values = _complete_parameters(spec, {PUSH_DESTINATION.name: serving, **parameters})
    check_span_fits(values)
    folder = base / uuid.uuid4().hex[:12]
    try:
        folder.mkdir(parents=True)
    except OSError as e:
        raise ConfigError(
            f"--pipeline-root {pipeline_root}: {folder} cannot be created ({e.strerror}); name a "
            "folder that can be written to"
        ) from e
    artifacts = _Artifacts(spec, folder, values)
    seconds = _Scheduler(spec, artifacts, report, within).run(jobs)
    verdict = read_verdict(GateOutputs.of_kubeflow(str(folder)))
    return LocalRun(folder, verdict, artifacts.pushed_to, seconds)


def _local_folder(pipeline_root: str | os.PathLike[str]) -> Path:
    if is_remote(pipeline_root):
        raise ConfigError(
            f"--pipeline-root {pipeline_root}: is not a local folder, which the tasks' logs need. "
            "To try a bucket, use `siamese run` with `artifacts` (docs/storage.md)"
        )
    return Path(os.path.abspath(pipeline_root))


def _complete_parameters(spec: Spec, given: Mapping[str, str | int]) -> dict[str, str | int]:
    for name in given:
        if name not in spec.parameters and name != PUSH_DESTINATION.name:
            raise ConfigError(
                f"parameter {name}: unknown; the pipeline has {', '.join(spec.parameters)}"
            )
    defaults = {
        name: declared["defaultValue"]
        for name, declared in spec.parameters.items()
        if "defaultValue" in declared
    }
    for name in spec.parameters:
        if name not in given and name not in defaults:
            raise ConfigError(f"parameter {name}: has no default; set it: --param {name}=VALUE")
    return {**defaults, **given}


class _Process(NamedTuple):
    """The process of a task."""

    process: subprocess.Popen
    started: float
    log: Path
    outputs: dict[str, Any]


class _Scheduler:
    """Starts each task as soon as the tasks upstream have ended.

    Args:
        spec: The compiled pipeline.
        artifacts: The run's artifacts.
        report: Receives lines about the progress.
        within: The command that runs a task in a container.
    """

    def __init__(
        self,
        spec: Spec,
        artifacts: _Artifacts,
        report: Callable[[str], None],
        within: Sequence[str],
    ) -> None:
        self._spec, self._artifacts = spec, artifacts
        self._report, self._within = report, within
        self._pending = {name: spec.upstream(name) for name in spec.tasks}
        self._running: dict[str, _Process] = {}
        self._done: set[str] = set()
        self._seconds: dict[str, float] = {}

    def run(self, jobs: int) -> dict[str, float]:
        """Run every task; return their durations in seconds."""
        failure: TaskFailed | None = None
        try:
            while self._running or (self._pending and failure is None):
                if failure is None:
                    self._start_ready(jobs)
                time.sleep(_POLL_SECONDS)
                failed = self._finish_ended()
                failure = failure or failed
        except BaseException:
            stop(*(task.process for task in self._running.values()))
            raise
        if failure:
            raise failure
        return self._seconds

    def _start_ready(self, jobs: int) -> None:
        ready = [name for name, upstream in self._pending.items() if upstream <= self._done]
        if not (ready or self._running):
            raise ConfigError(f"the tasks depend on each other: {', '.join(self._pending)}")
        for name in ready[: jobs - len(self._running)]:
            del self._pending[name]
            if "importer" in self._spec.executor(name):
                self._report(f"  {name}: imports {self._artifacts.add_imported(name)}")
                self._done.add(name)
            else:
                self._report(f"  {name}: started")
                self._running[name] = self._start(name)

    def _start(self, name: str) -> _Process:
        container = self._spec.executor(name)["container"]
        executor_input = self._artifacts.executor_input(name)
        command = [*container["command"], *container.get("args", [])]
        image = container.get("image", "")
        log = Path(executor_input["outputs"]["outputFile"]).with_name("log.txt")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [word.replace("{image}", image) for word in self._within]
                + fill_placeholders(command, executor_input),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # so that all its child processes can be ended with it
                env=_environment(container),
            )
        return _Process(process, time.monotonic(), log, executor_input["outputs"])

    def _finish_ended(self) -> TaskFailed | None:
        """Publish the outputs of the tasks that have ended; return a failure if one has failed."""
        failure = None
        for name, task in list(self._running.items()):
            code = task.process.poll()
            if code is None:
                continue
            del self._running[name]
            self._seconds[name] = time.monotonic() - task.started
            if code:
                image = self._spec.executor(name)["container"].get("image")
                reason = explain_log(task.log.read_text("utf-8", "replace"), image)
                failure = TaskFailed(name, reason or f"ended with exit code {code}", task.log)
                continue
            self._report(f"  {name}: done ({self._seconds[name]:.1f} s)")
            self._artifacts.publish(name, task.outputs)
            self._done.add(name)
        return failure


class _Artifacts:
    """The artifacts and parameters of a run, as Kubeflow keeps them in ML Metadata.

    Args:
        spec: The compiled pipeline.
        folder: The run's folder.
        parameters: All parameters of the run, by name.
    """

    def __init__(self, spec: Spec, folder: Path, parameters: Mapping[str, Any]) -> None:
        self._spec, self._folder, self._parameters = spec, folder, parameters
        self._artifacts: dict[tuple[str, str], dict[str, Any]] = {}

    @property
    def pushed_to(self) -> str | None:
        """Where the Pusher has pushed the model; None if it has not."""
        for artifact in self._artifacts.values():
            if artifact["metadata"].get("pushed") == 1:
                return artifact["metadata"].get("pushed_destination")
        return None

    def executor_input(self, task: str) -> dict[str, Any]:
        """Return a task's `ExecutorInput`, with the folders of its outputs created."""
        inputs = self._spec.tasks[task].get("inputs", {})
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
            "outputs": self._outputs(task),
        }

    def _outputs(self, task: str) -> dict[str, Any]:
        declared = self._spec.component(task).get("outputDefinitions", {}).get("artifacts", {})
        folder, attempt = self._folder / task, uuid.uuid4().hex[:8]
        folder.mkdir()
        artifacts = {}
        for key, artifact in declared.items():
            uri = folder / attempt / key
            uri.mkdir(parents=True)  # which a bucket would not need
            values = {"type": artifact["artifactType"], "metadata": artifact.get("metadata", {})}
            artifacts[key] = {"artifacts": [{"uri": str(uri), **values}]}
        return {"artifacts": artifacts, "outputFile": str(folder / "output_metadata.json")}

    def _parameter(self, source: Mapping[str, Any]) -> Any:
        if "componentInputParameter" in source:
            return self._parameters[source["componentInputParameter"]]
        return source["runtimeValue"]["constant"]

    def _input(self, source: Mapping[str, str]) -> dict[str, Any]:
        artifact = self._artifacts[source["producerTask"], source["outputArtifactKey"]]
        return {key: value for key, value in artifact.items() if key != "type"}

    def publish(self, task: str, outputs: Mapping[str, Any]) -> None:
        """Keep a task's output artifacts, with the metadata that it has written."""
        file = Path(outputs["outputFile"])
        written = json.loads(file.read_text("utf-8")) if file.exists() else {}
        for key, artifacts in outputs["artifacts"].items():
            [artifact] = artifacts["artifacts"]
            for update in written.get("artifacts", {}).get(key, {}).get("artifacts", [])[:1]:
                artifact["uri"] = update.get("uri") or artifact["uri"]
                artifact["metadata"] |= update.get("metadata", {})
            self._add(task, key, artifact)

    def add_imported(self, task: str) -> str:
        """Keep the artifact of an importer; return its URI."""
        importer = self._spec.executor(task)["importer"]
        source = importer["artifactUri"]
        if "constant" in source:
            uri = source["constant"]
        else:
            inputs = self._spec.tasks[task]["inputs"]["parameters"]
            uri = self._parameter(inputs[source["runtimeParameter"]])
        [key] = self._spec.component(task)["outputDefinitions"]["artifacts"]
        self._add(task, key, {"uri": uri, "type": importer["typeSchema"]})
        return uri

    def _add(self, task: str, key: str, artifact: dict[str, Any]) -> None:
        metadata = {name: _stored(value) for name, value in artifact.get("metadata", {}).items()}
        id = str(len(self._artifacts) + 1)
        self._artifacts[task, key] = {**artifact, "name": id, "metadata": metadata}


def fill_placeholders(arguments: list[str], executor_input: Mapping[str, Any]) -> list[str]:
    """Return a command with the values that Kubeflow's launcher would fill in.

    Args:
        arguments: The command and its arguments.
        executor_input: The task's `ExecutorInput` as JSON.
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
    """Return a metadata value as Kubeflow reads it back from ML Metadata."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list):
        return {"list": value}
    return {"struct": value} if isinstance(value, dict) else value


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    """Return this process' environment, with its Python first on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    own = {one["name"]: one["value"] for one in container.get("env", [])}
    return {**os.environ, "PATH": path, **own}

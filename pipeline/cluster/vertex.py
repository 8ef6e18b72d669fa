"""A client of Vertex AI Pipelines, by the SDK google-cloud-aiplatform, which TFX installs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.cluster.failures import explain_log
from pipeline.cluster.settings import Kubeflow
from pipeline.cluster.submit import RunStatus, ServiceError, Submitted
from pipeline.cluster.verdict import GateOutputs
from pipeline.config.errors import ConfigError

_CONSOLE = "https://console.cloud.google.com/vertex-ai/locations"


class VertexAI:
    """Vertex AI Pipelines in the project and location of `kubeflow.vertex`.

    Args:
        kubeflow: The configuration.

    Raises:
        ConfigError: No project or location is named.
    """

    def __init__(self, kubeflow: Kubeflow) -> None:
        for key in ("project", "location"):
            if not getattr(kubeflow.vertex, key):
                raise ConfigError(
                    f"kubeflow.vertex.{key}: is required to submit to Vertex AI; set it to the "
                    f"Google Cloud {'project' if key == 'project' else 'region'} of the runs"
                )
        self._kubeflow, self._vertex = kubeflow, kubeflow.vertex

    def submit(
        self,
        file: Path,
        name: str,
        run_name: str,
        parameters: Mapping[str, str | int],
        cron: str | None = None,
    ) -> Submitted:
        """Create a PipelineJob or a schedule of them; see `KubeflowPipelines.submit`."""
        vertex = self._vertex
        with self._explained():
            job = _sdk().PipelineJob(
                display_name=run_name,
                template_path=str(file),
                pipeline_root=self._kubeflow.pipeline_root,
                parameter_values=dict(parameters),
                project=vertex.project,
                location=vertex.location,
            )
            if cron:
                schedule = job.create_schedule(
                    cron=cron, display_name=run_name, service_account=vertex.service_account
                )
                return Submitted(schedule.resource_name, self._link("schedules", schedule.name))
            job.submit(service_account=vertex.service_account)
            return Submitted(job.resource_name, self._link("runs", job.name))

    def status(self, run_id: str) -> RunStatus:
        """Return the status of a PipelineJob; raises like `submit`."""
        with self._explained():
            job = _sdk().PipelineJob.get(
                run_id, project=self._vertex.project, location=self._vertex.location
            )
        run = job.gca_resource
        tasks = {task.task_name: task.state.name for task in run.job_detail.task_details}
        return RunStatus(run.state.name.removeprefix("PIPELINE_STATE_"), tasks, run)

    def failure(self, status: RunStatus, image: str) -> str:
        """Return why a run failed, from Vertex AI's messages."""
        reasons = [f"the run {status.state.lower()}"]
        for task in status.details.job_detail.task_details:
            if task.state.name == "FAILED":
                message = task.error.message
                reasons.append(f"{task.task_name}: {explain_log(message, image) or message}")
        return "\n".join([*reasons, "The logs are linked from the run's page."])

    def gate_outputs(self, status: RunStatus, name: str) -> GateOutputs:
        """Return where the run has left its verdict, as Vertex AI has recorded it."""
        return GateOutputs(
            _output(status.details, "Judge", "judgement") or "",
            _output(status.details, "InfraCheck", "blessing"),
        )

    def _link(self, page: str, id: str) -> str:
        vertex = self._vertex
        return f"{_CONSOLE}/{vertex.location}/pipelines/{page}/{id}?project={vertex.project}"

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        place = f"Vertex AI (project {self._vertex.project}, {self._vertex.location})"
        try:
            yield
        except GoogleAuthError as e:
            raise ServiceError(
                f"{place}: not logged in ({e}); run `gcloud auth application-default login`"
            ) from e
        except GoogleAPIError as e:
            raise ServiceError(
                f"{place} refuses the request: {e}; check kubeflow.vertex, and that you and the "
                "service account have the role roles/aiplatform.user"
            ) from e


def _output(run: Any, task_name: str, output: str) -> str | None:
    for task in run.job_detail.task_details:
        if task.task_name == task_name and output in task.outputs:
            for artifact in task.outputs[output].artifacts:
                return str(artifact.uri)
    return None


def _sdk() -> Any:
    with contextlib.redirect_stdout(sys.stderr):  # where its log handler then writes
        from google.cloud import aiplatform
    return aiplatform

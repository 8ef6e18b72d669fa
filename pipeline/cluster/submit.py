"""Submits a compiled pipeline to Kubeflow Pipelines or Vertex AI, and waits for its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from base.errors import UserError
from pipeline.cluster.settings import Kubeflow, Platform
from pipeline.config.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.cluster.kubeflow_pipelines import KubeflowPipelines
    from pipeline.cluster.vertex import VertexAI

    Service: TypeAlias = KubeflowPipelines | VertexAI

_SUCCEEDED = "SUCCEEDED"
_ENDED = (_SUCCEEDED, "FAILED", "SKIPPED", "CANCELED", "CANCELLED", "ERROR")
_MAX_LOST_POLLS = 10  # in a row


class ServiceError(UserError):
    """The service cannot be reached or refuses a request; the message says how to fix it."""

    exit_code: ClassVar[int] = 1


class RunFailed(UserError):
    """A run failed or was cancelled; the message gives the reason, if known."""

    exit_code: ClassVar[int] = 1


class Submitted(NamedTuple):
    """A submitted run or schedule.

    Attributes:
        id: The service's identifier.
        link: Its page in the service's UI.
    """

    id: str
    link: str


class RunStatus(NamedTuple):
    """The status of a run.

    Attributes:
        state: Its state, such as `RUNNING` or `SUCCEEDED`.
        tasks: The state of each task, by name.
        details: The service's own description of the run.
    """

    state: str
    tasks: dict[str, str]
    details: Any


def connect(kubeflow: Kubeflow, platform: Platform) -> Service:
    """Return the service that `kubeflow` names.

    Raises:
        ConfigError: A required key or package is missing.
        ServiceError: The service cannot be reached or refuses the login.
    """
    if platform == "vertex":
        from pipeline.cluster.vertex import VertexAI

        return VertexAI(kubeflow)
    from pipeline.cluster.kubeflow_pipelines import KubeflowPipelines

    return KubeflowPipelines(kubeflow)


def check_cron(cron: str, platform: Platform) -> None:
    """Check the number of fields: Kubeflow's cron starts with seconds, Vertex AI's does not.

    Raises:
        ConfigError: It has another number of fields.
    """
    fields = [field for field in cron.split() if "TZ=" not in field]
    if platform == "vertex" and len(fields) != 5:
        raise ConfigError(
            f"--cron {cron!r}: Vertex AI takes five fields (minute, hour, day, month, weekday), "
            "such as '0 3 * * *' for every night at three"
        )
    if platform == "kubeflow" and len(fields) != 6:
        raise ConfigError(
            f"--cron {cron!r}: Kubeflow takes six fields (second, minute, hour, day, month, "
            "weekday), such as '0 0 3 * * *' for every night at three"
        )


def wait(
    service: Service,
    run_id: str,
    tasks: Collection[str],
    image: str,
    report: Callable[[str], None],
    limit: float | None = None,
    every: float = 10,
) -> RunStatus:
    """Wait until a run has succeeded.

    Args:
        service: The service.
        run_id: The run's identifier.
        tasks: The pipeline's tasks; others, which Kubeflow adds, are not reported.
        image: The tasks' container image.
        report: Receives lines about the progress.
        limit: Maximum time in seconds; None: no limit.
        every: Seconds between two requests.

    Raises:
        RunFailed: It failed or was cancelled.
        ServiceError: The service could not be reached for several requests in a row.
        TimeoutError: It has not ended within `limit`. It continues.
    """
    end = None if limit is None else time.monotonic() + limit
    reported: dict[str, str] = {}
    lost = 0
    while True:
        try:
            status = service.status(run_id)
        except ServiceError:
            lost += 1
            if lost == _MAX_LOST_POLLS:
                raise
        else:
            lost = 0
            for task, state in status.tasks.items():
                if task in tasks and reported.get(task) != state:
                    reported[task] = state
                    report(f"  {task}: {state.lower()}")
            if status.state == _SUCCEEDED:
                return status
            if status.state in _ENDED:
                raise RunFailed(service.failure(status, image))
        if end is not None and time.monotonic() > end:
            raise TimeoutError
        time.sleep(every)

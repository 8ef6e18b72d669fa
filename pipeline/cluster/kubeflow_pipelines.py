"""A client of Kubeflow Pipelines 2: its SDK submits, its REST API reports."""

from __future__ import annotations

import contextlib
import io
import json
import os
import urllib.parse
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pipeline.cluster.failures import explain_log
from pipeline.cluster.settings import Kubeflow
from pipeline.cluster.submit import RunStatus, ServiceError, Submitted
from pipeline.cluster.verdict import GateOutputs
from pipeline.config.errors import ConfigError

TOKEN, COOKIE = "KFP_TOKEN", "KFP_COOKIE"
"""Environment variables with a bearer token or the cookie of a login."""

_MISSING = (
    "the SDK of Kubeflow Pipelines (kfp) is not installed; install the extra kubeflow (make setup "
    "EXTRAS=kubeflow) on Python 3.10 or 3.11. `siamese kubeflow compile` works without it: upload "
    "its file in Kubeflow's UI"
)
_CHECK_ADDRESS = "check kubeflow.endpoint, and the `kubectl port-forward` if it is one"


class KubeflowPipelines:
    """Kubeflow Pipelines at `kubeflow.endpoint`.

    Args:
        kubeflow: The configuration.
        timeout: Time limit of a request about health, status and logs, in seconds.

    Raises:
        ConfigError: No endpoint is named, or kfp is not installed.
        ServiceError: The endpoint cannot be reached, is not Kubeflow Pipelines, or needs a login.
    """

    def __init__(self, kubeflow: Kubeflow, timeout: float = 20) -> None:
        if not kubeflow.endpoint:
            raise ConfigError(
                "kubeflow.endpoint: is required to submit: the URL of Kubeflow Pipelines, such as "
                "http://localhost:8080 after `kubectl port-forward -n kubeflow "
                "svc/ml-pipeline-ui 8080:80`"
            )
        try:
            from kfp import Client  # kfp-pipeline-spec alone is a package kfp without it
        except ImportError as e:
            raise ConfigError(_MISSING) from e
        self._kubeflow, self._timeout = kubeflow, timeout
        self._address = _address(kubeflow.endpoint)
        # The SDK retries a refusal for half a minute, and has no time limit.
        self._get("/apis/v2beta1/healthz")
        with self._explained():
            self._client = Client(
                host=self._address,
                namespace=kubeflow.namespace or "kubeflow",
                existing_token=os.environ.get(TOKEN),
                cookies=os.environ.get(COOKIE),
            )

    def submit(
        self,
        file: Path,
        name: str,
        run_name: str,
        parameters: Mapping[str, str | int],
        cron: str | None = None,
    ) -> Submitted:
        """Upload a pipeline as a new version and run it, once or repeatedly.

        Args:
            file: The compiled pipeline.
            name: The pipeline's name.
            run_name: The run's name in the UI.
            parameters: Parameters of the run; the file has defaults for the others.
            cron: The schedule of a repeated run.

        Raises:
            ServiceError: The request is refused, or the endpoint cannot be reached.
        """
        kubeflow, client = self._kubeflow, self._client
        with self._explained():
            pipeline, version = self._upload(file, name)
            experiment = client.create_experiment(
                kubeflow.experiment or name, namespace=kubeflow.namespace
            )
            arguments = {
                "experiment_id": experiment.experiment_id,
                "job_name": run_name,
                "params": dict(parameters),
                "pipeline_id": pipeline,
                "version_id": version,
                "pipeline_root": kubeflow.pipeline_root,
                "service_account": kubeflow.service_account,
            }
            if cron:
                schedule = client.create_recurring_run(
                    **arguments, cron_expression=cron, no_catchup=True
                )
                id, page = schedule.recurring_run_id, "recurringrun"
            else:
                id, page = client.run_pipeline(**arguments).run_id, "runs"
        return Submitted(id, f"{self._address}/#/{page}/details/{id}")

    def status(self, run_id: str) -> RunStatus:
        """Return the status of a run; raises like `submit`."""
        run = self._get(f"/apis/v2beta1/runs/{run_id}")
        tasks = run.get("run_details", {}).get("task_details", [])
        states = {task.get("display_name"): str(task.get("state")) for task in tasks}
        return RunStatus(str(run.get("state")), states, run)

    def failure(self, status: RunStatus, image: str) -> str:
        """Return why a run failed, from Kubeflow's messages and the logs of the failed pods."""
        run = status.details
        reasons = [f"the run {status.state.lower()}"]
        for task in run.get("run_details", {}).get("task_details", []):
            if task.get("state") not in ("FAILED", "ERROR"):
                continue
            message = task.get("error", {}).get("message")
            pods = [task.get("pod_name"), *(c.get("pod_name") for c in task.get("child_tasks", ()))]
            texts = [*(self._log(run["run_id"], pod) for pod in pods if pod), message or ""]
            known = next(filter(None, (explain_log(text, image) for text in texts)), None)
            if known or message:
                reasons.append(f"{task.get('display_name')}: {known or message}")
        if message := run.get("error", {}).get("message"):
            reasons.append(message)
        return "\n".join(dict.fromkeys(reasons))

    def gate_outputs(self, status: RunStatus, name: str) -> GateOutputs:
        """Return where the run has left its verdict: below the pipeline root."""
        root = (self._kubeflow.pipeline_root or "").rstrip("/")
        return GateOutputs.of_kubeflow(f"{root}/{name}/{status.details['run_id']}")

    def _upload(self, file: Path, name: str) -> tuple[str, str]:
        """Return the ids of the pipeline and its new version."""
        pipeline = self._client.get_pipeline_id(name)
        if pipeline is None:
            made = self._client.upload_pipeline(str(file), name, namespace=self._kubeflow.namespace)
            [version] = self._client.list_pipeline_versions(made.pipeline_id).pipeline_versions
            return made.pipeline_id, version.pipeline_version_id
        label = f"{name} {datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S.%f}"
        version = self._client.upload_pipeline_version(str(file), label, pipeline_id=pipeline)
        return pipeline, version.pipeline_version_id

    def _log(self, run_id: str, pod: str) -> str:
        """Return a pod's log; empty if the API server no longer has it."""
        with contextlib.suppress(ServiceError):
            return self._read(f"/apis/v1beta1/runs/{run_id}/nodes/{pod}/log").decode(
                "utf-8", "replace"
            )
        return ""

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._read(path)
        with contextlib.suppress(ValueError):
            if isinstance(values := json.loads(answer), dict):
                return values
        raise ServiceError(
            f"{self._address} does not answer as the API of Kubeflow Pipelines does; if it is a "
            f"login page, set {TOKEN} or {COOKIE}, else name the API in kubeflow.endpoint"
        )

    def _read(self, path: str) -> bytes:
        import urllib3  # of kfp

        headers = {}
        if token := os.environ.get(TOKEN):
            headers["Authorization"] = f"Bearer {token}"
        if cookie := os.environ.get(COOKIE):
            headers["Cookie"] = cookie
        try:
            answer = urllib3.PoolManager().request(
                "GET",
                self._address + path,
                headers=headers,
                timeout=self._timeout,
                redirect=False,  # which would hand the login on
                retries=False,
            )
        except urllib3.exceptions.HTTPError as e:
            raise ServiceError(self._unreachable(e)) from e
        if answer.status >= 300:
            reason = _message(answer.data) or answer.reason
            raise ServiceError(self._refusal(answer.status, reason, answer.headers.get("Location")))
        return answer.data

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the SDK's errors into sentences, and discard what it prints."""
        import kfp
        import kfp_server_api
        import urllib3

        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except kfp_server_api.ApiException as e:
            reason = _message(e.body) or e.reason
            raise ServiceError(self._refusal(e.status, reason)) from e
        except (urllib3.exceptions.HTTPError, TimeoutError) as e:
            raise ServiceError(self._unreachable(e)) from e
        except (AttributeError, TypeError, ValueError) as e:
            raise ServiceError(
                f"kfp {kfp.__version__} does not understand an answer of {self._address} ({e}); "
                "install the kfp of the server's version (pip install kfp==...), or upload the "
                "file of `siamese kubeflow compile` in Kubeflow's UI"
            ) from e

    def _refusal(self, code: int | None, reason: Any, location: str | None = None) -> str:
        if location:
            target = urllib.parse.urljoin(self._address, location).partition("?")[0]
            return (
                f"{self._address} redirects to {target}; if that is Kubeflow Pipelines, name it in "
                f"kubeflow.endpoint; if it is a login page, set {TOKEN} or {COOKIE}"
            )
        fix = {
            401: f"; set {TOKEN} or {COOKIE} to a valid login",
            403: f"; ask for the permission, or set {TOKEN} or {COOKIE} to a login that has it",
            404: "; name the API of Kubeflow Pipelines 2 in kubeflow.endpoint (version 1 has no "
            "/apis/v2beta1)",
        }
        return f"{self._address} refuses the request ({code}): {reason}{fix.get(code or 0, '')}"

    def _unreachable(self, error: Exception) -> str:
        text = str(getattr(error, "reason", None) or error)
        if "timed out" in text:
            return f"{self._address} did not answer within {self._timeout:g} s; {_CHECK_ADDRESS}"
        return f"{self._address} cannot be reached ({text}); {_CHECK_ADDRESS}"


def _address(endpoint: str) -> str:
    endpoint = endpoint.rstrip("/")
    return endpoint if "://" in endpoint else f"https://{endpoint}"


def _message(body: Any) -> str | None:
    """Return the API's error message, without Go's stack trace."""
    with contextlib.suppress(TypeError, ValueError, AttributeError):
        answer = json.loads(body)
        text = answer.get("error_message") or answer.get("error") or answer.get("message")
        return str(text).splitlines()[0] if text else None
    return None

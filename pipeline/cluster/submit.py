"""Uploads a compiled pipeline to Kubeflow Pipelines, runs it, and waits for what it comes to."""

from __future__ import annotations

import contextlib
import functools
import io
import ipaddress
import json
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from base.errors import UserError
from pipeline.cluster.failures import explain_log
from pipeline.cluster.settings import Kubeflow
from pipeline.config.errors import ConfigError

TOKEN, COOKIE = "KFP_TOKEN", "KFP_COOKIE"
"""Environment variables: a bearer token, or the cookie of a login, for endpoints that ask."""

_MISSING = (
    "Kubeflow's SDK is not installed (kfp); install the extra kubeflow (make setup "
    "EXTRAS=kubeflow) on a Python below 3.12. `siamese kubeflow compile` works without it: upload "
    "its file in Kubeflow's UI"
)
_TIMEOUT = 20  # seconds that the endpoint has for one answer
_FINISHED = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED", "ERROR")
_LOST_POLLS = 10  # in a row, before waiting is given up


def check_cron(cron: str) -> None:
    """Refuse what Kubeflow would: it counts seconds too.

    Raises:
        ConfigError: There are not six fields.
    """
    fields = cron.split()
    if len(fields) == 5:
        raise ConfigError(
            f"--cron {cron!r}: Kubeflow's has six fields, seconds first: '0 {' '.join(fields)}'"
        )
    if len(fields) != 6:
        raise ConfigError(
            f"--cron {cron!r}: write six fields (second, minute, hour, day, month, weekday), such "
            "as '0 0 3 * * *' for each night at three"
        )


def exposed_login(kubeflow: Kubeflow) -> str | None:
    """What to say where the token or the cookie would travel unencrypted to another machine."""
    address = urllib.parse.urlsplit(_address(kubeflow.endpoint or ""))
    names = [name for name in (TOKEN, COOKIE) if os.environ.get(name)]
    if not names or address.scheme != "http" or _is_loopback(address.hostname or ""):
        return None
    return (
        f"{' and '.join(names)} can be read on the way to {kubeflow.endpoint}, which is not "
        "encrypted; name an https:// address in kubeflow.endpoint, or go through `kubectl "
        "port-forward`"
    )


class EndpointError(UserError):
    """The endpoint cannot be reached or refuses; the message says which and how to mend it."""

    exit_code = 1


class RunFailed(UserError):
    """A run ended without success; the message says why, as far as the endpoint tells."""

    exit_code = 1


class Submitted(NamedTuple):
    """A run, or a recurring one, that the endpoint has taken.

    Attributes:
        id: Kubeflow's.
        link: Where people see it.
    """

    id: str
    link: str


class Endpoint:
    """Kubeflow Pipelines at an address.

    Args:
        kubeflow: Names the endpoint and the namespace.
        timeout: Seconds that it has for one answer.

    Raises:
        ConfigError: No endpoint is named, or kfp is missing.
        EndpointError: It cannot be reached, or is not Kubeflow Pipelines, or asks for a login.
    """

    def __init__(self, kubeflow: Kubeflow, timeout: float = _TIMEOUT) -> None:
        if not kubeflow.endpoint:
            raise ConfigError(
                "kubeflow.endpoint: is needed to submit: the address of Kubeflow Pipelines, such "
                "as http://localhost:8080 after `kubectl port-forward -n kubeflow "
                "svc/ml-pipeline-ui 8080:80`"
            )
        self._kubeflow, self._timeout = kubeflow, timeout
        self._address = _address(kubeflow.endpoint)
        try:
            from kfp import Client  # kfp-pipeline-spec alone makes a package kfp without it
        except ImportError as e:
            raise ConfigError(_MISSING) from e
        health = self._check()

        class AskedClient(Client):
            """The SDK would ask by itself, before its requests can be limited."""

            def get_kfp_healthz(self, *_: Any, **__: Any) -> Any:
                return health

        with self._in_words(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._client = AskedClient(
                host=self._address,
                namespace=kubeflow.namespace or "kubeflow",
                existing_token=os.environ.get(TOKEN),
                cookies=os.environ.get(COOKIE),
            )
        self._limit_requests()

    def submit(
        self,
        file: Path,
        name: str,
        run_name: str,
        parameters: Mapping[str, str | int],
        cron: str | None = None,
    ) -> Submitted:
        """Upload a pipeline as a new version, and run it.

        Args:
            file: The compiled pipeline, YAML.
            name: The pipeline's.
            run_name: What people see in the list of runs.
            parameters: Of the run; those left out take the file's defaults.
            cron: When to run again and again, six fields (`0 0 3 * * *` is each night at three);
                None: once, now.

        Raises:
            EndpointError: It refuses or cannot be reached.
        """
        kubeflow, client = self._kubeflow, self._client
        with self._in_words():
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
                made = client.create_recurring_run(
                    **arguments, cron_expression=cron, no_catchup=True
                )
                return Submitted(
                    made.recurring_run_id,
                    f"{self._address}/#/recurringrun/details/{made.recurring_run_id}",
                )
            run = client.run_pipeline(**arguments)
            return Submitted(run.run_id, f"{self._address}/#/runs/details/{run.run_id}")

    def wait(
        self,
        run_id: str,
        tasks: list[str],
        image: str,
        say: Callable[[str], None],
        limit: float | None = None,
        every: float = 10,
    ) -> None:
        """Wait until a run has ended, and tell of its tasks.

        Args:
            run_id: Kubeflow's.
            tasks: The pipeline's; others that Kubeflow adds are not told of.
            image: The tasks' container image.
            say: Takes lines about the progress.
            limit: Seconds to wait; None: for ever.
            every: Seconds between questions.

        Raises:
            RunFailed: It failed or was cancelled.
            EndpointError: The endpoint was lost.
            TimeoutError: It has not ended in time. It goes on.
        """
        states: dict[str, str] = {}
        lost, end = 0, None if limit is None else time.monotonic() + limit
        while True:
            try:
                with self._in_words():
                    run = self._client.get_run(run_id)
                lost = 0
            except EndpointError:
                lost += 1
                if lost >= _LOST_POLLS:
                    raise
                time.sleep(every)
                continue
            details = (run.run_details and run.run_details.task_details) or []
            for task in details:
                if task.display_name in tasks and task.state != states.get(task.display_name):
                    states[task.display_name] = task.state
                    say(f"  {task.display_name}: {str(task.state).lower()}")
            if run.state in _FINISHED:
                if run.state != "SUCCEEDED":
                    raise RunFailed(self._reason(run, details, image))
                return
            if end is not None and time.monotonic() > end:
                raise TimeoutError
            time.sleep(every)

    def _upload(self, file: Path, name: str) -> tuple[str, str]:
        """The pipeline's and its new version's ids."""
        pipeline = self._client.get_pipeline_id(name)
        if pipeline is None:
            made = self._client.upload_pipeline(str(file), name, namespace=self._kubeflow.namespace)
            [version] = self._client.list_pipeline_versions(made.pipeline_id).pipeline_versions
            return made.pipeline_id, version.pipeline_version_id
        label = f"{name} {datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S.%f}"
        version = self._client.upload_pipeline_version(str(file), label, pipeline_id=pipeline)
        return pipeline, version.pipeline_version_id

    def _reason(self, run: Any, details: list[Any], image: str) -> str:
        """Why a run failed, from what Kubeflow says and the failed pods' logs."""
        said = [f"the run {str(run.state).lower()}"]
        for task in details:
            if str(task.state) not in ("FAILED", "ERROR"):
                continue
            pods = [task.pod_name, *(child.pod_name for child in task.child_tasks or [])]
            message = getattr(task.error, "message", None) or ""
            known = None
            for text in (*(self._log(run.run_id, pod) for pod in pods if pod), message):
                known = known or explain_log(text, image)
            if known or message:
                said.append(f"{task.display_name}: {known or message}")
        if message := getattr(run.error, "message", None):
            said.append(message)
        return "\n".join(dict.fromkeys(said))

    def _log(self, run_id: str, pod: str) -> str:
        """A pod's log, where the API server still has it; else nothing."""
        path = f"/apis/v1beta1/runs/{run_id}/nodes/{pod}/log"
        with contextlib.suppress(OSError), self._open(path) as answer:
            return answer.read().decode("utf-8", "replace")
        return ""

    def _check(self) -> SimpleNamespace:
        """Ask how it is: the SDK itself would wait for ever, and repeat a refusal five times.

        Returns:
            What the SDK reads of the answer.
        """
        try:
            with self._open("/apis/v2beta1/healthz") as answer:
                text = answer.read()
        except urllib.error.HTTPError as e:
            raise EndpointError(self._refusal(e.code, e.reason, e.headers["Location"])) from e
        except urllib.error.URLError as e:
            raise EndpointError(self._unreachable(e.reason)) from e
        except OSError as e:
            raise EndpointError(self._unreachable(e)) from e
        try:
            return SimpleNamespace(multi_user=json.loads(text).get("multi_user") is True)
        except (ValueError, AttributeError) as e:
            raise EndpointError(
                f"{self._address} answers, but not as Kubeflow Pipelines' API does; is it a login "
                f"page? Then set {TOKEN} or {COOKIE}. Else name the API in kubeflow.endpoint"
            ) from e

    def _open(self, path: str) -> Any:
        headers = {}
        if token := os.environ.get(TOKEN):
            headers["Authorization"] = f"Bearer {token}"
        if cookie := os.environ.get(COOKIE):
            headers["Cookie"] = cookie
        # Like the SDK, without a proxy.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
        request = urllib.request.Request(self._address + path, headers=headers)
        return opener.open(request, timeout=self._timeout)

    def _limit_requests(self) -> None:
        """Give each of the SDK's requests a time limit, and let it go nowhere else."""
        rest = self._client._run_api.api_client.rest_client
        rest.pool_manager.request = functools.partial(rest.pool_manager.request, redirect=False)
        request = rest.request

        def limited(*args: Any, **kwargs: Any) -> Any:
            kwargs["_request_timeout"] = (self._timeout, self._timeout)
            return request(*args, **kwargs)

        rest.request = limited

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """The SDK's errors as sentences, and nothing of what it prints."""
        import kfp_server_api
        import urllib3

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except kfp_server_api.ApiException as e:
            said = _message(e.body) or e.reason
            elsewhere = (e.headers or {}).get("Location")
            raise EndpointError(self._refusal(e.status, said, elsewhere)) from e
        except urllib3.exceptions.HTTPError as e:
            raise EndpointError(self._unreachable(getattr(e, "reason", e))) from e

    def _refusal(self, code: int | None, said: Any, elsewhere: str | None) -> str:
        if elsewhere and code and 300 <= code < 400:
            there = urllib.parse.urljoin(self._address, elsewhere).partition("?")[0]
            return (
                f"{self._address} sends requests on to {there}, where no token or cookie of yours "
                "is taken; if that is where Kubeflow Pipelines is, name it in kubeflow.endpoint; "
                f"if it is a login page, set {TOKEN} or {COOKIE}"
            )
        mend = {
            401: f"; set {TOKEN} or {COOKIE} to who you are",
            403: f"; ask for the right to it, or set {TOKEN} or {COOKIE} to one who has it",
            404: "; name Kubeflow Pipelines 2's API in kubeflow.endpoint",
        }
        return f"{self._address} refuses ({code}): {said}{mend.get(code or 0, '')}"

    def _unreachable(self, reason: Any) -> str:
        mend = "check kubeflow.endpoint, and the `kubectl port-forward` where it goes through one"
        text = str(reason)
        if isinstance(reason, TimeoutError | socket.timeout) or "timed out" in text:
            return f"{self._address} gives no answer within {self._timeout:g} s; {mend}"
        return f"{self._address} cannot be reached ({text}); {mend}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The API itself never redirects; whoever else does would get the token and the cookie."""

    def redirect_request(self, *arguments: Any) -> None:
        """None: the redirection is the answer, an error."""


def _address(endpoint: str) -> str:
    endpoint = endpoint.rstrip("/")
    return endpoint if "://" in endpoint else f"https://{endpoint}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _message(body: Any) -> str | None:
    """What the API says of an error, without Go's traces."""
    try:
        told = json.loads(body)
    except (TypeError, ValueError):
        return None
    text = told.get("error_message") or told.get("error") or told.get("message") or ""
    return str(text).splitlines()[0] if text else None
